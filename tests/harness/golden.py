"""Golden files: what a dialect made of a request, or of events, byte for byte as it was approved.

`KRONK_GOLDEN=write` writes them anew; read the difference before you commit it.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from kronk.gateway.job import Job

GOLDEN = Path(__file__).parent.parent / "golden"


def check(name: str, text: str) -> None:
    """Compare with `tests/golden/<name>`."""
    file = GOLDEN / name
    if os.environ.get("KRONK_GOLDEN") == "write":
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    assert file.exists(), f"{file} is missing; KRONK_GOLDEN=write writes it"
    assert text == file.read_text("utf-8")


def job_text(job: Job) -> str:
    """A job as JSON that people can read, without what is not said."""
    return json.dumps(_said(asdict(job)), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _said(value: Any) -> Any:
    assert not is_dataclass(value)
    if isinstance(value, dict):
        said = {key: _said(item) for key, item in value.items() if item is not None}
        return {key: item for key, item in said.items() if item not in ({}, [])}
    if isinstance(value, list | tuple):
        return [_said(item) for item in value]
    if isinstance(value, bytes):
        return f"{len(value)} bytes: {value[:16].hex()}"
    return value
