"""OpenAI's Chat Completions answer, streamed: from a worker's events to chunks.

A retracted tool call cannot be taken back once its pieces are sent. Its raw text follows as
content, and the finish reason is the worker's: not `tool_calls`, unless other calls stand. Clients
run calls under that reason alone.
"""

from __future__ import annotations

from typing import Any

from kronk.gateway.dialects.figures import head
from kronk.gateway.dialects.logprobs import chat_logprobs
from kronk.gateway.dialects.sse import quoted
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

from .chunks import ChoiceChunks


class ChatChunks(ChoiceChunks):
    """The server-sent events of one answer, each as the bytes to send."""

    before_text = '"delta":{"content":'
    after_text = "}"

    def __init__(
        self,
        name: str,
        model: str,
        created: int,
        *,
        choices: int,
        include_usage: bool,
        tier: str | None = None,
    ) -> None:
        start = head(name, "chat.completion.chunk", created, model, tier)
        super().__init__(start, choices, include_usage)

    def opening(self) -> bytes:
        """The chunks that say who speaks, one for each choice."""
        role = {"role": "assistant", "content": ""}
        return b"".join([self._delta(index, role) for index in range(self._choices)])

    def event(self, event: Event) -> bytes:
        """The chunk, or chunks, of one event."""
        if type(event) is Delta:
            # Of all events the one that comes with every token; the rest are rarer.
            if not event.text:
                return b""
            return f"{self._before[event.choice]}{quoted(event.text)}{self._after}".encode()
        return self._other(event)

    def finish_choice(self, event: Finished) -> dict[str, Any]:
        """The last choice object of a choice."""
        return _choice(event.choice, {}, None, event.reason)

    def _other(self, event: Event) -> bytes:
        match event:
            case ScoredDelta(choice=choice, text=text, logprobs=logprobs):
                if not text and not logprobs:
                    return b""
                return self._delta(choice, {"content": text}, chat_logprobs(logprobs))
            case ReasoningDelta(choice=choice, text=text):
                return self._delta(choice, {"reasoning_content": text}) if text else b""
            case ToolCallDelta():
                return self._tool_call(event)
            case ToolCallRetracted(choice=choice, text=text):
                return self._delta(choice, {"content": text}) if text else b""
            case Finished():
                return self._finished(event)
            case Started():
                return b""
        raise Internal(f"the model's process answered a chat with {type(event).__name__}")

    def _tool_call(self, event: ToolCallDelta) -> bytes:
        index, chunks = event.index, b""
        if event.id is not None:
            function = {"name": event.name, "arguments": ""}
            call = {"index": index, "id": event.id, "type": "function", "function": function}
            chunks += self._delta(event.choice, {"tool_calls": [call]})
        if event.arguments:
            piece = {"index": index, "function": {"arguments": event.arguments}}
            chunks += self._delta(event.choice, {"tool_calls": [piece]})
        return chunks

    def _delta(
        self, index: int, delta: dict[str, Any], logprobs: dict[str, Any] | None = None
    ) -> bytes:
        return self._chunk(_choice(index, delta, logprobs, None))


def _choice(
    index: int, delta: dict[str, Any], logprobs: dict[str, Any] | None, reason: str | None
) -> dict[str, Any]:
    return {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
