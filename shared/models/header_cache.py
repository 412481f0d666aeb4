"""Answers about headers in a folder, a file each: a line about the model file, then the header."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import tempfile
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from kronk import __version__
from kronk.shared import gguf
from kronk.shared.errors import InvalidArgument
from kronk.shared.gguf import Header

log = logging.getLogger(__name__)

# As many files as a models folder may have; beyond that the oldest half goes.
_MOST_KEPT = 10_000
_SUFFIX = ".header"


@dataclass(frozen=True, slots=True)
class Key:
    """A file in one of its states."""

    path: str
    size_bytes: int
    modified_ns: int


def key_of(path: Path) -> Key | None:
    """None for a file that is not there."""
    try:
        facts = path.stat()
    except OSError:
        return None
    return Key(os.path.abspath(path), facts.st_size, facts.st_mtime_ns)


class HeaderCache:
    """Without a folder, or with one that cannot be written, it keeps nothing."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._until_pruned = 0
        self._is_told = False

    def find(self, key: Key) -> Header | InvalidArgument | None:
        """The answer that was kept about this state of this file."""
        try:
            head, _, body = self._load(key).partition("\n")
            fault = _fault(head, key)
            return fault if fault is not None else gguf.from_json(json.loads(body))
        except (OSError, ValueError, RecursionError):
            return None

    def verdict(self, key: Key) -> tuple[bool, str | None]:
        """Whether an answer was kept about this state of this file, and what it says is wrong."""
        try:
            with self._place(key).open(encoding="utf-8") as file:
                fault = _fault(file.readline(), key)
        except (OSError, ValueError, RecursionError):
            return False, None
        return True, fault.message if fault is not None else None

    def forget(self, path: Path) -> None:
        """The file is gone, and is not expected back."""
        with contextlib.suppress(OSError):
            self._place(Key(os.path.abspath(path), 0, 0)).unlink(missing_ok=True)

    def keep(self, key: Key, answer: Header | InvalidArgument) -> None:
        """Write it down for later; a disk that is full or read-only is no error."""
        fault = answer.message if isinstance(answer, InvalidArgument) else None
        body = None if isinstance(answer, InvalidArgument) else gguf.to_json(answer)
        text = f"{json.dumps([__version__, *astuple(key), fault])}\n{json.dumps(body)}\n"
        try:
            self._store(self._place(key), text.encode())
        except OSError as error:
            if self._folder is not None and not self._is_told:
                self._is_told = True
                log.warning(
                    "%s keeps no headers, they are read anew at each start: %s",
                    self._folder,
                    error.strerror,
                )

    def _load(self, key: Key) -> str:
        return self._place(key).read_text("utf-8")

    def _place(self, key: Key) -> Path:
        if self._folder is None:
            raise FileNotFoundError
        digest = hashlib.sha256(os.fsencode(key.path)).hexdigest()[:32]
        return self._folder / f"{digest}{_SUFFIX}"

    def _store(self, place: Path, data: bytes) -> None:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=place.parent, prefix=".", suffix=".tmp")
        try:
            # Not synced: what a power cut damages is read again.
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(name).replace(place)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        self._prune(place.parent)

    def _prune(self, folder: Path) -> None:
        # Looking through the folder after each of 10,000 files would take longer than reading them.
        if self._until_pruned:
            self._until_pruned -= 1
            return
        self._until_pruned = _MOST_KEPT // 50
        kept = [path for path in folder.iterdir() if path.suffix == _SUFFIX]
        if len(kept) > _MOST_KEPT:
            kept.sort(key=lambda path: path.stat().st_mtime_ns)
            for path in kept[: _MOST_KEPT // 2]:
                path.unlink(missing_ok=True)


def _fault(head: str, key: Key) -> InvalidArgument | None:
    """`ValueError` for a line about something else."""
    line: Any = json.loads(head)
    match line:
        case [version, *state, fault] if (version, state) == (__version__, list(astuple(key))):
            return InvalidArgument(fault) if isinstance(fault, str) else None
    raise ValueError("not about this state of this file")
