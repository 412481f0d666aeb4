"""`models/.index.yaml`: what is known of the files in the models folder, and how they came there.

Only a cache: which models exist is read from the folder itself. A broken or missing index costs at
most that a file is verified again. Each row is a line of its own, so that damage costs the rows it
hit and no others.
"""

from __future__ import annotations

import dataclasses
import fcntl
import functools
import json
import logging
import os
import re
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from kronk.shared.files import write_atomically

from .names import is_relative

log = logging.getLogger(__name__)

_NAME = ".index.yaml"
_LOCK = ".index.lock"
_FIRST_LINE = "files:"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NEEDED = {"sha256": str, "size_bytes": int, "modified_ns": int, "source": str, "verified": str}
_OPTIONAL = ("licence", "revision", "found")
# A models folder has 10,000 files at most, and a row some 500 bytes.
_MOST_BYTES = 64 * 2**20
# What somebody has written in other YAML is read by a parser that takes its time.
_MOST_BYTES_OF_YAML = 2**20

# `changed`: it is not the file that was verified; `damaged`: it was read, and is not what it
# should be; `unknown`: nobody has verified it.
State = Literal["verified", "changed", "damaged", "unknown"]
Rows = Mapping[str, "Facts"]


@dataclass(frozen=True, slots=True)
class Facts:
    """One file's row. It holds as long as size and time of change are the file's own."""

    # What it should be, by its source or by the first who looked.
    sha256: str
    # Of the file that was read, as it was then.
    size_bytes: int
    modified_ns: int
    source: str
    # When the digest was computed, UTC.
    verified: str
    licence: str | None = None
    revision: str | None = None
    # What it is instead: the file is damaged, or another.
    found: str | None = None


def load(models: Path) -> Rows:
    """Facts by path below the models folder; empty where there is no usable index."""
    return look(models)[0]


def look(models: Path) -> tuple[Rows, str | None]:
    """`load`, and what is wrong with the index, if something is."""
    path = models / _NAME
    try:
        now = path.stat()
    except FileNotFoundError:
        return {}, None
    except OSError as error:
        return {}, f"{path} cannot be read and is ignored: {error.strerror}"
    if not stat.S_ISREG(now.st_mode):
        return {}, f"{path} is not a file and is ignored"
    return _read(path, (now.st_ino, now.st_size, now.st_mtime_ns))


def holds(facts: Facts, path: Path) -> bool:
    """Whether the file is still the one that was verified."""
    try:
        now = path.stat()
    except OSError:
        return False
    return state_of(facts, now.st_size, now.st_mtime_ns) == "verified"


def state_of(facts: Facts | None, size_bytes: int, modified_ns: int) -> State:
    """What a row says of a file that has this size and time of change now."""
    if facts is None:
        return "unknown"
    if (size_bytes, modified_ns) != (facts.size_bytes, facts.modified_ns):
        return "changed"
    return "verified" if facts.found is None else "damaged"


def record(models: Path, relative: str, facts: Facts) -> None:
    """Add or replace one row. Rows of files that are gone stay until the next `indexing.refresh`:
    the file may have got another name."""
    change(models, lambda rows: {**rows, relative: facts})


def change(models: Path, changed: Callable[[dict[str, Facts]], Rows]) -> Rows:
    """Write what `changed` makes of the rows, and return it; nobody else writes in between. Nothing
    is written when nothing has changed and the file is in order."""
    with _locked(models):
        before, problem = look(models)
        after = changed(dict(before))
        if problem is not None or after != before:
            _clear(models / _NAME)
            write_atomically(models / _NAME, _text(after).encode())
    return after


@contextmanager
def _locked(models: Path) -> Iterator[None]:
    """Two pulls that end together must not lose one another's row."""
    models.mkdir(parents=True, exist_ok=True)
    _clear(models / _LOCK)
    # Whatever somebody has put there, opening it must not block.
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
    handle = os.open(models / _LOCK, flags, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _clear(path: Path) -> None:
    """Move a folder out of the way that is there in the place of our file."""
    if path.is_dir() and not path.is_symlink():
        aside = path.with_name(f"{path.name}.broken-{time.time_ns()}")
        path.rename(aside)
        log.warning("%s was a folder and is now %s", path, aside.name)


def _text(rows: Rows) -> str:
    """YAML whose every line below the first is a row: a name and a map, both JSON."""
    lines = (
        f"  {_json(name)}: {_json(_said(row))}"
        for name, row in sorted(rows.items())
        if is_relative(name)
    )
    # An empty map is no map in YAML's block form.
    return "\n".join([_FIRST_LINE if rows else f"{_FIRST_LINE} {{}}", *lines, ""])


def _said(row: Facts) -> dict[str, Any]:
    return {key: value for key, value in dataclasses.asdict(row).items() if value is not None}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


@functools.lru_cache(8)
def _read(path: Path, _state: tuple[int, int, int]) -> tuple[Rows, str | None]:
    """Read once for each state of the file; what is wrong is logged once, too."""
    rows, problem = _parse(path)
    if problem is not None:
        log.warning("%s", problem)
    return rows, problem


def _parse(path: Path) -> tuple[Rows, str | None]:
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        return {}, f"{path} cannot be read and is ignored: {error.strerror}"
    if len(data) > _MOST_BYTES:
        return {}, f"{path} is too large for an index of models and is ignored"
    text = data.decode("utf-8", "replace")
    first, *lines = text.split("\n")
    if first.startswith(_FIRST_LINE) and first.removeprefix(_FIRST_LINE).strip() in ("", "{}"):
        read = [_row_of(line) for line in lines if line.strip()]
        if all(row is not None for row in read):
            return dict(row for row in read if row is not None), None
    else:
        read = []
    whole = _of_yaml(text) if len(data) <= _MOST_BYTES_OF_YAML else None
    if whole is not None:
        return whole, None
    kept = dict(row for row in read if row is not None)
    if not kept:
        return {}, f"{path} is not an index of models and is ignored"
    lost = len(read) - len(kept)
    return kept, f"{path} is damaged: {lost} of its lines cannot be read, {len(kept)} rows are kept"


def _row_of(line: str) -> tuple[str, Facts] | None:
    try:
        document = json.loads(f"{{{line}}}")
    except (ValueError, RecursionError):
        return None
    found = _rows(document)
    return next(iter(found.items())) if found is not None and len(found) == 1 else None


def _of_yaml(text: str) -> dict[str, Facts] | None:
    """The rows of an index in any form of YAML; None where it is none."""
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    files = document.get("files") if isinstance(document, dict) else None
    return _rows(files) if isinstance(files, dict) else None


def _rows(files: Mapping[Any, Any]) -> dict[str, Facts] | None:
    """None where one is not a row: then somebody has to be told."""
    if not all(is_relative(name) and _is_row(row) for name, row in files.items()):
        return None
    return {name: Facts(**row) for name, row in files.items()}


def _is_row(row: Any) -> bool:
    return (
        isinstance(row, dict)
        and _NEEDED.keys() <= row.keys() <= _NEEDED.keys() | set(_OPTIONAL)
        and all(type(row[key]) is kind for key, kind in _NEEDED.items())
        and all(isinstance(row.get(key), str | None) for key in _OPTIONAL)
        and all(_SHA256.fullmatch(row[key]) for key in ("sha256", "found") if row.get(key))
        and all(value.isprintable() for value in row.values() if isinstance(value, str))
    )
