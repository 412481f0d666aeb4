"""What the headers of files elsewhere say. Of each only the first bytes are fetched, as many as its
header has, and a confined process reads them like those of files here (`header_reader.py`)."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import httpx

from kronk.shared.errors import InvalidArgument
from kronk.shared.gguf import Header

from . import fetch_hf, fetch_https
from .fetching import FetchFailed
from .header_cache import HeaderCache, Key
from .header_reader import GoesOn, HeaderReader, ReaderDied
from .patience import Again, Patience
from .plan import Item
from .remote import Answer, Beyond, Remote
from .sources import HfSource, HttpSource

# Bytes that are asked for first; each time they were too few, so many times as much.
FIRST_BYTES = 2**20
_GROWTH = 4
# A vocabulary of 300,000 with its merges has 16 MiB.
MOST_BYTES = 64 * 2**20
# In place of the size of a file of which nobody says it.
_SOME_SIZE = 2**50


class RemoteHeaders:
    """For one thread. `items` are the files by the paths they would have."""

    def __init__(
        self,
        items: Mapping[Path, Item],
        token: str | None,
        cache: HeaderCache,
        patience: Patience | None = None,
    ) -> None:
        self._items = items
        self._token = token
        self._cache = cache
        self._patience = patience or Patience()
        self._reader = HeaderReader()
        # Bytes that were fetched so far.
        self.fetched_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._reader.__exit__(kind, error, trace)

    def __contains__(self, path: Path) -> bool:
        return path in self._items

    def read(self, path: Path) -> Header:
        """The header of the file that would have this path. `InvalidArgument` says what is wrong
        with it, `NotFound` and `FetchFailed` what is wrong on the way."""
        item = self._items[path]
        key = _key(item)
        known = self._cache.find(key) if key is not None else None
        if isinstance(known, InvalidArgument):
            raise known
        if known is not None:
            return known
        header = self._fetched(item)
        if key is not None:
            self._cache.keep(key, header)
        return header

    def _fetched(self, item: Item) -> Header:
        remote, size = self._remote(item)
        name = item.source.file_name
        with tempfile.TemporaryFile() as file:
            start = _Start(remote, file, size, self._patience, str(item.source))
            wanted = FIRST_BYTES
            while True:
                self.fetched_bytes += start.extend(wanted)
                found = self._read(name, file, start.size)
                if isinstance(found, Header):
                    return found
                if start.is_whole or wanted >= MOST_BYTES:
                    raise InvalidArgument(
                        f"{name}: its header does not end within {start.have} bytes"
                    )
                wanted = min(max(wanted * _GROWTH, found.needs), MOST_BYTES)

    def _read(self, name: str, file: BinaryIO, size: int | None) -> Header | GoesOn:
        try:
            found = self._reader.read_start(name, file.fileno(), size or _SOME_SIZE)
        except ReaderDied as error:
            raise InvalidArgument(
                f"{name}: its header cannot be read: the process that did: {error}"
            ) from error
        if size is None and isinstance(found, Header):
            ends = (tensor.offset + tensor.size_bytes for tensor in found.tensors)
            return replace(found, file_size=found.data_offset + max(ends, default=0))
        return found

    def _remote(self, item: Item) -> tuple[Remote, int | None]:
        match item.source:
            case HfSource() as source:
                file = fetch_hf.look_up(source, self._token, self._patience)
                return file.http, file.size_bytes or item.size_bytes
            case HttpSource() as source:
                return fetch_https.remote_of(source), item.size_bytes
            case source:
                raise InvalidArgument(
                    f"{source}: lies in a package, of which no part can be read before it is"
                    " fetched; `kronk model pull` does",
                    param="source",
                )


class _Start:
    """The first bytes of a file elsewhere, in a file here."""

    def __init__(
        self, remote: Remote, file: BinaryIO, size: int | None, patience: Patience, name: str
    ) -> None:
        self._remote = remote
        self._file = file
        self._version: str | None = None
        self._tries = patience.tries(name)
        self._name = name
        self.size = size
        self.have = 0

    @property
    def is_whole(self) -> bool:
        """Whether there is nothing more to be had."""
        return self.size is not None and self.have >= self.size

    def extend(self, wanted: int) -> int:
        """Have so many bytes, or all there are; the number that came."""
        came = 0
        wanted = wanted if self.size is None else min(wanted, self.size)
        while self.have < wanted:
            try:
                came += self._attempt(wanted)
            except Beyond as error:
                if self.have and error.total in (None, self.have):
                    self.size = self.have
                    break
                raise FetchFailed(f"{self._name}: the server has no such part of it") from error
            except (Again, httpx.TransportError) as error:
                self._tries.failed(error, self.have)
        self._file.flush()
        return came

    def _attempt(self, wanted: int) -> int:
        with self._remote.opened(self.have, self._version, wanted) as answer:
            self._take_up(answer)
            before = self.have
            for chunk in answer.chunks:
                self._file.write(chunk[: wanted - self.have])
                self.have = self._file.tell()
                if self.have >= wanted:
                    # Leaving closes the connection: what else would come is not waited for.
                    return self.have - before
            if answer.end is None and answer.total is None:
                self.size = self.have
                return self.have - before
        raise Again(f"the connection ended after {self.have} bytes")

    def _take_up(self, answer: Answer) -> None:
        """A server that knows no ranges, or has another version by now, begins anew."""
        if self.size is None:
            self.size = answer.total
        elif answer.total not in (None, self.size):
            raise FetchFailed(f"{self._name}: has {answer.total} bytes, expected {self.size}")
        self._version = answer.version
        self.have = answer.start
        self._file.seek(self.have)
        self._file.truncate()


def _key(item: Item) -> Key | None:
    """Of a file whose bytes are known by their digest: it cannot change."""
    if item.sha256 is None or item.size_bytes is None:
        return None
    return Key(os.path.join("/remote", item.sha256), item.size_bytes, 0)
