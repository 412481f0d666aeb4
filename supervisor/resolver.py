"""Looks names up on disk, in a thread: a models folder that hangs must not stop the supervisor."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable

import structlog

from kronk.shared.errors import Internal, KronkError, ModelFailed
from kronk.shared.wire.loading import LoadSpec

log = structlog.get_logger()

Resolve = Callable[[str], LoadSpec]


class Resolver:
    """`on_answer` is called on the loop, once per `ask`."""

    def __init__(
        self, resolve: Resolve, on_answer: Callable[[str, LoadSpec | KronkError], None]
    ) -> None:
        self._resolve = resolve
        self._on_answer = on_answer
        self._loop = asyncio.get_running_loop()
        # Bounded by its only user: one question per name, and so many requests may wait for one.
        self._names: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="resolver", daemon=True).start()

    def ask(self, name: str) -> None:
        self._names.put(name)

    def close(self) -> None:
        """The thread ends after the question it is at."""
        self._names.put(None)

    def _run(self) -> None:
        while (name := self._names.get()) is not None:
            answer = self._answer(name)
            # The loop is closed when we stop in the middle of a look-up.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._on_answer, name, answer)

    def _answer(self, name: str) -> LoadSpec | KronkError:
        try:
            return self._resolve(name)
        except KronkError as error:
            return error
        except OSError as error:
            return ModelFailed(f"the models folder cannot be read: {error}")
        except Exception:
            # A bug of ours must not leave every later request without an answer.
            log.exception("cannot look a model up", name=name)
            return Internal("internal error while looking the model up")
