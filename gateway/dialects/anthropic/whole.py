"""Anthropic's Messages answer as one object, and the count of a prompt's tokens."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from kronk.gateway.dialects.arguments import arguments_of
from kronk.gateway.run import Event
from kronk.shared.errors import Internal
from kronk.shared.wire.to_gateway import (
    Delta,
    Done,
    Finished,
    Inspected,
    ReasoningDelta,
    ScoredDelta,
    Started,
    ToolCallDelta,
    ToolCallRetracted,
)

from .figures import (
    NO_ANSWER,
    ending,
    head,
    no_output,
    text_block,
    thinking_block,
    tool_use_block,
    usage,
)
from .request import Shown
from .signature import signature


@dataclass(slots=True)
class _Block:
    kind: Literal["text", "thinking", "tool_use"]
    # The first event of a tool_use block.
    call: ToolCallDelta | None = None
    pieces: list[str] = field(default_factory=list)

    def json(self, shown: Shown) -> dict[str, Any]:
        text = "".join(self.pieces)
        if self.call is not None:
            return tool_use_block(self.call.id, self.call.name, arguments_of(text))
        if self.kind == "text":
            return text_block(text)
        if shown == "no thinking":
            return thinking_block("", signature(text))
        return thinking_block(text, signature())


class MessageWhole:
    """Collects the events of one message."""

    def __init__(
        self, name: str, model: str, *, shown: Shown = "everything", limit: int | None = None
    ) -> None:
        self._head = head(name, model)
        self._shown = shown
        self._limit = limit
        self._blocks: list[_Block] = []
        self._finished: Finished | None = None

    def add(self, event: Event) -> None:
        """Take note of an event."""
        match event:
            case Delta(text=text) | ScoredDelta(text=text):
                self._append("text", text)
            case ReasoningDelta(text=text):
                self._append("thinking", text)
            case ToolCallDelta():
                if event.id is not None:
                    self._blocks.append(_Block("tool_use", event))
                self._blocks[-1].pieces.append(event.arguments)
            case ToolCallRetracted(text=text):
                self._blocks.pop()
                self._append("text", text)
            case Finished():
                self._finished = event
            case Started():
                pass
            case _:
                raise Internal(
                    f"the model's process answered a message with {type(event).__name__}"
                )

    def body(self, done: Done) -> dict[str, Any]:
        """The whole message."""
        blocks, counts = self._blocks, usage(done)
        why = ending(self._finished, done, self._limit)
        if self._shown == "nothing":
            blocks, why, counts = [], NO_ANSWER, no_output(counts)
        return {
            **self._head,
            "content": [block.json(self._shown) for block in blocks],
            **why,
            "usage": {**counts, "service_tier": "standard"},
        }

    def _append(self, kind: Literal["text", "thinking"], text: str) -> None:
        if not text:
            return
        if not self._blocks or self._blocks[-1].kind != kind:
            self._blocks.append(_Block(kind))
        self._blocks[-1].pieces.append(text)


class CountWhole:
    """The tokens of a prompt."""

    def add(self, event: Event) -> None:
        """Take note of an event, of which there is one and nothing in it."""
        assert isinstance(event, Inspected), event

    def body(self, done: Done) -> dict[str, Any]:
        """The count."""
        return {"input_tokens": done.usage.prompt_tokens}
