"""Loads that nobody waits for: models to have from the start, and those an operator asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from kronk.shared.errors import KronkError, Overloaded
from kronk.shared.wire.to_supervisor import Manage

from .actions import Outbox, Resolve, TellManaged
from .lifecycle import State
from .model import Model

# Operators' loads whose names are being looked up.
MOST_ASKED = 1000


class Wishes:
    """Models are loaded at the start one after the other, and only where there is room: what is
    there already has as much right to it."""

    def __init__(self, out: Outbox, preload: Iterable[str]) -> None:
        self._out = out
        self._preload = deque(preload)
        # The one that is looked up or loaded now.
        self._current: str | Model | None = None
        # Name to the orders that wait until it is looked up.
        self._asked: dict[str, list[Manage]] = {}
        # Answered when it is known what came of them at once.
        self._unanswered: list[tuple[int, str, Model]] = []

    # From outside.

    def preload(self, names: Iterable[str]) -> None:
        """Load these too, after those that are waiting to be."""
        self._preload.extend(names)

    def order(self, order: Manage, *, is_draining: bool) -> None:
        """Load it, once its name is looked up."""
        if is_draining:
            self._refuse(order, Overloaded("the server is stopping"))
            return
        if sum(map(len, self._asked.values())) >= MOST_ASKED:
            self._refuse(order, Overloaded("too many models wait to be looked up"))
            return
        self._asked.setdefault(order.model, []).append(order)
        self._out.put(Resolve(order.model))

    def resolved(self, name: str, model: Model, now: float) -> None:
        """The name means this model."""
        for order in self._asked.pop(name, ()):
            if error := model.refused(now):
                self._out.put(TellManaged(order.ask, model.state.value, model.state.value, error))
                continue
            self._unanswered.append((order.ask, model.state.value, model))
            model.wish_for("order", order.ttl, now)
        if name == self._current:
            self._current = model
            model.wish_for("preload", None, now)

    def unresolved(self, name: str, error: KronkError) -> None:
        """There is no such model, or it cannot be loaded."""
        for order in self._asked.pop(name, ()):
            self._refuse(order, error)
        if name == self._current:
            self._current = None
            self._failed(name, error.message)

    def gateway_lost(self) -> None:
        """Nobody waits for answers any more. Loads go on, but for those whose names are still being
        looked up."""
        for orders in self._asked.values():
            orders.clear()
        self._unanswered.clear()

    def drop_all(self, models: Iterable[Model]) -> None:
        """The server stops: nothing is loaded that nobody waits for."""
        for orders in self._asked.values():
            for order in orders:
                self._refuse(order, Overloaded("the server is stopping"))
        self._preload.clear()
        self._asked.clear()
        self._current = None
        for model in models:
            model.wish = None

    # After each event.

    def settle(self, models: Iterable[Model], now: float) -> None:
        """After models were admitted: give up what finds no room, answer, and go on to the next
        that is to be loaded at the start."""
        for model in models:
            if model.wish is not None and model.is_blocked(now):
                if model.wish == "preload":
                    self._failed(model.id, "no room")
                model.wish = None
        if isinstance(self._current, Model) and self._current.wish != "preload":
            self._current = None
        if self._current is None and self._preload:
            self._current = self._preload.popleft()
            self._out.put(Resolve(self._current))
        for ask, before, model in self._unanswered:
            self._out.put(TellManaged(ask, before, model.state.value, model.refused(now)))
        self._unanswered.clear()

    def _refuse(self, order: Manage, error: KronkError) -> None:
        self._out.put(TellManaged(order.ask, State.ABSENT.value, State.ABSENT.value, error))

    def _failed(self, name: str, cause: str) -> None:
        self._out.note("error", "cannot load a model at the start", model=name, cause=cause)
