"""Files in the hub's Xet store, through `hf_xet`: read in parallel, handed over in order."""

from __future__ import annotations

import importlib
import queue
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .patience import Again, words
from .remote import Answer

# Seconds without a byte. Longer than over HTTP: it makes its own attempts in that time.
STALLED_AFTER = 120.0
_CHUNKS_AHEAD = 16
_POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class XetRemote:
    """One file. `headers` are for `refresh`, the hub's address for the store's tokens."""

    hash: str
    size: int
    refresh: str
    headers: Mapping[str, str]

    @contextmanager
    def opened(
        self, start: int, version: str | None = None, end: int | None = None
    ) -> Iterator[Answer]:
        pump = _Pump(self, start, end)
        try:
            yield Answer(start, self.size, end or self.size, None, pump.chunks())
        finally:
            pump.stop()


def usable() -> bool:
    """Whether an `hf_xet` is installed that reads from a byte on."""
    try:
        library = _library()
    except ImportError:
        return False
    return hasattr(getattr(library, "XetSession", None), "new_download_stream_group")


class _Pump:
    """Reads in a thread of its own: what the library does cannot be interrupted, waiting can."""

    def __init__(self, remote: XetRemote, start: int, end: int | None) -> None:
        self._chunks: queue.Queue[bytes | Exception | None] = queue.Queue(_CHUNKS_AHEAD)
        self._stopped = threading.Event()
        work = (remote, start, end)
        self._thread = threading.Thread(target=self._run, args=work, name="xet", daemon=True)
        self._thread.start()

    def chunks(self) -> Iterator[bytes]:
        while True:
            try:
                item = self._chunks.get(timeout=STALLED_AFTER)
            except queue.Empty:
                raise Again(f"the store sent nothing for {STALLED_AFTER:.0f} s") from None
            if isinstance(item, Exception):
                raise Again(f"the store failed: {words(item)}") from item
            if item is None:
                return
            yield item

    def stop(self) -> None:
        """Does not wait for a thread that hangs in the library."""
        self._stopped.set()
        self._thread.join(_POLL_SECONDS)

    def _run(self, remote: XetRemote, start: int, end: int | None) -> None:
        try:
            for chunk in _stream(remote, start, end):
                if not self._put(bytes(chunk)):
                    return
        # The library's errors are of many kinds, and all mean the same here.
        except Exception as error:
            self._put(error)
        else:
            self._put(None)

    def _put(self, item: bytes | Exception | None) -> bool:
        while not self._stopped.is_set():
            try:
                self._chunks.put(item, timeout=_POLL_SECONDS)
            except queue.Full:
                continue
            return True
        return False


def _library() -> Any:
    # Optional, and without type declarations.
    return importlib.import_module("hf_xet")


def _stream(remote: XetRemote, start: int, end: int | None) -> Any:
    library = _library()
    group = library.XetSession().new_download_stream_group(
        token_refresh_url=remote.refresh, token_refresh_headers=dict(remote.headers)
    )
    return group.download_stream(
        library.XetFileInfo(remote.hash, remote.size), start=start or None, end=end
    )
