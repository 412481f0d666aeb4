"""What systemd, or whoever started us, is told of the server's life: datagrams to `NOTIFY_SOCKET`.

The protocol is one datagram of `KEY=value` lines (sd_notify(3)). Nothing is ever waited for: a
service manager that does not read must not stop the server.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping

import structlog

log = structlog.get_logger()

# What a service manager leaves in the environment of the process it starts. It is meant for that
# process alone: children that inherit it would answer for us.
VARIABLES = frozenset(
    {
        "NOTIFY_SOCKET",
        "WATCHDOG_USEC",
        "WATCHDOG_PID",
        "LISTEN_FDS",
        "LISTEN_PID",
        "LISTEN_FDNAMES",
    }
)


class Notifier:
    """The socket. Without an address everything said is said to nobody."""

    def __init__(self, address: str | None) -> None:
        self._address: str | None = None
        self._socket: socket.socket | None = None
        if not address:
            return
        if not address.startswith(("/", "@")):
            log.warning("NOTIFY_SOCKET is no Unix socket: the service manager is told nothing")
            return
        # The abstract namespace is written with an @.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        self._socket = socket.socket(socket.AF_UNIX, kind)

    @property
    def is_heard(self) -> bool:
        """Whether anybody asked to be told."""
        return self._socket is not None

    def say(self, *lines: str) -> bool:
        """Send these lines together; false when that is to be tried again, because the manager is
        not there or its queue is full."""
        if self._socket is None or self._address is None:
            return True
        try:
            self._socket.sendto("\n".join(lines).encode(), self._address)
        except OSError:
            return False
        return True

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def notifier(environment: Mapping[str, str]) -> Notifier:
    """To where the environment says."""
    return Notifier(environment.get("NOTIFY_SOCKET"))


def watchdog_seconds(environment: Mapping[str, str], pid: int) -> float | None:
    """After how long without a sign the service manager ends us; None when it does not."""
    asked, whom = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID")
    if not asked.isdecimal() or int(asked) == 0:
        return None
    # Set for another process, and inherited by mistake.
    if whom is not None and whom != str(pid):
        return None
    return int(asked) / 1e6


def monotonic_usec() -> int:
    """What `RELOADING=1` is to be dated with."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def for_children(environment: Mapping[str, str]) -> dict[str, str]:
    """The same without what was meant for us alone."""
    return {name: value for name, value in environment.items() if name not in VARIABLES}
