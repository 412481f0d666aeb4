"""Writes what is to outlive the server, in a thread: a disk that hangs must not stop us."""

from __future__ import annotations

import contextlib
import queue
import threading
from pathlib import Path

import structlog

from kronk.shared.files import write_atomically

log = structlog.get_logger()


class Keeper:
    """Of several contents that wait for the disk only the latest is written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # Bounded by one: what is there already is older.
        self._latest: queue.Queue[bytes | None] = queue.Queue(1)
        self._putting = threading.Lock()
        threading.Thread(target=self._run, name="keeper", daemon=True).start()

    def keep(self, data: bytes) -> None:
        """Have the file say this, soon."""
        self._put(data)

    def close(self) -> None:
        """The thread ends after what it is at; the file is whole either way."""
        self._put(None)

    def _put(self, data: bytes | None) -> None:
        with self._putting:
            with contextlib.suppress(queue.Empty):
                self._latest.get_nowait()
            self._latest.put_nowait(data)

    def _run(self) -> None:
        while (data := self._latest.get()) is not None:
            try:
                write_atomically(self._path, data)
            except OSError as error:
                log.warning("cannot write", path=str(self._path), reason=str(error))


def read(path: Path) -> bytes:
    """What was kept; nothing where nothing can be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        log.warning("cannot read", path=str(path), reason=str(error))
        return b""
