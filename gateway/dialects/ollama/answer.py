"""Ollama's answers to chats and prompts: from a worker's events to lines of JSON or one object.

A tool call is sent whole, once it is known to be complete: when something follows it, or at the
end of the answer. One that is retracted was never sent; its raw text is content.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from kronk.gateway.dialects.arguments import arguments_of
from kronk.gateway.dialects.errors import ollama
from kronk.gateway.dialects.logprobs import chat_tokens
from kronk.gateway.dialects.openai.chunks import unfinished
from kronk.gateway.dialects.sse import compact, quoted
from kronk.gateway.run import Event
from kronk.shared.errors import Internal, KronkError
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

from .figures import Clock, Stopwatch

NDJSON = "application/x-ndjson"
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Said:
    """Something of an answer, or all of it."""

    content: str = ""
    thinking: str = ""
    calls: Sequence[Json] = ()
    logprobs: Sequence[TokenLogprob] = ()


class Form(Protocol):
    """Where a route has what was said."""

    def __call__(self, said: Said) -> Json: ...


def chat_form(said: Said) -> Json:
    """/api/chat: in a message."""
    message: Json = {"role": "assistant", "content": said.content, **_rest(said)}
    return {"message": message, **_logprobs(said)}


def generate_form(said: Said) -> Json:
    """/api/generate: in the object itself."""
    return {"response": said.content, **_rest(said), **_logprobs(said)}


def _rest(said: Said) -> Json:
    rest: Json = {}
    if said.thinking:
        rest["thinking"] = said.thinking
    if said.calls:
        rest["tool_calls"] = list(said.calls)
    return rest


def _logprobs(said: Said) -> Json:
    return {"logprobs": chat_tokens(said.logprobs)} if said.logprobs else {}


class _Reader:
    """Turns events into what was said, calls only when they are complete."""

    def __init__(self) -> None:
        self.finished: Finished | None = None
        # The call that is being written, and how many came before it.
        self._open: _Call | None = None
        self._calls = 0

    @property
    def is_in_call(self) -> bool:
        """Whether a call is being written."""
        return self._open is not None

    def read(self, event: Event) -> list[Said]:
        """What an event says, which may be nothing."""
        match event:
            case ToolCallDelta(index=index):
                if self._open is not None and self._open.index == index:
                    self._open.arguments.append(event.arguments)
                    return []
                complete = self._close()
                self._open = _Call(index, event.id, event.name, [event.arguments])
                return complete
            case ToolCallRetracted(index=index, text=text):
                if self._open is not None and self._open.index == index:
                    self._open = None
                return [*self._close(), Said(text)]
            case Finished():
                self.finished = event
                return self._close()
            case Started():
                return []
        return [*self._close(), _said(event)]

    def _close(self) -> list[Said]:
        call, self._open = self._open, None
        if call is None:
            return []
        self._calls += 1
        return [Said(calls=[call.json(self._calls - 1)])]

    def reason(self) -> str:
        """Ollama has no reason of its own for calls."""
        if self.finished is None:
            raise unfinished()
        return "length" if self.finished.reason == "length" else "stop"


@dataclass(slots=True)
class _Call:
    index: int
    id: str | None
    name: str | None
    arguments: list[str]

    def json(self, index: int) -> Json:
        arguments = arguments_of("".join(self.arguments))
        function = {"index": index, "name": self.name, "arguments": arguments}
        return {"id": self.id, "function": function}


def _said(event: Event) -> Said:
    match event:
        case Delta(text=text):
            return Said(text)
        case ScoredDelta(text=text, logprobs=logprobs):
            return Said(text, logprobs=logprobs)
        case ReasoningDelta(text=text):
            return Said(thinking=text)
    raise Internal(f"the model's process answered a prompt with {type(event).__name__}")


class OllamaChunks:
    """The lines of one answer."""

    media_type = NDJSON
    # Ollama is silent while a model loads; its clients take no empty lines.
    keep_alive = b""

    def __init__(self, model: str, form: Form, clock: Clock) -> None:
        self._model = model
        self._form = form
        self._watch = Stopwatch(clock)
        self._reader = _Reader()
        # Around the time and the text of a plain delta, which nothing else differs in.
        around = compact({**form(Said(_TEXT)), "done": False})[1:].split(quoted(_TEXT))
        self._before_time = compact({"model": model})[:-1] + ',"created_at":"'
        self._before_text, self._after_text = '",' + around[0], around[1] + "\n"

    def opening(self) -> bytes:
        """Nothing: each line says who speaks."""
        return b""

    def event(self, event: Event) -> bytes:
        """The lines of one event."""
        if type(event) is Delta and not self._reader.is_in_call:
            # Of all events the one that comes with every token; the rest are rarer.
            if not event.text:
                return b""
            before = f"{self._before_time}{self._watch.now()}{self._before_text}"
            return f"{before}{quoted(event.text)}{self._after_text}".encode()
        if isinstance(event, Started):
            self._watch.started()
        said = self._reader.read(event)
        return b"".join([self._line(self._form(item)) for item in said if item != _NOTHING])

    def closing(self, done: Done) -> bytes:
        """The last line, which says why it ended and what it took."""
        reason = self._reader.reason()
        return self._line(
            self._form(_NOTHING), done=True, done_reason=reason, **self._watch.figures(done)
        )

    def failure(self, error: KronkError) -> bytes:
        """The error as the last line."""
        return _line(ollama(error))

    def _line(self, said: Json, *, done: bool = False, **more: Any) -> bytes:
        head = {"model": self._model, "created_at": self._watch.now()}
        return _line({**head, **said, "done": done, **more})


class OllamaWhole:
    """The answer as one object."""

    def __init__(self, model: str, form: Form, clock: Clock) -> None:
        self._model = model
        self._form = form
        self._watch = Stopwatch(clock)
        self._reader = _Reader()
        self._said: list[Said] = []

    def add(self, event: Event) -> None:
        """Take note of an event."""
        if isinstance(event, Started):
            self._watch.started()
        self._said += self._reader.read(event)

    def body(self, done: Done) -> Json:
        """The whole object."""
        said = Said(
            "".join([item.content for item in self._said]),
            "".join([item.thinking for item in self._said]),
            [call for item in self._said for call in item.calls],
            [token for item in self._said for token in item.logprobs],
        )
        return {
            "model": self._model,
            "created_at": self._watch.now(),
            **self._form(said),
            "done": True,
            "done_reason": self._reader.reason(),
            **self._watch.figures(done),
        }


class OllamaLoaded:
    """The answer to a request without a prompt: the model was loaded, or is let go."""

    def __init__(self, model: str, form: Form, clock: Clock, ttl: float | None) -> None:
        self._model = model
        self._form = form
        self._watch = Stopwatch(clock)
        self._reason = "unload" if ttl == 0 else "load"

    def add(self, event: Event) -> None:
        """There are none."""
        raise Internal(f"the model's process answered a load with {type(event).__name__}")

    def body(self, done: Done) -> Json:
        """The object, which is one line in a stream too."""
        return {
            "model": self._model,
            "created_at": self._watch.now(),
            **self._form(_NOTHING),
            "done": True,
            "done_reason": self._reason,
            **self._watch.load(done),
        }


_NOTHING = Said()
# Stands for a text; no model's name and nothing of a form has it.
_TEXT = "\0"


def _line(value: Json) -> bytes:
    # ASCII only: clients that split text into lines take U+2028 for the end of one.
    return f"{compact(value)}\n".encode()
