"""Carries a reload out: reads the configuration, has it applied, and answers who asked."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from kronk.shared.errors import KronkError
from kronk.shared.wire import to_gateway
from kronk.shared.wire.codec import Message

from .actions import Action
from .fleet import Fleet
from .reload import Found
from .resolver import Resolver

log = structlog.get_logger()

# What a signal counts as: nobody waits for an answer.
NOBODY = None


class Reloader:
    """One reading at a time. Whoever asks while it goes on gets another one, as the file may have
    changed after it was read."""

    def __init__(
        self,
        resolver: Resolver,
        fleet: Fleet,
        *,
        clock: Callable[[], float],
        did: Callable[[list[Action]], None],
        tell: Callable[[Message], None],
        ended: Callable[[], None],
    ) -> None:
        self._resolver = resolver
        self._fleet = fleet
        self._clock = clock
        self._did = did
        self._tell = tell
        self._ended = ended
        self._served: list[int | None] = []
        self._waiting: list[int | None] = []
        # The models that the reading under way was asked about.
        self._asked: frozenset[str] = frozenset()

    @property
    def is_busy(self) -> bool:
        """Whether the file is being read."""
        return bool(self._served)

    def ask(self, ask: int | None) -> None:
        """Somebody wants a reload: the question of the gateway to be answered, or `NOBODY`."""
        self._waiting.append(ask)
        self._next()

    def _next(self) -> None:
        if self._waiting and not self._served:
            self._served, self._waiting = self._waiting, []
            self._asked = self._fleet.view.known
            self._resolver.retake(self._asked, self._fleet.view.loaded, self._taken)

    def _taken(self, found: Found | KronkError) -> None:
        served, self._served = self._served, []
        if isinstance(found, KronkError):
            log.error("configuration refused; the old one stays", reason=found.message)
            self._answer(served, lambda ask: _refused(ask, found))
        else:
            self._apply(served, found)
        self._next()
        self._ended()

    def _apply(self, served: list[int | None], found: Found) -> None:
        models, actions = self._fleet.reconfigured(self._clock(), found)
        changed = tuple(sorted(models | found.changed))
        later = tuple(sorted(self._fleet.view.outdated))
        log.info("configuration reloaded", changed=changed, later=later)
        # Before anything that follows from it, such as models that are gone.
        self._tell(to_gateway.Reread())
        self._did(actions)
        self._answer(served, lambda ask: to_gateway.Reloaded(ask, changed, later))
        if self._fleet.view.known - self._asked:
            # Looked up while the file was read, and with the old configuration.
            self.ask(NOBODY)

    def _answer(
        self, served: list[int | None], answer: Callable[[int], to_gateway.Reloaded]
    ) -> None:
        for ask in served:
            if ask is not None:
                self._tell(answer(ask))


def _refused(ask: int, error: KronkError) -> to_gateway.Reloaded:
    return to_gateway.Reloaded(ask, code=error.code, message=error.message)
