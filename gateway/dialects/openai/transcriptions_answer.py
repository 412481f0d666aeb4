"""The text of a recording in OpenAI's forms: from a worker's events to events or one object."""

from __future__ import annotations

from typing import Any, Literal

from kronk.gateway.dialects.errors import openai
from kronk.gateway.dialects.logprobs import token_logprob
from kronk.gateway.dialects.sse import COMMENT, EVENT_STREAM, sse
from kronk.gateway.run import Event
from kronk.shared.errors import Internal, KronkError
from kronk.shared.wire.to_gateway import Delta, Done, Finished, ReasoningDelta, ScoredDelta, Started

from .chunks import unfinished


class _Text:
    """What was said so far."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        # None unless log-probabilities were asked for.
        self._scores: list[dict[str, Any]] | None = None
        self._finished: Finished | None = None

    def take(self, event: Event) -> dict[str, Any]:
        """What an event adds to it: a `delta`, with log-probabilities `logprobs`, or nothing."""
        match event:
            case Delta(text=text):
                self._pieces.append(text)
                return {"delta": text} if text else {}
            case ScoredDelta(text=text, logprobs=logprobs):
                scores = [token_logprob(token.piece, token.logprob) for token in logprobs]
                self._pieces.append(text)
                self._scores = (self._scores or []) + scores
                return {"delta": text, "logprobs": scores} if text or scores else {}
            case Finished():
                self._finished = event
            case Started() | ReasoningDelta():
                # A model that thinks unasked; its thoughts are not in the recording.
                pass
            case _:
                raise Internal(
                    f"the model's process answered for a recording with {type(event).__name__}"
                )
        return {}

    def result(self, done: Done) -> dict[str, Any]:
        """All of it, and what it took."""
        if self._finished is None:
            raise unfinished()
        counts = done.usage
        scores = {} if self._scores is None else {"logprobs": self._scores}
        return {
            "text": "".join(self._pieces),
            **scores,
            "usage": {
                "type": "tokens",
                "input_tokens": counts.prompt_tokens,
                "output_tokens": counts.completion_tokens,
                "total_tokens": counts.prompt_tokens + counts.completion_tokens,
            },
            # An addition of ours: with `length` the text is not all that was said.
            "finish_reason": self._finished.reason,
        }


class SpeechChunks:
    """The server-sent events of one text."""

    media_type = EVENT_STREAM
    keep_alive = COMMENT

    def __init__(self) -> None:
        self._text = _Text()

    def opening(self) -> bytes:
        """Nothing: the first event is the first piece of text."""
        return b""

    def event(self, event: Event) -> bytes:
        """The event with a piece of text; may be empty."""
        added = self._text.take(event)
        return sse({"type": "transcript.text.delta", **added}) if added else b""

    def closing(self, done: Done) -> bytes:
        """The event with the whole text."""
        return sse({"type": "transcript.text.done", **self._text.result(done)})

    def failure(self, error: KronkError) -> bytes:
        """The error."""
        return sse(openai(error))


class SpeechWhole:
    """The text in an object, or bare."""

    def __init__(self, form: Literal["json", "text"]) -> None:
        self._form = form
        self._text = _Text()

    def add(self, event: Event) -> None:
        """Take note of an event."""
        self._text.take(event)

    def body(self, done: Done) -> dict[str, Any] | bytes:
        """All of it."""
        result = self._text.result(done)
        return f"{result['text']}\n".encode() if self._form == "text" else result
