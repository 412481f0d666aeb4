"""An answer as items: what each event of the worker opens, grows and closes.

Items come one after the other; one is open at a time. The worker says when a call begins and not
when it ends: it has ended well when anything but its retraction comes next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from kronk.gateway.dialects.logprobs import chat_tokens
from kronk.gateway.run import Event
from kronk.shared.errors import Internal
from kronk.shared.wire.to_gateway import (
    Delta,
    Finished,
    ReasoningDelta,
    ScoredDelta,
    Started,
    ToolCallDelta,
    ToolCallRetracted,
)

from .ids import ItemNames
from .namespaces import Spaces
from .parts import output_text
from .thoughts import sealed

Status = Literal["in_progress", "completed", "incomplete"]


@dataclass(slots=True)
class Item:
    """One item of the output; `index` is its place in the stream."""

    id: str
    index: int
    status: Status = "in_progress"
    pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.pieces)


@dataclass(slots=True)
class Message(Item):
    """What the model says."""

    logprobs: list[dict[str, Any]] = field(default_factory=list)

    def part(self) -> dict[str, Any]:
        """Its one content part."""
        return output_text(self.text, self.logprobs)

    def json(self) -> dict[str, Any]:
        """Without content while it is in progress: that comes part by part."""
        return {
            "id": self.id,
            "type": "message",
            "status": self.status,
            "role": "assistant",
            "content": [] if self.status == "in_progress" else [self.part()],
        }


@dataclass(slots=True)
class Reasoning(Item):
    """What the model thinks."""

    # Whether the client asked for `encrypted_content`.
    carried: Literal["plain", "sealed"] = "plain"

    def part(self) -> dict[str, Any]:
        """Its one content part."""
        return {"type": "reasoning_text", "text": self.text}

    def json(self) -> dict[str, Any]:
        """Without content while it is in progress."""
        item: dict[str, Any] = {
            "id": self.id,
            "type": "reasoning",
            "status": self.status,
            "summary": [],
            "content": [] if self.status == "in_progress" else [self.part()],
        }
        if self.carried == "sealed" and self.status != "in_progress":
            item["encrypted_content"] = sealed(self.text)
        return item


@dataclass(slots=True)
class Call(Item):
    """A function the model calls."""

    call_id: str = ""
    name: str = ""
    # None where the function is in none.
    namespace: str | None = None

    def json(self) -> dict[str, Any]:
        namespace = {} if self.namespace is None else {"namespace": self.namespace}
        return {
            "id": self.id,
            "type": "function_call",
            "status": self.status,
            "call_id": self.call_id,
            "name": self.name,
            **namespace,
            "arguments": self.arguments(),
        }

    def arguments(self) -> str:
        """Of a call that was retracted never a whole object: clients that do not look at the
        status must find nothing that can be run."""
        if self.status != "incomplete":
            return self.text
        return self.text.rstrip("} \t\r\n") or "{"


@dataclass(frozen=True, slots=True)
class Opened:
    """An item begins."""

    item: Message | Reasoning | Call


@dataclass(frozen=True, slots=True)
class Grown:
    """Text was added to it."""

    item: Message | Reasoning | Call
    text: str
    logprobs: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Closed:
    """Nothing more is added; its status says how it ended."""

    item: Message | Reasoning | Call


Change = Opened | Grown | Closed


class Output:
    """The items of one answer, from its events in their order."""

    def __init__(
        self, names: ItemNames, carried: Literal["plain", "sealed"], spaces: Spaces
    ) -> None:
        # Retracted calls are not among them.
        self.items: list[Message | Reasoning | Call] = []
        # The item that grows.
        self.open: Message | Reasoning | Call | None = None
        self.finished: Finished | None = None
        self._names = names
        self._carried = carried
        self._spaces = spaces
        self._count = 0

    def take(self, event: Event) -> Iterator[Change]:
        """What comes of an event, in order. Each change is true when it is told, and not later: the
        iterator must be read to its end."""
        match event:
            case Delta(text=text):
                yield from self._say(text)
            case ScoredDelta(text=text, logprobs=logprobs):
                yield from self._say(text, chat_tokens(logprobs))
            case ReasoningDelta(text=text):
                yield from self._think(text)
            case ToolCallDelta():
                yield from self._call(event)
            case ToolCallRetracted(text=text):
                yield from self._retract(text)
            case Finished():
                yield from self._finish(event)
            case Started():
                pass
            case _:
                kind = type(event).__name__
                raise Internal(f"the model's process answered a response with {kind}")

    def break_off(self) -> None:
        """Nothing more comes, and what is open stays as it is; a call that is open is none."""
        if self.open is not None:
            self.open.status = "incomplete"
            if isinstance(self.open, Call):
                self.items.remove(self.open)
            self.open = None

    def json(self) -> list[dict[str, Any]]:
        """The items so far."""
        return [item.json() for item in self.items]

    def _say(self, text: str, logprobs: Sequence[dict[str, Any]] = ()) -> Iterator[Change]:
        if not text and not logprobs:
            return
        if not isinstance(self.open, Message):
            yield from self._begin(Message(self._names.new("message"), self._count))
        message = self.open
        assert isinstance(message, Message)
        message.logprobs += logprobs
        yield self._grow(text, logprobs)

    def _think(self, text: str) -> Iterator[Change]:
        if not text:
            return
        if not isinstance(self.open, Reasoning):
            name = self._names.new("reasoning")
            yield from self._begin(Reasoning(name, self._count, carried=self._carried))
        yield self._grow(text)

    def _call(self, event: ToolCallDelta) -> Iterator[Change]:
        if event.id is not None:
            function = event.name or ""
            namespace, own = self._spaces.get(function, (None, function))
            call = Call(
                self._names.new("function_call"),
                self._count,
                call_id=event.id,
                name=own,
                namespace=namespace,
            )
            yield from self._begin(call)
        if event.arguments:
            yield self._grow(event.arguments)

    def _retract(self, text: str) -> Iterator[Change]:
        call = self.open
        if not isinstance(call, Call):
            raise Internal("the model's process took back a call that was complete")
        self.items.remove(call)
        yield from self._close("incomplete")
        yield from self._say(text)

    def _finish(self, event: Finished) -> Iterator[Change]:
        self.finished = event
        cut = event.reason == "length" and not isinstance(self.open, Call)
        yield from self._close("incomplete" if cut else "completed")
        if event.reason == "stop" and not any(isinstance(item, Message) for item in self.items):
            # An answer that says nothing is an answer.
            yield from self._begin(Message(self._names.new("message"), self._count))
            yield from self._close("completed")

    def _begin(self, item: Message | Reasoning | Call) -> Iterator[Change]:
        yield from self._close("completed")
        self.items.append(item)
        self.open = item
        self._count += 1
        yield Opened(item)

    def _grow(self, text: str, logprobs: Sequence[dict[str, Any]] = ()) -> Change:
        assert self.open is not None
        self.open.pieces.append(text)
        return Grown(self.open, text, list(logprobs))

    def _close(self, status: Status) -> Iterator[Change]:
        item, self.open = self.open, None
        if item is not None:
            item.status = status
            yield Closed(item)
