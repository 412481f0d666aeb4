"""Asks the disk, in a thread: a models folder that hangs must not stop the supervisor."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import structlog

from kronk.shared.errors import Internal, KronkError, ModelFailed
from kronk.shared.wire.loading import LoadSpec

from .configuration import Configuration
from .integrity import Integrity
from .reload import Found

log = structlog.get_logger()

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Unverified:
    """A model whose files have to be read before it can be loaded."""

    files: tuple[Path, ...]


class Resolver:
    """Answers come on the loop, one to each question, in the order of the questions: what was
    looked up before the configuration was taken anew is told before that is."""

    def __init__(
        self,
        configuration: Configuration,
        on_answer: Callable[[str, LoadSpec | KronkError], None],
        integrity: Integrity | None = None,
    ) -> None:
        """With `integrity` a name is answered once its files are verified."""
        self._configuration = configuration
        self._on_answer = on_answer
        self._integrity = integrity
        self._loop = asyncio.get_running_loop()
        # Bounded by its only users: one question per name, and so many requests may wait for one;
        # and one reading of the configuration.
        self._questions: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._review()
        # Names with the files to be read for them; bounded as the questions are.
        self._verifications: queue.SimpleQueue[tuple[str, _Unverified] | None] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="resolver", daemon=True).start()
        if integrity is not None:
            threading.Thread(target=self._verify, name="verifier", daemon=True).start()

    def ask(self, name: str) -> None:
        """What does this name mean?"""
        self._put(lambda: self._resolve(name), lambda answer: self._answered(name, answer))

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
        self._verifications.put(None)

    def _resolve(self, name: str) -> LoadSpec | _Unverified:
        spec = self._configuration.resolve(name)
        missing = self._integrity.missing(spec) if self._integrity is not None else ()
        return _Unverified(missing) if missing else spec

    def _answered(self, name: str, answer: LoadSpec | _Unverified | KronkError) -> None:
        if isinstance(answer, _Unverified):
            self._verifications.put((name, answer))
        else:
            self._on_answer(name, answer)

    def _verify(self) -> None:
        """Read what has to be read, then ask anew: the configuration may be another by then."""
        assert self._integrity is not None
        while (work := self._verifications.get()) is not None:
            name, unverified = work
            answer = _answer(partial(_verify_all, self._integrity, unverified.files))
            with contextlib.suppress(RuntimeError):
                if answer is None:
                    self._loop.call_soon_threadsafe(self.ask, name)
                else:
                    self._loop.call_soon_threadsafe(self._on_answer, name, answer)

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


def _verify_all(integrity: Integrity, files: tuple[Path, ...]) -> None:
    for file in files:
        integrity.verify(file)


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
