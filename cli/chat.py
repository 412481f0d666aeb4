"""One chat answer from the server, as it is generated: the request, the stream, its end."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, Literal

from kronk.shared.errors import Internal, KronkError, ServerError, from_code

from . import sse
from .client import Admin

Message = dict[str, str]


@dataclass(frozen=True, slots=True)
class Piece:
    """Text to show: the answer, what the model thinks, or a call it would have made."""

    text: str
    kind: Literal["answer", "thought", "call"] = "answer"


@dataclass(slots=True)
class Answer:
    """What is known about an answer so far; complete when `finish` is set."""

    text: str = ""
    finish: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    first_token_after: float | None = None
    seconds: float = 0.0

    @property
    def tokens_per_second(self) -> float | None:
        """The rate after the first token; None when there is nothing to measure."""
        if self.first_token_after is None or (self.completion_tokens or 0) < 2:
            return None
        assert self.completion_tokens is not None
        decoding = self.seconds - self.first_token_after
        return (self.completion_tokens - 1) / decoding if decoding > 0 else None


@dataclass(slots=True)
class Conversation:
    """A model, the messages so far and the parameters the user set."""

    model: str
    system: str | None = None
    messages: list[Message] = field(default_factory=list)
    parameters: dict[str, Any] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        """The request for the next answer."""
        system = [{"role": "system", "content": self.system}] if self.system else []
        return {
            "model": self.model,
            "messages": [*system, *self.messages],
            "stream": True,
            "stream_options": {"include_usage": True},
            **self.parameters,
        }


def ask(admin: Admin, conversation: Conversation, answer: Answer) -> Generator[Piece]:
    """Stream the next answer; `answer` is filled on the way, so that an interrupted one counts."""
    started = time.monotonic()
    with admin.stream("/v1/chat/completions", conversation.body()) as lines:
        for event in sse.objects(lines):
            answer.seconds = time.monotonic() - started
            piece = take(event, answer)
            if piece is None:
                continue
            if answer.first_token_after is None:
                answer.first_token_after = answer.seconds
            yield piece
    if answer.finish is None:
        raise ServerError("the answer broke off: the server closed the connection in the middle")


def take(event: dict[str, Any], answer: Answer) -> Piece | None:
    """Note what one event says; returns the text in it, raises the error in it."""
    if "error" in event:
        raise _error(event["error"])
    if usage := event.get("usage"):
        answer.prompt_tokens = usage.get("prompt_tokens")
        answer.completion_tokens = usage.get("completion_tokens")
    for choice in event.get("choices", []):
        answer.finish = choice.get("finish_reason") or answer.finish
        delta = choice.get("delta", {})
        if thought := delta.get("reasoning_content"):
            return Piece(thought, "thought")
        if calls := delta.get("tool_calls"):
            return Piece("".join(map(_call, calls)), "call")
        if text := delta.get("content"):
            answer.text += text
            return Piece(text)
    return None


def _call(call: dict[str, Any]) -> str:
    """What one part of a call adds: its name at first, then its arguments."""
    function = call.get("function", {})
    name = f"{function['name']} " if function.get("name") else ""
    # Each call on a line of its own.
    line = "\n" if name and call.get("index") else ""
    return f"{line}{name}{function.get('arguments', '')}"


def _error(error: Any) -> KronkError:
    if not isinstance(error, dict):
        return Internal(str(error))
    code, message = str(error.get("code")), str(error.get("message"))
    return from_code(code, message, error.get("param"))
