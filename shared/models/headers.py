"""What the headers of model files say, for everybody but workers: asked of a confined process,
once for each state of a file.

Answers are kept in memory and in a folder, so that neither a list of models nor a restart reads
anything anew. The folder is only a cache: a damaged entry is a file that is read again.
"""

from __future__ import annotations

import functools
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from kronk.shared.errors import InvalidArgument
from kronk.shared.gguf import Header
from kronk.shared.paths import BasePath

from .header_cache import HeaderCache, Key, key_of
from .header_reader import HeaderReader, ReaderDied
from .index import ModelEntry

# A header with the tables of a large model takes a megabyte.
_MOST_REMEMBERED = 64
# Files that one process reads.
_AT_A_TIME = 50
# Files of which it is remembered whether their headers are good.
_MOST_JUDGED = 20_000
# Seconds in which a file that a process died over is not tried again: it may have been the machine.
DEATH_HOLDS = 300.0

Answer = Header | InvalidArgument


class Headers:
    """For use by several threads; one of them at a time has a process."""

    def __init__(self, folder: Path | None) -> None:
        self._cache = HeaderCache(folder)
        self._remembered: OrderedDict[Key, Answer] = OrderedDict()
        self._verdicts: dict[Key, str | None] = {}
        # What processes died over, and until when that holds.
        self._deadly: dict[Key, tuple[float, InvalidArgument]] = {}
        # Guards these; never held while something is read.
        self._lock = threading.Lock()
        # Held by the thread that has a process.
        self._reading = threading.Lock()

    def read(self, path: Path) -> Header:
        """One file's header, checked against the file's size; `InvalidArgument` says what is wrong
        with the file."""
        ((_, answer),) = self.read_all([path])
        if isinstance(answer, InvalidArgument):
            raise answer
        return answer

    def read_all(self, paths: Iterable[Path]) -> Iterator[tuple[Path, Answer]]:
        """Each file's header, or what is wrong with it. So many are in memory at a time only as
        one process reads."""
        left = list(paths)
        while left:
            chunk, left = left[:_AT_A_TIME], left[_AT_A_TIME:]
            yield from self._chunk(chunk)

    def fault(self, path: Path) -> str | None:
        """What is wrong with a file as far as that is known already; nothing is read."""
        key = key_of(path)
        return self._verdict(key)[1] if key is not None else None

    def judged(self, entries: Iterable[ModelEntry]) -> list[ModelEntry]:
        """The entries, with those whose headers are known to be wrong marked so."""
        return [self._judged(entry) for entry in entries]

    def is_known(self, path: Path) -> bool:
        """Whether somebody has read this state of the file; so is one that is not there."""
        key = key_of(path)
        return key is None or self._verdict(key)[0]

    def adopt(self, other: Headers) -> None:
        """Know what another has found out, also where no folder keeps it."""
        with other._lock:
            deadly, verdicts = dict(other._deadly), dict(other._verdicts)
        with self._lock:
            self._deadly |= deadly
            if len(self._verdicts) + len(verdicts) > _MOST_JUDGED:
                self._verdicts.clear()
            self._verdicts |= verdicts

    def _judged(self, entry: ModelEntry) -> ModelEntry:
        if not entry.validated:
            return entry
        faults = (fault for path in _paths(entry) if (fault := self.fault(path)) is not None)
        fault = next(faults, None)
        return entry if fault is None else replace(entry, validated=False, reason=fault)

    def _verdict(self, key: Key) -> tuple[bool, str | None]:
        """Whether the file was ever read, and what is wrong with it."""
        with self._lock:
            until, deadly = self._deadly.get(key, (0.0, None))
            if deadly is not None and time.monotonic() < until:
                return True, deadly.message
            if key in self._verdicts:
                return True, self._verdicts[key]
        is_known, fault = self._cache.verdict(key)
        if is_known:
            self._judge(key, fault)
        return is_known, fault

    def _judge(self, key: Key, fault: str | None) -> None:
        with self._lock:
            if len(self._verdicts) >= _MOST_JUDGED:
                self._verdicts.clear()
            self._verdicts[key] = fault

    def _chunk(self, paths: Sequence[Path]) -> list[tuple[Path, Answer]]:
        with self._reading, HeaderReader() as reader:
            return [(path, self._answer(path, reader)) for path in paths]

    def _answer(self, path: Path, reader: HeaderReader) -> Answer:
        key = key_of(path)
        if key is not None and (known := self._known(key)) is not None:
            return known
        answer: Answer
        try:
            answer = reader.read(path)
        except InvalidArgument as error:
            answer = error
        except ReaderDied as error:
            answer = InvalidArgument(
                f"{path.name}: its header cannot be read: the process that did: {error}"
            )
            if key is not None:
                with self._lock:
                    self._deadly[key] = time.monotonic() + DEATH_HOLDS, answer
            return answer
        if key is not None:
            self._remember(key, answer)
            self._cache.keep(key, answer)
        return answer

    def _known(self, key: Key) -> Answer | None:
        with self._lock:
            until, fault = self._deadly.get(key, (0.0, None))
            if fault is not None and time.monotonic() < until:
                return fault
            if key in self._remembered:
                self._remembered.move_to_end(key)
                return self._remembered[key]
        found = self._cache.find(key)
        if found is not None:
            self._remember(key, found)
        return found

    def _remember(self, key: Key, answer: Answer) -> None:
        self._judge(key, answer.message if isinstance(answer, InvalidArgument) else None)
        with self._lock:
            self._deadly.pop(key, None)
            self._remembered[key] = answer
            if len(self._remembered) > _MOST_REMEMBERED:
                self._remembered.popitem(last=False)


def _paths(entry: ModelEntry) -> tuple[Path, ...]:
    return tuple(file.path for file in entry.files) or (entry.path,)


@functools.lru_cache(8)
def headers_of(base: BasePath) -> Headers:
    """The headers of a base path's models; one object for the whole process, as its answers are."""
    return Headers(base.headers)
