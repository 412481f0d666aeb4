"""The Responses answers that are one object."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kronk.gateway.dialects.openai.chunks import unfinished
from kronk.gateway.run import Event
from kronk.shared.wire.to_gateway import Done

from .objects import completed
from .output import Output


class ResponseWhole:
    """Collects the events of one response. `now` tells the second of its end."""

    def __init__(self, born: dict[str, Any], output: Output, now: Callable[[], int]) -> None:
        # As it is stored, once it has ended.
        self.final: dict[str, Any] | None = None
        self._born = born
        self._output = output
        self._now = now

    def add(self, event: Event) -> None:
        """Take note of an event."""
        for _ in self._output.take(event):
            pass

    def body(self, done: Done) -> dict[str, Any]:
        """The whole response."""
        if self._output.finished is None:
            raise unfinished()
        self.final = completed(self._born, self._output, done, self._now())
        return self.final


class InputTokensWhole:
    """How many tokens a request's input has, all that it continues included."""

    def add(self, event: Event) -> None:
        """The count comes at the end."""

    def body(self, done: Done) -> dict[str, Any]:
        """OpenAI's object."""
        return {"object": "response.input_tokens", "input_tokens": done.usage.prompt_tokens}
