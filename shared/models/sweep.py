"""The server's own look through its models folder: when it starts, and when there is something new.

In a thread of low priority that ends when it is through. Nobody waits for it: until a file was
looked at, lists say of it what its first bytes say.
"""

from __future__ import annotations

import functools
import logging
import os
import threading
from collections.abc import Mapping

from kronk.shared.errors import KronkError
from kronk.shared.paths import BasePath

from . import indexing, walk
from .headers import Headers, headers_of
from .indexing import Refreshed

log = logging.getLogger(__name__)

# Of a thread, on Linux; whom it starts inherits it.
_NICENESS = 10
# Findings of one kind that are told one by one.
_MOST_TOLD = 20


class Sweep:
    """`wake` as often as you like: one sweep at a time, and one more where it came meanwhile.
    Before `start` it does nothing: that there is a server is not the list's business."""

    def __init__(self, base: BasePath) -> None:
        self._base = base
        self._lock = threading.Lock()
        self._is_started = False
        self._thread: threading.Thread | None = None
        self._again = False
        # Readers of its own: who waits for one file's header does not wait for all.
        self._headers = Headers(base.headers)

    def start(self) -> None:
        """From now on, beginning with a sweep."""
        self._is_started = True
        self.wake()

    def wake(self) -> None:
        """There may be files that nobody has looked at. Returns at once."""
        with self._lock:
            if not self._is_started:
                return
            if self._thread is not None:
                self._again = True
                return
            self._thread = threading.Thread(target=self._run, name="models", daemon=True)
            self._thread.start()

    def join(self, seconds: float) -> bool:
        """Wait for the sweep that runs, if one does; whether it has ended."""
        thread = self._thread
        if thread is not None:
            thread.join(seconds)
        return thread is None or not thread.is_alive()

    def _run(self) -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        while True:
            try:
                self._sweep()
            except Exception:
                # A bug met with one folder must not become a thread that dies in silence.
                log.exception("cannot look through %s", self._base.models)
            with self._lock:
                if not self._again:
                    self._thread = None
                    return
                self._again = False

    def _sweep(self) -> None:
        try:
            _tell(indexing.refresh(self._base))
        except OSError as error:
            log.warning("the index of %s cannot be written: %s", self._base.models, error.strerror)
        files = walk.find_all(self._base.models)
        try:
            indexing.read_headers(self._headers, files, lambda phase, done, total: None)
        except (OSError, KronkError) as error:
            log.warning("cannot read the headers of %s: %s", self._base.models, error)
        headers = headers_of(self._base)
        headers.adopt(self._headers)
        faults = {
            file.name: fault
            for file in files
            if (fault := file.reason or headers.fault(file.path)) is not None
        }
        _each("a model file cannot be loaded", faults)


def _tell(done: Refreshed) -> None:
    _each("a model file has another name now", done.moved)
    _each("a model file is gone", dict.fromkeys(done.forgotten, "the index had it"))
    _each("a model file has changed", dict.fromkeys(done.changed, "since it was verified"))


def _each(what: str, findings: Mapping[str, str]) -> None:
    for name, words in list(findings.items())[:_MOST_TOLD]:
        log.warning("%s: %s: %s", what, name, words)
    if len(findings) > _MOST_TOLD:
        log.warning("%s: and %d more", what, len(findings) - _MOST_TOLD)


@functools.lru_cache(8)
def sweep_of(base: BasePath) -> Sweep:
    """The sweep of a base path; one object for the whole process."""
    return Sweep(base)
