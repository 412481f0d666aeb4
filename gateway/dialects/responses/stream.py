"""The Responses answer, streamed: named events with sequence numbers, and no `[DONE]`.

A call that is retracted cannot be taken back once it was announced. Its item ends as `incomplete`
and without `response.function_call_arguments.done`; it is not in the response's output, where its
raw text stands as a message.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kronk.gateway.dialects.openai.chunks import unfinished
from kronk.gateway.dialects.sse import COMMENT, EVENT_STREAM, compact, named, quoted
from kronk.gateway.run import Event
from kronk.shared.errors import KronkError
from kronk.shared.wire.to_gateway import Delta, Done

from .objects import completed, failed
from .output import Call, Change, Closed, Grown, Message, Opened, Output, Reasoning

_TEXT_DELTA = "response.output_text.delta"


class ResponseChunks:
    """The server-sent events of one response. `now` tells the second of its end."""

    media_type = EVENT_STREAM
    keep_alive = COMMENT

    def __init__(self, born: dict[str, Any], output: Output, now: Callable[[], int]) -> None:
        # As it is stored, once it has ended.
        self.final: dict[str, Any] | None = None
        self._born = born
        self._output = output
        self._now = now
        self._sequence = 0
        # All of a text delta of the open message up to its sequence number.
        self._before = ""

    def opening(self) -> bytes:
        """The events that say what was asked for."""
        return self._event("response.created", response=self._born) + self._event(
            "response.in_progress", response=self._born
        )

    def event(self, event: Event) -> bytes:
        """The events of an event."""
        if type(event) is Delta and event.text and isinstance(self._output.open, Message):
            # Of all events the one that comes with every token; the rest are rarer.
            self._output.open.pieces.append(event.text)
            sequence = self._sequence
            self._sequence = sequence + 1
            return f'{self._before}{sequence},"delta":{quoted(event.text)}}}\n\n'.encode()
        return b"".join([self._change(change) for change in self._output.take(event)])

    def closing(self, done: Done) -> bytes:
        """The event that has all of it."""
        if self._output.finished is None:
            raise unfinished()
        self.final = completed(self._born, self._output, done, self._now())
        return self._event(f"response.{self.final['status']}", response=self.final)

    def failure(self, error: KronkError) -> bytes:
        """`response.failed`; before it what a client must have seen first."""
        opening = b"" if self._sequence else self.opening()
        self.final = failed(self._born, self._output, error)
        return opening + self._event("response.failed", response=self.final)

    def _change(self, change: Change) -> bytes:
        match change:
            case Opened(item):
                return self._opened(item)
            case Grown(item, text, logprobs):
                return self._grown(item, text, logprobs)
            case Closed(item):
                return self._closed(item)

    def _opened(self, item: Message | Reasoning | Call) -> bytes:
        added = self._event("response.output_item.added", output_index=item.index, item=item.json())
        if isinstance(item, Call):
            return added
        if isinstance(item, Message):
            place = compact({**_place(item), "logprobs": []})[1:-1]
            self._before = (
                f'event: {_TEXT_DELTA}\ndata: {{"type":"{_TEXT_DELTA}",{place},"sequence_number":'
            )
        return added + self._event("response.content_part.added", **_place(item), part=item.part())

    def _grown(
        self, item: Message | Reasoning | Call, text: str, logprobs: list[dict[str, Any]]
    ) -> bytes:
        match item:
            case Message():
                return self._event(_TEXT_DELTA, **_place(item), delta=text, logprobs=logprobs)
            case Reasoning():
                return self._event("response.reasoning_text.delta", **_place(item), delta=text)
            case Call():
                kind = "response.function_call_arguments.delta"
                return self._event(kind, item_id=item.id, output_index=item.index, delta=text)

    def _closed(self, item: Message | Reasoning | Call) -> bytes:
        match item:
            case Message():
                kind, more = "response.output_text.done", {"logprobs": item.logprobs}
                done = self._event(kind, **_place(item), text=item.text, **more)
                done += self._event("response.content_part.done", **_place(item), part=item.part())
            case Reasoning():
                done = self._event("response.reasoning_text.done", **_place(item), text=item.text)
                done += self._event("response.content_part.done", **_place(item), part=item.part())
            case Call() if item.status == "completed":
                done = self._event(
                    "response.function_call_arguments.done",
                    item_id=item.id,
                    output_index=item.index,
                    name=item.name,
                    arguments=item.text,
                )
            case Call():
                done = b""
        return done + self._event(
            "response.output_item.done", output_index=item.index, item=item.json()
        )

    def _event(self, kind: str, **members: Any) -> bytes:
        event = {"type": kind, "sequence_number": self._sequence, **members}
        self._sequence += 1
        return named(kind, event)


def _place(item: Message | Reasoning) -> dict[str, Any]:
    """Where a text is: both have one part."""
    return {"item_id": item.id, "output_index": item.index, "content_index": 0}
