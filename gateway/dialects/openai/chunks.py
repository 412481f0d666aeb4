"""What OpenAI's two streams of chunks have in common: how choices and the whole of it end.

The order is OpenAI's: the deltas of all choices, one chunk with the finish reason for each choice,
the usage when it was asked for, `[DONE]`. The finish chunk of the choice that ends last waits for
the worker's `Done` and has its timings.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from kronk.gateway.dialects.errors import openai
from kronk.gateway.dialects.figures import timings, usage
from kronk.gateway.dialects.sse import COMMENT, EVENT_STREAM, NO_MORE, compact, sse
from kronk.gateway.run import Event
from kronk.shared.errors import Internal, KronkError
from kronk.shared.wire.to_gateway import Done, Finished


class ChoiceChunks:
    """One answer's chunks; a dialect says what is in a choice."""

    media_type = EVENT_STREAM
    keep_alive = COMMENT

    def __init__(self, head: dict[str, Any], choices: int, include_usage: bool) -> None:
        self._head = head
        self._choices = choices
        self._include_usage = include_usage
        self._unfinished = set(range(choices))
        self._last: Finished | None = None
        # Around a plain delta's text. All that the chunks of one choice share is encoded once.
        shared = compact(head)[:-1]
        self._before = [
            f'data: {shared},"choices":[{{"index":{index},{self.before_text}'
            for index in range(choices)
        ]
        no_usage = ',"usage":null' if include_usage else ""
        self._after = f'{self.after_text},"logprobs":null,"finish_reason":null}}]{no_usage}}}\n\n'

    # The JSON of a choice between its index and a text, and from there to its log-probabilities.
    before_text: str
    after_text: str

    @abstractmethod
    def opening(self) -> bytes:
        """What comes before the first event."""

    @abstractmethod
    def event(self, event: Event) -> bytes:
        """The chunk, or chunks, of one event; may be empty."""

    @abstractmethod
    def finish_choice(self, event: Finished) -> dict[str, Any]:
        """The last choice object of a choice."""

    def closing(self, done: Done) -> bytes:
        """The last chunks of an answer that ended well, `[DONE]` included."""
        if self._last is None:
            raise unfinished()
        last = self.finish_choice(self._last)
        finish = self._chunk(last, timings=timings(done, self._choices))
        if not self._include_usage:
            return finish + NO_MORE
        return finish + sse({**self._head, "choices": [], "usage": usage(done)}) + NO_MORE

    def failure(self, error: KronkError) -> bytes:
        """The error, and no `[DONE]`."""
        return sse(openai(error))

    def _finished(self, event: Finished) -> bytes:
        self._unfinished.discard(event.choice)
        if self._unfinished:
            return self._chunk(self.finish_choice(event))
        self._last = event
        return b""

    def _chunk(self, choice: dict[str, Any], **extra: Any) -> bytes:
        if self._include_usage:
            extra["usage"] = None
        return sse({**self._head, "choices": [choice], **extra})


def unfinished() -> Internal:
    """A `Done` without the `Finished` of every choice."""
    return Internal("the model's process ended an answer with an unfinished choice")
