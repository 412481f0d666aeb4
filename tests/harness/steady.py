"""One client that never stops asking: what it sees is what everybody else sees."""

from __future__ import annotations

import contextlib
import itertools
import threading

from .asked import AskedStream, AskedWhole
from .server import Server
from .waiting import wait_until

TOKENS = 10
# Between two requests; the load is steady, not heavy.
PAUSE = 0.02


class SteadyLoad:
    """Whole and streamed requests in turns, until stopped."""

    def __init__(self, server: Server, model: str) -> None:
        self.served = 0
        # What went wrong, in words, and connections that broke without a word.
        self.errors: list[str] = []
        self.broken = 0
        self._server = server
        self._model = model
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="steady load", daemon=True)
        self._thread.start()
        # A block that does nothing still has had it beside it.
        wait_until(lambda: self.served or self.errors or self.broken, "the first answer")

    def _run(self) -> None:
        for number in itertools.count():
            if self._over.wait(PAUSE):
                return
            self._ask(number)

    def _ask(self, number: int) -> None:
        kind = AskedStream if number % 2 else AskedWhole
        start = number % 900
        try:
            with contextlib.closing(
                kind(self._server, self._model, start, "", max_tokens=TOKENS)
            ) as asked:
                end = asked.end()
        except ConnectionError:
            self.broken += 1
            return
        except AssertionError as error:
            self.errors.append(str(error))
            return
        if end == "done":
            self.served += 1
        elif end == "broken":
            self.broken += 1
        else:
            self.errors.append(f"{end}: {asked.error}")

    def stop(self) -> None:
        """Returns once the last answer is there."""
        self._over.set()
        self._thread.join()
