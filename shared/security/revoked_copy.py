"""A second copy of what was revoked, in a file beside the keys.

Should the database be damaged and put aside, it must not make revoked tokens good again. Each line
is a revocation; the file is only added to.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import structlog

from kronk.shared.files import hand_over

_FILE = "revoked.jsonl"
_FORM: Mapping[str, tuple[type, ...]] = {
    "subject": (str,),
    "revoked": (int, float),
    "by": (str,),
    "reason": (str, type(None)),
    "expires": (int, float),
}

log = structlog.get_logger()


class RevokedCopy:
    """Below the folder of the keys."""

    def __init__(self, keys: Path) -> None:
        self.path = keys / _FILE

    def add(self, subject: str, row: Mapping[str, Any]) -> None:
        """Have it on the disk as well. What fails is in the log only: the database has it."""
        line = json.dumps({"subject": subject, **row}).encode() + b"\n"
        try:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            handle = os.open(self.path, flags, 0o600)
            try:
                hand_over(handle, self.path.parent)
                # A line that a crash has cut must not spoil the next one.
                os.write(handle, b"\n" + line)
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            log.error("a revocation has no second copy", file=str(self.path), reason=error.strerror)

    def rows(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Each subject that was revoked, with the record of it. What is no such line is passed
        over, with a word in the log."""
        try:
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return
        except OSError as error:
            log.error(
                "the copy of revocations cannot be read",
                file=str(self.path),
                reason=error.strerror,
            )
            return
        for number, line in enumerate(lines, 1):
            row = _row(line) if line else None
            if row is not None:
                yield row.pop("subject"), row
            elif line:
                log.warning(
                    "a line of the copy of revocations is damaged",
                    file=str(self.path),
                    line=number,
                )


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or found.keys() != _FORM.keys():
        return None
    is_good = all(isinstance(found[name], kinds) for name, kinds in _FORM.items())
    return found if is_good else None
