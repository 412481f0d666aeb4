"""`models/.index.yaml`: what pulls found out about the files they stored.

Only a cache: which models exist is read from the folder itself. A broken or missing index costs
at most that a file is verified again.
"""

from __future__ import annotations

import dataclasses
import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kronk.shared.files import write_atomically

log = logging.getLogger(__name__)

_NAME = ".index.yaml"
_LOCK = ".index.lock"
_TYPES = {"sha256": str, "size_bytes": int, "modified_ns": int, "source": str, "verified": str}


@dataclass(frozen=True, slots=True)
class Facts:
    """One file's row. It holds as long as size and time of change are the file's own."""

    sha256: str
    size_bytes: int
    modified_ns: int
    source: str
    # When the digest was computed, UTC.
    verified: str


def load(models: Path) -> dict[str, Facts]:
    """Facts by path below the models folder; empty where there is no usable index."""
    path = models / _NAME
    try:
        document = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        log.warning("%s cannot be read and is ignored: %s", path, " ".join(str(error).split()))
        return {}
    rows = document.get("files") if isinstance(document, dict) else None
    if not isinstance(rows, dict):
        log.warning("%s is not an index of models and is ignored", path)
        return {}
    return {str(name): Facts(**row) for name, row in rows.items() if _is_row(row)}


def holds(facts: Facts, path: Path) -> bool:
    """Whether the file is still the one that was verified."""
    try:
        now = path.stat()
    except OSError:
        return False
    return (now.st_size, now.st_mtime_ns) == (facts.size_bytes, facts.modified_ns)


def record(models: Path, relative: str, facts: Facts) -> None:
    """Add or replace one row; rows of files that are gone are dropped."""
    with _locked(models):
        rows = load(models) | {relative: facts}
        present = {
            name: dataclasses.asdict(row)
            for name, row in sorted(rows.items())
            if (models / name).is_file()
        }
        text = yaml.safe_dump({"files": present}, sort_keys=False, allow_unicode=True)
        write_atomically(models / _NAME, text.encode())


def _is_row(row: Any) -> bool:
    return (
        isinstance(row, dict)
        and row.keys() == _TYPES.keys()
        and all(type(row[key]) is kind for key, kind in _TYPES.items())
    )


@contextmanager
def _locked(models: Path) -> Iterator[None]:
    """Two pulls that end together must not lose one another's row."""
    with (models / _LOCK).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
