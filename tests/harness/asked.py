"""Requests whose ends are counted: however one ends, it ends once, and what it said was right."""

from __future__ import annotations

import threading
import time
from typing import Any, Literal

import httpx

from .counting_model import counted
from .server import Server, chat_body
from .stream import DONE, Stream
from .waiting import PATIENCE

# "broken" is a connection that closed without a word: only the death of the gateway, or a client
# that left, explains it.
End = Literal["done", "error", "refused", "broken"]


class AskedStream(Stream):
    """A streamed answer that counts from `start`."""

    def __init__(self, server: Server, model: str, start: int, words: str, **options: Any) -> None:
        self.start = start
        self.wanted = options["max_tokens"]
        self.has_left = False
        super().__init__(server.port, chat_body(model, f"{words} from {start}", **options))

    def leave(self) -> None:
        """Hang up."""
        self.has_left = True
        self.close()

    def close_when_ended(self) -> None:
        """For those that nobody waits for."""
        self._thread.join()
        self.close()

    def end(self) -> End:
        """How it ended, once it has; fails unless that was in exactly one way."""
        self.wait_for_end()
        if self.refusal is not None:
            assert not self.events, f"a refusal and events: {self.refusal}, {self.events}"
            return "refused"
        self._is_counted_rightly()
        errors = [event for event in self.events if event != DONE and "error" in event]
        ends = len(errors) + self.events.count(DONE)
        assert ends <= 1, f"{ends} ends: {errors}, {self.events[-3:]}"
        if errors:
            assert self.events[-1] is errors[0], f"events after the error: {self.events[-3:]}"
            assert self.finish_reason is None, "an error after the finish"
            return "error"
        if self.is_done:
            assert self.events[-1] == DONE, f"events after [DONE]: {self.events[-3:]}"
            assert self.finish_reason is not None, "[DONE] without a finish"
            assert self.text == counted(self.start, self.wanted), "whole, but not all of it"
            return "done"
        return "broken"

    def _is_counted_rightly(self) -> None:
        """Nothing twice, nothing left out, whichever process said it."""
        text = self.text
        assert text == counted(self.start, len(text.split())), f"from {self.start}: {text!r}"


class AskedWhole:
    """An answer in one piece, waited for in a thread."""

    def __init__(self, server: Server, model: str, start: int, words: str, **options: Any) -> None:
        self.start = start
        self.wanted = options["max_tokens"]
        self.answer: httpx.Response | None = None
        self.broken: Exception | None = None
        self.ended_at: float | None = None
        body = chat_body(model, f"{words} from {start}", **options)
        url = f"{server.url}/v1/chat/completions"
        self._thread = threading.Thread(target=self._run, args=(url, body), daemon=True)
        self._thread.start()

    def _run(self, url: str, body: dict[str, Any]) -> None:
        try:
            self.answer = httpx.post(url, json=body, timeout=2 * PATIENCE)
        except httpx.TransportError as error:
            self.broken = error
        self.ended_at = time.monotonic()

    @property
    def error(self) -> dict[str, Any] | None:
        """The error it was refused with, or ended in."""
        if self.answer is None or self.answer.status_code == 200:
            return None
        return dict(self.answer.json()["error"])

    def end(self) -> End:
        """How it ended, once it has."""
        self._thread.join(2 * PATIENCE)
        assert not self._thread.is_alive(), "no answer"
        if self.answer is None:
            return "broken"
        if self.answer.status_code != 200:
            assert self.answer.json()["error"]["code"], self.answer.text
            return "refused"
        (choice,) = self.answer.json()["choices"]
        assert choice["finish_reason"], self.answer.text
        assert choice["message"]["content"] == counted(self.start, self.wanted)
        return "done"

    def close(self) -> None:
        """Nothing is left of it."""
        self._thread.join(2 * PATIENCE)


Asked = AskedStream | AskedWhole
