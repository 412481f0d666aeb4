"""OpenAI's Chat Completions answer as one object."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kronk.gateway.dialects.figures import head, timings, usage
from kronk.gateway.dialects.logprobs import chat_logprobs
from kronk.gateway.run import Event
from kronk.shared.errors import Internal
from kronk.shared.wire.to_gateway import (
    Delta,
    Done,
    Finished,
    ReasoningDelta,
    ScoredDelta,
    Started,
    ToolCallDelta,
    ToolCallRetracted,
)
from kronk.shared.wire.values import TokenLogprob

from .chunks import unfinished


@dataclass(slots=True)
class _Call:
    id: str | None
    name: str | None
    arguments: list[str] = field(default_factory=list)

    def json(self) -> dict[str, Any]:
        function = {"name": self.name, "arguments": "".join(self.arguments)}
        return {"id": self.id, "type": "function", "function": function}


@dataclass(slots=True)
class _Choice:
    content: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    # By their index, in the order they began.
    calls: dict[int, _Call] = field(default_factory=dict)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    finished: Finished | None = None

    def add(self, event: Event) -> None:
        match event:
            case Delta(text=text):
                self.content.append(text)
            case ScoredDelta(text=text, logprobs=logprobs):
                self.content.append(text)
                self.logprobs += logprobs
            case ReasoningDelta(text=text):
                self.reasoning.append(text)
            case ToolCallDelta(index=index):
                call = self.calls.setdefault(index, _Call(event.id, event.name))
                call.arguments.append(event.arguments)
            case ToolCallRetracted(index=index, text=text):
                self.calls.pop(index, None)
                self.content.append(text)
            case Finished():
                self.finished = event

    def message(self) -> dict[str, Any]:
        content = "".join(self.content)
        message: dict[str, Any] = {
            "role": "assistant",
            "content": content if content or not self.calls else None,
            "refusal": None,
        }
        if self.reasoning:
            message["reasoning_content"] = "".join(self.reasoning)
        if self.calls:
            message["tool_calls"] = [call.json() for call in self.calls.values()]
        return message

    def json(self, index: int, scored: bool) -> dict[str, Any]:
        if self.finished is None:
            raise unfinished()
        return {
            "index": index,
            "message": self.message(),
            "logprobs": chat_logprobs(self.logprobs) if scored else None,
            "finish_reason": self.finished.reason,
        }


class ChatWhole:
    """Collects the events of all choices. `scored` when log-probabilities were asked for."""

    def __init__(
        self,
        name: str,
        model: str,
        created: int,
        *,
        choices: int,
        scored: bool,
        tier: str | None = None,
    ) -> None:
        self._head = head(name, "chat.completion", created, model, tier)
        self._choices = [_Choice() for _ in range(choices)]
        self._scored = scored

    def add(self, event: Event) -> None:
        """Take note of an event."""
        if isinstance(event, Started):
            return
        choice = getattr(event, "choice", None)
        if choice is None:
            raise Internal(f"the model's process answered a chat with {type(event).__name__}")
        self._choices[choice].add(event)

    def body(self, done: Done) -> dict[str, Any]:
        """The whole answer."""
        choices = [choice.json(at, self._scored) for at, choice in enumerate(self._choices)]
        return {
            **self._head,
            "choices": choices,
            "usage": usage(done),
            "timings": timings(done, len(choices)),
        }
