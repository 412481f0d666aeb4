"""What must hold before the first process is started: one server per base path, nothing left
over from the last one, and an address to listen on."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import select
import signal
import socket
import time
from collections.abc import Sequence
from pathlib import Path

from kronk.shared import exits
from kronk.shared.paths import BasePath
from kronk.shared.settings import Settings
from kronk.shared.settings_table import SETTINGS
from kronk.shared.units import Address, UnixAddress

# Connections that wait while a gateway is replaced.
_BACKLOG = 1024
# In the name of what was in the way.
_ASIDE = ".broken-"
# After SIGKILL the kernel still has to take the memory of large models apart.
_SWEEP_SECONDS = 10.0


_DEBUG_DEFAULT = next(one.default for one in SETTINGS if one.name == "debug_host")


class CannotStart(Exception):
    """A condition the operator has to change; `code` is what the process exits with."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


def cannot_write(path: Path, error: OSError) -> CannotStart:
    """For a full disk, or a file that another user's server left."""
    return CannotStart(f"cannot write {path}: {(error.strerror or '').lower()}", exits.USAGE)


class Lock:
    """The locked pid file. The lock, not the file, says that a server lives."""

    def __init__(self, path: Path) -> None:
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise cannot_write(path, error) from error
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(self._handle, 32).decode(errors="replace").strip()
            os.close(self._handle)
            raise CannotStart(
                f"a server already runs on {path.parent.parent}"
                + (f" (pid {pid})" if pid else "")
                + "; `kronk server stop` ends it",
                exits.ALREADY_RUNNING,
            ) from None
        try:
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, b"%d\n" % os.getpid(), 0)
        except OSError as error:
            os.close(self._handle)
            raise cannot_write(path, error) from error

    def release(self) -> None:
        """The file stays: removing it would race with the next server that locks it."""
        os.ftruncate(self._handle, 0)
        os.close(self._handle)


def clear_away(folder: Path) -> list[Path]:
    """Move folders aside that are there in the place of the files of `run/`; to where."""
    found = [path for path in folder.iterdir() if path.is_dir() and not path.is_symlink()]
    moved = []
    for path in found:
        if _ASIDE not in path.name:
            moved.append(path.rename(path.with_name(f"{path.name}{_ASIDE}{time.time_ns()}")))
    return moved


def debug_listener(config: Settings) -> tuple[socket.socket | None, str | None]:
    """The debug server's socket, or None and why there is none, where that is worth a word.

    The default address may belong to another Kronk of this machine. One that the operator chose has
    to be free: `CannotStart`.
    """
    address = config.debug_host
    if address is None:
        return None, None
    try:
        return listen(address, "--debug-host"), None
    except CannotStart as error:
        if str(address) != _DEBUG_DEFAULT:
            raise
        return None, error.message


def listen(address: Address, flag: str = "--api-host") -> socket.socket:
    """A listening socket for what `flag` says; `CannotStart` says in words why there is none."""
    # `localhost` may be ::1 first, and then http://127.0.0.1 finds nobody.
    host = "127.0.0.1" if address.host == "localhost" else address.host
    try:
        found = socket.getaddrinfo(
            host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except socket.gaierror as error:
        raise CannotStart(f"{flag} {address}: {error.strerror}", exits.USAGE) from error
    family, kind, protocol, _, target = found[0]
    server = socket.socket(family, kind, protocol)
    try:
        # Old connections in TIME_WAIT must not hold up a restart. Two listeners still collide.
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(target)
        server.listen(_BACKLOG)
    except OSError as error:
        server.close()
        if error.errno == errno.EADDRINUSE:
            raise CannotStart(
                f"{address} is in use by another program; {flag} chooses another address",
                exits.ADDRESS_IN_USE,
            ) from error
        reason = error.strerror or str(error)
        raise CannotStart(
            f"cannot listen on {address}: {reason.lower()}; {flag} chooses another address",
            exits.USAGE,
        ) from error
    return server


def bound_address(server: socket.socket) -> Address | UnixAddress:
    """Where it really listens: the port may have been chosen by the system."""
    name = server.getsockname()
    if server.family == socket.AF_UNIX:
        return UnixAddress(os.fsdecode(name))
    return Address(name[0], name[1])


def api_address(servers: Sequence[socket.socket]) -> Address | UnixAddress:
    """The address to tell people, where there are several: they have more use for a port."""
    addresses = [bound_address(server) for server in servers]
    return next((found for found in addresses if isinstance(found, Address)), addresses[0])


class Census:
    """The processes we started, on disk: for the successor of a supervisor that was killed."""

    def __init__(self, base: BasePath) -> None:
        self._path = base.run / "children.json"

    def sweep(self) -> list[int]:
        """Kill what a previous supervisor left behind; returns the pids, all gone now."""
        left = [pid for pid, started in self._read() if start_time(pid) == started]
        deadline = time.monotonic() + _SWEEP_SECONDS
        for pid in left:
            _end(pid, deadline)
        self.forget()
        return left

    def record(self, pids: list[int]) -> None:
        """Remember these and no others. Not synced: a power cut ends the processes as well."""
        rows = [(pid, started) for pid in pids if (started := start_time(pid))]
        temporary = self._path.with_suffix(".tmp")
        temporary.write_text(json.dumps(rows))
        temporary.replace(self._path)

    def forget(self) -> None:
        self._path.unlink(missing_ok=True)

    def _read(self) -> list[tuple[int, str]]:
        try:
            rows = json.loads(self._path.read_text())
            return [(int(pid), str(started)) for pid, started in rows]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError, RecursionError):
            # Half-written by something that is not us; there is nothing safe to kill.
            return []


def start_time(pid: int) -> str | None:
    """What tells a process from a later one with its pid; None when there is no such process."""
    try:
        facts = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the name, in parentheses, and may hold anything.
    state, *fields = facts.rpartition(")")[2].split()
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return None if state == "Z" else f"{boot}:{fields[18]}"


def _end(pid: int, deadline: float) -> None:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if os.getpgid(pid) == pid:
            os.killpg(pid, signal.SIGKILL)
        else:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
        select.select([handle], [], [], max(deadline - time.monotonic(), 0.0))
    except ProcessLookupError:
        return
    finally:
        os.close(handle)
