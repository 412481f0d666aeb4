"""Asks the disk, in a thread: a models folder that hangs must not stop the supervisor."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Collection
from typing import TypeVar

import structlog

from kronk.shared.errors import Internal, KronkError, ModelFailed
from kronk.shared.wire.loading import LoadSpec

from .configuration import Configuration
from .reload import Found

log = structlog.get_logger()

T = TypeVar("T")


class Resolver:
    """Answers come on the loop, one to each question, in the order of the questions: what was
    looked up before the configuration was taken anew is told before that is."""

    def __init__(
        self,
        configuration: Configuration,
        on_answer: Callable[[str, LoadSpec | KronkError], None],
    ) -> None:
        self._configuration = configuration
        self._on_answer = on_answer
        self._loop = asyncio.get_running_loop()
        # Bounded by its only users: one question per name, and so many requests may wait for one;
        # and one reading of the configuration.
        self._questions: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._review()
        threading.Thread(target=self._run, name="resolver", daemon=True).start()

    def ask(self, name: str) -> None:
        """What does this name mean?"""
        self._put(
            lambda: self._configuration.resolve(name),
            lambda answer: self._on_answer(name, answer),
        )

    def retake(
        self,
        known: Collection[str],
        loaded: Collection[str],
        on_taken: Callable[[Found | KronkError], None],
    ) -> None:
        """Read the configuration again, and what it makes of these models."""
        self._put(lambda: self._configuration.retake(known, loaded), on_taken)
        self._review()

    def close(self) -> None:
        """The thread ends after the question it is at."""
        self._questions.put(None)

    def _review(self) -> None:
        self._questions.put(lambda: _reviewed(self._configuration))

    def _put(self, question: Callable[[], T], on_answer: Callable[[T | KronkError], None]) -> None:
        def work() -> None:
            answer = _answer(question)
            # The loop is closed when we stop in the middle of a question.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(on_answer, answer)

        self._questions.put(work)

    def _run(self) -> None:
        while (work := self._questions.get()) is not None:
            work()


def _reviewed(configuration: Configuration) -> None:
    answer = _answer(configuration.review)
    if answer is not None:
        log.warning("cannot compare the model-config file with the models", reason=answer.message)


def _answer(question: Callable[[], T]) -> T | KronkError:
    try:
        return question()
    except KronkError as error:
        return error
    except OSError as error:
        return ModelFailed(f"the models folder cannot be read: {error}")
    except Exception:
        # A bug of ours must not leave every later request without an answer.
        log.exception("cannot look something up on disk")
        return Internal("internal error while looking the model up")
