"""OpenAI's Chat Completions answer, streamed: from a worker's events to chunks.

The order is OpenAI's: one chunk with the role for each choice, the deltas, one chunk with the
finish reason for each choice, the usage when it was asked for, `[DONE]`. The finish chunk of the
choice that ends last waits for the worker's `Done` and has its timings.

A retracted tool call cannot be taken back once its pieces are sent. Its raw text follows as
content, and the finish reason is the worker's: not `tool_calls`, unless other calls stand. A client
runs calls only under that reason, as OpenAI's own do.
"""

from __future__ import annotations

from typing import Any

from kronk.gateway.run import Event
from kronk.shared.errors import Internal
from kronk.shared.wire.to_gateway import (
    Delta,
    Done,
    Finished,
    ReasoningDelta,
    ScoredDelta,
    ToolCallDelta,
    ToolCallRetracted,
)

from .figures import FINGERPRINT, timings, usage
from .logprobs import chat_logprobs
from .sse import NO_MORE, compact, quoted, sse


class ChatChunks:
    """The server-sent events of one answer, each as the bytes to send."""

    def __init__(
        self, name: str, model: str, created: int, *, choices: int, include_usage: bool
    ) -> None:
        self._head = head(name, "chat.completion.chunk", created, model)
        self._choices = choices
        self._include_usage = include_usage
        self._unfinished = set(range(choices))
        self._last: Finished | None = None
        # All that the chunks of one choice share is encoded here, once.
        shared = compact(self._head)[:-1]
        self._before = [
            f'data: {shared},"choices":[{{"index":{index},"delta":{{"content":'.encode()
            for index in range(choices)
        ]
        no_usage = ',"usage":null' if include_usage else ""
        self._after = f'}},"logprobs":null,"finish_reason":null}}]{no_usage}}}\n\n'.encode()

    def opening(self) -> bytes:
        """The chunks that say who speaks."""
        role = {"role": "assistant", "content": ""}
        return b"".join([self._chunk(index, role) for index in range(self._choices)])

    def event(self, event: Event) -> bytes:
        """The chunk, or chunks, of one event."""
        if type(event) is Delta:
            # Of all events the one that comes with every token; the rest are rarer.
            if not event.text:
                return b""
            return self._before[event.choice] + quoted(event.text) + self._after
        return self._other(event)

    def closing(self, done: Done) -> bytes:
        """The last chunks of an answer that ended well, `[DONE]` included."""
        if self._last is None:
            raise Internal("the model's process ended an answer with an unfinished choice")
        finish = self._finish(self._last, timings=timings(done, self._choices))
        if not self._include_usage:
            return finish + NO_MORE
        return finish + sse({**self._head, "choices": [], "usage": usage(done)}) + NO_MORE

    def _other(self, event: Event) -> bytes:
        match event:
            case ScoredDelta(choice=choice, text=text, logprobs=logprobs):
                if not text and not logprobs:
                    return b""
                return self._chunk(choice, {"content": text}, chat_logprobs(logprobs))
            case ReasoningDelta(choice=choice, text=text):
                return self._chunk(choice, {"reasoning_content": text}) if text else b""
            case ToolCallDelta():
                return self._tool_call(event)
            case ToolCallRetracted(choice=choice, text=text):
                return self._chunk(choice, {"content": text}) if text else b""
            case Finished():
                return self._finished(event)
        raise Internal(f"the model's process answered a chat with {type(event).__name__}")

    def _tool_call(self, event: ToolCallDelta) -> bytes:
        chunks = b""
        if event.id is not None:
            function = {"name": event.name, "arguments": ""}
            call = {
                "index": event.index,
                "id": event.id,
                "type": "function",
                "function": function,
            }
            chunks += self._chunk(event.choice, {"tool_calls": [call]})
        if event.arguments:
            piece = {"index": event.index, "function": {"arguments": event.arguments}}
            chunks += self._chunk(event.choice, {"tool_calls": [piece]})
        return chunks

    def _finished(self, event: Finished) -> bytes:
        self._unfinished.discard(event.choice)
        if self._unfinished:
            return self._finish(event)
        self._last = event
        return b""

    def _finish(self, event: Finished, **extra: Any) -> bytes:
        return self._chunk(event.choice, {}, None, event.reason, **extra)

    def _chunk(
        self,
        index: int,
        delta: dict[str, Any],
        logprobs: dict[str, Any] | None = None,
        reason: str | None = None,
        **extra: Any,
    ) -> bytes:
        if self._include_usage:
            extra["usage"] = None
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
        return sse({**self._head, "choices": [choice], **extra})


def head(name: str, kind: str, created: int, model: str) -> dict[str, Any]:
    """The fields that all objects and chunks of an answer begin with."""
    return {
        "id": name,
        "object": kind,
        "created": created,
        "model": model,
        "system_fingerprint": FINGERPRINT,
    }
