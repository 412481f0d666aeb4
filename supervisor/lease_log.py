"""What the log says of leases: how long requests waited for models, and why some were refused.

Every request passes here, so its line is for `debug`; at `info` are those that waited.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from kronk.shared.log import ids
from kronk.shared.wire.to_supervisor import LeaseRequest

from .actions import Grant, Refuse

# Seconds that a request is said to have waited from.
_WORTH_SAYING = 0.1

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Asked:
    since: float
    model: str
    name: str
    trace: str

    @property
    def ids(self) -> dict[str, str]:
        return ids(self.name, self.trace)


class LeaseLog:
    """Told of each lease what the fleet is told, and what it answers. `clock` is the fleet's."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        # Those that are not answered.
        self._asked: dict[int, _Asked] = {}

    def asked(self, request: LeaseRequest) -> None:
        """Before the fleet knows of it."""
        self._asked[request.lease] = _Asked(
            self._clock(), request.model, request.name, request.trace
        )

    def has_waited(self, lease: int) -> None:
        """After all that the fleet could do at once."""
        if (asked := self._asked.get(lease)) is not None:
            log.debug("lease waits", **asked.ids, model=asked.model)

    def granted(self, grant: Grant) -> None:
        """It may go to its worker."""
        if (asked := self._asked.pop(grant.lease, None)) is None:
            return
        waited = self._clock() - asked.since
        loading = 0.0
        if grant.ready_for is not None and grant.ready_for < waited:
            loading = min(grant.load_seconds, waited - grant.ready_for)
        say = log.info if loading or waited >= _WORTH_SAYING else log.debug
        say(
            "lease granted",
            **asked.ids,
            model=grant.model or asked.model,
            generation=grant.generation,
            waited=round(waited, 4),
            loading=round(loading, 4),
        )

    def refused(self, refuse: Refuse) -> None:
        """It may not, and this is why."""
        if (asked := self._asked.pop(refuse.lease, None)) is None:
            return
        log.info(
            "lease refused",
            **asked.ids,
            model=asked.model,
            waited=round(self._clock() - asked.since, 4),
            code=refuse.error.code,
            reason=refuse.error.message,
        )

    def returned(self, lease: int) -> None:
        """Nobody waits for it any more. Idempotent."""
        if (asked := self._asked.pop(lease, None)) is not None:
            waited = round(self._clock() - asked.since, 4)
            log.debug("lease given up", **asked.ids, model=asked.model, waited=waited)

    def gateway_lost(self) -> None:
        """Nobody waits for any."""
        self._asked.clear()
