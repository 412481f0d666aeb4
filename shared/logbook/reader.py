"""One reader's place in a log that is rotated under it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from .query import Query

# Asked for at once.
MOST_LINES = 10_000
_BLOCK = 64 * 1024
# Read by one call of `more`, which is to be short.
_AT_ONCE = 4 * 2**20


class Reader:
    """The last lines of `path` and of the files it was rotated to, then the lines to come.

    Close it. Not for several threads at a time.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    def close(self) -> None:
        """Idempotent."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def last(self, count: int, query: Query) -> list[str]:
        """The newest `count` lines that the query takes, oldest first; `more` goes on behind the
        last line that there was."""
        self.close()
        self._file = _opened(self._path)
        found: list[str] = []
        end = 0 if self._file is None else _end_of_lines(self._file)
        found = self._search(end, count, query) if count else []
        if self._file is not None:
            self._file.seek(end)
        found.reverse()
        return found

    def more(self, query: Query) -> list[str]:
        """The lines since the last call that the query takes; none where there is none yet."""
        if self._file is None:
            self._file = _opened(self._path)
        return [line for line in self._unread() if query.takes(line)]

    def _search(self, end: int, count: int, query: Query) -> list[str]:
        """From the newest line back."""
        found: list[str] = []
        for line in _lines_back(self._path, self._file, end):
            if query.takes(line):
                found.append(line)
                if len(found) == count:
                    break
            elif query.is_long_before(line):
                break
        return found

    def _unread(self) -> list[str]:
        lines: list[str] = []
        while self._file is not None:
            some, was_all = _whole_lines(self._file)
            lines += some
            if not was_all or not self._is_over(self._file):
                break
            # Written between the last look and the rotation.
            some, was_all = _whole_lines(self._file)
            lines += some
            following = self._successor(self._file) if was_all else None
            if following is None:
                break
            self._file.close()
            self._file = following
        return lines

    def _is_over(self, file: BinaryIO) -> bool:
        """Nothing more comes to this file."""
        try:
            there = self._path.stat()
        except FileNotFoundError:
            # Between a rotation's two steps, or somebody has removed it.
            return False
        if _identity(os.fstat(file.fileno())) != _identity(there):
            return True
        if there.st_size < file.tell():
            # Cut, and begun anew.
            file.seek(0)
        return False

    def _successor(self, file: BinaryIO) -> BinaryIO | None:
        """The file that was begun when this one was full; it may be full too by now."""
        ours, newer = os.fstat(file.fileno()), self._path
        for path in _rotated(self._path):
            try:
                theirs = path.stat()
            except FileNotFoundError:
                continue
            # Ours itself, or from before it, where ours was removed.
            if _identity(theirs) == _identity(ours) or theirs.st_mtime_ns < ours.st_mtime_ns:
                break
            newer = path
        return _opened(newer)


def _opened(path: Path) -> BinaryIO | None:
    try:
        return path.open("rb")
    except FileNotFoundError:
        return None


def _identity(facts: os.stat_result) -> tuple[int, int]:
    return facts.st_dev, facts.st_ino


def _rotated(path: Path) -> list[Path]:
    """`kronk.log.1`, `kronk.log.2` and so on: the newest first."""
    older = [
        one
        for one in path.parent.glob(f"{path.name}.*")
        if one.suffix.removeprefix(".").isdecimal()
    ]
    return sorted(older, key=lambda one: int(one.suffix[1:]))


def _lines_back(path: Path, current: BinaryIO | None, end: int) -> Iterator[str]:
    """All lines there are, the newest first."""
    seen = set()
    if current is not None:
        seen.add(_identity(os.fstat(current.fileno())))
        yield from _backwards(current, end)
    for older in _rotated(path):
        file_or_none = _opened(older)
        if file_or_none is None:
            continue
        with file_or_none as file:
            # Rotated since the newest was opened, it would be read twice.
            if (found := _identity(os.fstat(file.fileno()))) not in seen:
                seen.add(found)
                yield from _backwards(file, file.seek(0, os.SEEK_END))


def _backwards(file: BinaryIO, end: int) -> Iterator[str]:
    """The lines before byte `end`, the last one first."""
    rest = b""
    for start in itertools.count(end - _BLOCK, -_BLOCK):
        begin, stop = max(start, 0), start + _BLOCK
        if stop <= 0:
            break
        file.seek(begin)
        first, *lines = (file.read(stop - begin) + rest).split(b"\n")
        for line in reversed(lines):
            if line:
                yield line.decode(errors="replace")
        rest = first
    if rest:
        yield rest.decode(errors="replace")


def _end_of_lines(file: BinaryIO) -> int:
    """Behind the last line that is whole."""
    end = file.seek(0, os.SEEK_END)
    at = end
    while at > 0:
        begin = max(at - _BLOCK, 0)
        file.seek(begin)
        found = file.read(at - begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        at = begin
    return 0


def _whole_lines(file: BinaryIO) -> tuple[list[str], bool]:
    """The lines from here on, and whether those were all; one that is half written is read again
    when the rest is there."""
    begin = file.tell()
    data = file.read(_AT_ONCE)
    end = data.rfind(b"\n") + 1
    if not end and len(data) == _AT_ONCE:
        # A line of ours never is so long.
        end = len(data)
    file.seek(begin + end)
    lines = [line.decode(errors="replace") for line in data[:end].split(b"\n") if line]
    return lines, len(data) < _AT_ONCE
