"""Sockets that a service manager bound for us and passed on (sd_listen_fds(3))."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

from kronk.shared import exits

from .boot import CannotStart

# By the protocol, the first of them; standard error is the one before.
FIRST = 3
_FAMILIES = (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX)


def passed(environment: Mapping[str, str], pid: int, first: int = FIRST) -> list[socket.socket]:
    """The API's sockets; none when we are to bind one ourselves. `CannotStart` for one that is of
    no use.

    They stay open when we close ours: while one server stops and the next one starts, connections
    wait in their queues.
    """
    count = environment.get("LISTEN_FDS", "")
    # Inherited from a process that was not us.
    if environment.get("LISTEN_PID") != str(pid) or not count.isdecimal():
        return []
    names = environment.get("LISTEN_FDNAMES", "").split(":")
    found = []
    for number in range(int(count)):
        name = names[number] if number < len(names) else "unknown"
        found.append(_taken(first + number, name))
    return found


def _taken(handle: int, name: str) -> socket.socket:
    try:
        # Ours alone, unless given on.
        os.set_inheritable(handle, False)
        passed = socket.socket(fileno=handle)
        fits = (
            passed.family in _FAMILIES
            and passed.type == socket.SOCK_STREAM
            and passed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        )
    except OSError as error:
        raise _unfit(handle, name, (error.strerror or str(error)).lower()) from error
    if not fits:
        passed.close()
        raise _unfit(handle, name, "not a listening stream socket")
    return passed


def _unfit(handle: int, name: str, why: str) -> CannotStart:
    return CannotStart(
        f"the socket {name!r} that was passed for the API (descriptor {handle}) is of no use: {why}"
        "; a socket unit needs ListenStream= and Accept=no",
        exits.USAGE,
    )
