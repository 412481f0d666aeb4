"""A bound on connections, so that they never use up the descriptors that answers need.

A connection that is being answered is somebody's; one that waits for the head of a request may be
anybody's, and costs whoever opened it nothing. When there are too many, one of those makes room:
the oldest of the peer that has most of them.
"""

from __future__ import annotations

import resource
from typing import Protocol

# For models, the database, files and our own sockets.
_RESERVED = 256
_WANTED = 65536
_FEWEST = 64


class Connection(Protocol):
    """What is known of one here."""

    @property
    def peer(self) -> str:
        """The address it comes from."""


class Connections:
    """Those there are, at most `most`; each waits for a request or is busy with one."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = 0
        # By peer; the oldest first.
        self._waiting: dict[str, dict[Connection, None]] = {}

    def came(self, one: Connection) -> Connection | None:
        """One more, which waits. Returns the one that has to go for it: itself, if all the others
        are busy. Who goes has to say that it `left`, as everybody does."""
        self._count += 1
        self.waits(one)
        if self._count <= self._most:
            return None
        most = max(self._waiting.values(), key=len)
        return next(iter(most))

    def waits(self, one: Connection) -> None:
        """It has no request."""
        self._waiting.setdefault(one.peer, {})[one] = None

    def is_busy(self, one: Connection) -> None:
        """The head of its request is here."""
        mine = self._waiting.get(one.peer)
        if mine is not None:
            mine.pop(one, None)
            if not mine:
                del self._waiting[one.peer]

    def left(self, one: Connection) -> None:
        """It is closed."""
        self._count -= 1
        self.is_busy(one)


def most_connections() -> int:
    """As many as the descriptors allow that this process may have; asks for more of them first."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED if hard == resource.RLIM_INFINITY else min(hard, _WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    usable = _WANTED if soft == resource.RLIM_INFINITY else min(soft, _WANTED)
    return max(usable - _RESERVED, _FEWEST)
