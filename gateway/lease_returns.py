"""Leases on their way back to the supervisor."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from kronk.shared.wire.sockets import PeerGone
from kronk.shared.wire.to_supervisor import LeaseReturn

from .run import CallLater

# How soon a lease is offered again when the supervisor's queue was full.
_AGAIN_SECONDS = 0.25


class LeaseReturns:
    """Each is returned once, in order, however full the supervisor's queue is."""

    def __init__(self, to_supervisor: Callable[[Any], None], call_later: CallLater) -> None:
        self._to_supervisor = to_supervisor
        self._call_later = call_later
        # Bounded by what was ever leased.
        self._unreturned: deque[int] = deque()

    def give_back(self, lease: int) -> None:
        """Now, or soon."""
        self._unreturned.append(lease)
        self._offer()

    def _offer(self) -> None:
        while self._unreturned:
            try:
                self._to_supervisor(LeaseReturn(self._unreturned[0]))
            except PeerGone:
                self._call_later(_AGAIN_SECONDS, self._offer)
                return
            self._unreturned.popleft()
