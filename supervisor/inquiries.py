"""What the gateway's debug server wants to know of processes, handed on to whom it is about."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from kronk.shared import heap
from kronk.shared.errors import KronkError, NotFound
from kronk.shared.wire.codec import Message
from kronk.shared.wire.debugging import HeapRequest, HeapTaken, StacksRequest, StacksTaken
from kronk.shared.wire.to_gateway import Status
from kronk.shared.wire.to_supervisor import StatusRequest

from .children import AnyChild, Children
from .control import Control
from .hosts import FarChild

# This process, among generations.
_OURSELVES = 0
# A process that dies leaves its question open.
_MOST_OPEN = 100


@dataclass(frozen=True, slots=True)
class _Open:
    """Who waits for an answer, under which number, of whom."""

    peer: bytes
    ask: int
    generation: int


class Inquiries:
    """`status` makes the answer to a question for it."""

    def __init__(
        self, control: Control, children: Children, status: Callable[[int], Status]
    ) -> None:
        self._control = control
        self._children = children
        self._status = status
        self._loop = asyncio.get_running_loop()
        self._numbers = itertools.count(1)
        self._open: dict[int, _Open] = {}

    def ask(self, peer: bytes, message: Message) -> None:
        """Answer, or have somebody else answer."""
        match message:
            case StatusRequest(ask):
                self._control.answer(peer, self._status(ask))
            case HeapRequest(ask, generation, seconds) if generation == _OURSELVES:
                # Not on this thread: it has processes to look after.
                threading.Thread(
                    target=self._measure, args=(peer, ask, seconds), name="heap", daemon=True
                ).start()
            case HeapRequest(ask, generation):
                child = self._children.get(generation)
                if child is None or not self._hand_on(peer, message, child):
                    why = NotFound("the process cannot be reached")
                    self._control.answer(peer, HeapTaken(ask, None, why.code, why.message))
            case StacksRequest(ask, generation):
                far = self._children.get(generation)
                if not isinstance(far, FarChild) or not self._hand_on(peer, message, far):
                    self._control.answer(peer, StacksTaken(ask, "", "gone"))

    def answered(self, message: HeapTaken | StacksTaken, generation: int | None = None) -> None:
        """Somebody has answered; of a worker, it must be the one that was asked."""
        found = self._open.get(message.ask)
        if found is not None and generation in (None, found.generation):
            del self._open[message.ask]
            self._control.answer(found.peer, replace(message, ask=found.ask))

    def _hand_on(self, peer: bytes, message: HeapRequest | StacksRequest, child: AnyChild) -> bool:
        number = next(self._numbers)
        while len(self._open) >= _MOST_OPEN:
            del self._open[next(iter(self._open))]
        self._open[number] = _Open(peer, message.ask, child.generation)
        asked = replace(message, ask=number)
        if isinstance(asked, StacksRequest):
            assert isinstance(child, FarChild)
            return self._control.tell_host(child.host, asked)
        return self._control.send(child, asked)

    def _measure(self, peer: bytes, ask: int, seconds: float) -> None:
        try:
            answer = HeapTaken(ask, heap.measure(seconds))
        except KronkError as error:
            answer = HeapTaken(ask, None, error.code, error.message)
        self._loop.call_soon_threadsafe(self._control.answer, peer, answer)
