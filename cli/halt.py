"""Stopping the server of a base path, whoever started it."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

from kronk.shared.errors import KronkError, ServerError
from kronk.shared.paths import BasePath

from .client import Admin, running_server, server_facts
from .lock import Lock as Lock
from .lock import read_lock as read_lock
from .progress import Say, waiting

# After SIGKILL the kernel still has to take the memory of large models apart.
_KILL_WITHIN = 30.0
_LOOK_EVERY = 1.0
_STATUS = "/v1/kronk/ps"


def stop(base: BasePath, timeout: float) -> str:
    """Ask the server to end and wait for it; returns what happened, in words."""
    lock = read_lock(base)
    if not lock.held:
        stale = f" (the pid file of process {lock.pid} is a leftover)" if lock.pid else ""
        return f"Kronk is not running on {base.root}{stale}"
    if lock.pid is None:
        raise ServerError("the server is just starting and has no pid yet; try again")
    with _pidfd(lock.pid) as process:
        # The lock is still held, so the pid was not given to another process in between.
        if process is None or read_lock(base) != lock:
            return "Kronk ended by itself"
        signal.pidfd_send_signal(process, signal.SIGTERM)
        started = time.monotonic()
        if _ended(process, timeout, running_server(server_facts(base), base)):
            return f"Kronk stopped after {time.monotonic() - started:.1f} s"
        signal.pidfd_send_signal(process, signal.SIGKILL)
        if not _wait(process, _KILL_WITHIN):
            raise ServerError(f"process {lock.pid} does not end even after SIGKILL")
    return "Kronk did not end by itself and was killed"


def _ended(process: int, timeout: float, server: Admin | None) -> bool:
    """Whether it ended in time; a second Ctrl-C ends the waiting as well."""
    deadline = time.monotonic() + timeout
    with waiting("Stopping Kronk; running answers may end first") as say:
        try:
            return _watch(process, deadline, server, say)
        except KeyboardInterrupt:
            print("\nStill waiting for running answers; Ctrl-C again kills them.", flush=True)
        try:
            return _watch(process, deadline, server, say)
        except KeyboardInterrupt:
            return False


def _watch(process: int, deadline: float, server: Admin | None, say: Say) -> bool:
    """Wait, and say each second how many answers still run."""
    while (left := deadline - time.monotonic()) > 0:
        if _wait(process, min(left, _LOOK_EVERY)):
            return True
        if server is not None and (running := _running(server)) is not None:
            say(_still(running))
    return _wait(process, 0.0)


def _running(server: Admin) -> int | None:
    """How many requests the models still have; None when nobody answers any more."""
    try:
        status = server.get(_STATUS, timeout=_LOOK_EVERY)
        return sum(int(row["active_streams"]) for row in status["data"])
    except KronkError:
        return None


def _still(running: int) -> str:
    if not running:
        return "Stopping Kronk; all answers have ended"
    answers = "1 running answer" if running == 1 else f"{running} running answers"
    return f"Stopping Kronk; waiting for {answers}"


def _wait(process: int, timeout: float) -> bool:
    return bool(select.select([process], [], [], timeout)[0])


@contextmanager
def _pidfd(pid: int) -> Iterator[int | None]:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        yield None
        return
    try:
        yield handle
    finally:
        os.close(handle)
