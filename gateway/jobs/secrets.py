"""What jobs must be told and nobody else: tokens of other servers, one file for each job."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from kronk.shared.files import write_atomically


class JobSecrets:
    """Files that only this user can read, gone when their job is over. For threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, job_id: str, values: dict[str, Any]) -> None:
        """Until they are forgotten; nothing is written where there are none."""
        if not values:
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(self._path(job_id), json.dumps(values).encode(), 0o600)

    def of(self, job_id: str) -> dict[str, Any]:
        """Empty where there are none, or they are damaged: the job then says what it lacks."""
        try:
            values = json.loads(self._path(job_id).read_bytes())
        except (OSError, ValueError):
            return {}
        return values if isinstance(values, dict) else {}

    def forget(self, job_id: str) -> None:
        """Its job is over."""
        self._path(job_id).unlink(missing_ok=True)

    def forget_but(self, kept: Collection[str]) -> None:
        """Those of jobs that are not over stay; a crash may have left others."""
        for path in self._folder.glob("*.json") if self._folder.is_dir() else ():
            if path.stem not in kept:
                path.unlink(missing_ok=True)

    def _path(self, job_id: str) -> Path:
        return self._folder / f"{job_id}.json"
