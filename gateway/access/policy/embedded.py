"""Policies that are evaluated by an engine of ours: Kronk's own, or those of `--policy-dir`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import structlog

from kronk.shared.errors import InvalidArgument

from .decision import PolicyFailed, read_result
from .engine import Engine
from .folder import Files, others_may_write, read_folder, shipped, stamp_of
from .samples import samples

# How often the folder is looked at, at most, and what is wrong with it is said again.
_LOOK_SECONDS = 1.0
_REMIND_SECONDS = 60.0
# An engine that ends is started again, but not faster than this.
_RESTART_SECONDS = 1.0
# Whoever comes while changed policies are tried waits for them, but not longer.
_RENEW_SECONDS = 20.0

logger = structlog.get_logger()


def tried(files: Files) -> Engine:
    """An engine whose policies have answered a question of every kind: what names a function that
    does not exist is only found by a question that gets there. `InvalidArgument` says what is
    wrong."""
    try:
        engine = Engine(files)
    except PolicyFailed as error:
        raise _refused(error.why) from error
    try:
        _try(engine)
    except InvalidArgument:
        engine.close()
        raise
    return engine


def _try(engine: Engine) -> None:
    try:
        engine.get_ready()
    except PolicyFailed as error:
        raise _refused(error.why) from error
    for caller, question in samples():
        try:
            read_result(engine.result(question.to_input()), "")
        except PolicyFailed as error:
            access = question.gate.access
            raise _refused(
                f"{error.why} (asked about {access.endpoint or access.kind} for {caller.name}, "
                f"mode {question.mode})"
            ) from error


def _refused(why: str) -> InvalidArgument:
    return InvalidArgument(f"policy: {why}", param="policy_dir")


class Embedded:
    """One engine, and a thread that waits for it. Changed policies get a new one."""

    # A decision of ours holds until something changes, or as long as the policy says.
    default_seconds: float | None = None
    most_seconds: float | None = None

    def __init__(
        self, folder: Path | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`InvalidArgument` for policies of the folder that are not right."""
        self._folder = folder
        self._clock = clock
        self._stamp = stamp_of(folder) if folder else ()
        self._files = read_folder(folder) if folder else shipped()
        # The shipped ones need no trial, and the start of the server waits for no engine.
        self._engine = tried(self._files) if folder else Engine(self._files)
        self._started = clock()
        self._look_at = clock() + _LOOK_SECONDS
        self._remind_at = 0.0
        # What is wrong with the newest version, where an older one is in force.
        self.problem: str | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="policy")
        self._is_closed = False
        if folder and others_may_write(folder):
            logger.warning("anybody on this machine can change the policies", folder=str(folder))

    @property
    def version(self) -> str:
        """Which policies are in force, as logs name it."""
        return f"{'folder' if self._folder else 'shipped'}:{self._files.digest}"

    def is_due(self) -> bool:
        """Whether it is time to look at the folder again."""
        return self._folder is not None and self._clock() >= self._look_at

    async def renew(self) -> None:
        """Take up what has changed on disk. What cannot be used is an error in the log, and what
        was in force stays so."""
        assert self._folder is not None
        self._look_at = self._clock() + _LOOK_SECONDS
        try:
            async with asyncio.timeout(_RENEW_SECONDS):
                await asyncio.to_thread(self._renew, self._folder)
        except TimeoutError as error:
            raise PolicyFailed("changed policies are being tried") from error

    async def answer(self, document: Mapping[str, Any]) -> Any:
        """The policy's document for this input; `PolicyFailed` if there is none."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._answer, document)

    async def close(self) -> None:
        """Nothing is asked any more."""
        self._is_closed = True
        self._engine.close()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _answer(self, document: Mapping[str, Any]) -> Any:
        if not self._engine.is_alive and not self._is_closed:
            self._restart()
        return self._engine.result(document)

    def _restart(self) -> None:
        now = self._clock()
        if now - self._started < _RESTART_SECONDS:
            raise PolicyFailed("the engine has just ended")
        logger.error("the engine of policies has ended, and is started again", policy=self.version)
        self._started = now
        self._engine = Engine(self._files)

    def _renew(self, folder: Path) -> None:
        stamp = stamp_of(folder)
        if stamp == self._stamp:
            self._remind()
            return
        self._stamp = stamp
        try:
            files = read_folder(folder)
            engine = tried(files)
        except InvalidArgument as error:
            self.problem = error.message
            self._remind_at = 0.0
            self._remind()
            return
        # Between two questions, by the thread that asks them.
        self._thread.submit(self._take, files, engine).result()
        self.problem = None
        logger.info("policies changed", policy=self.version)

    def _take(self, files: Files, engine: Engine) -> None:
        old, self._engine, self._files = self._engine, engine, files
        old.close()

    def _remind(self) -> None:
        if self.problem is not None and self._clock() >= self._remind_at:
            self._remind_at = self._clock() + _REMIND_SECONDS
            logger.error(
                "policies cannot be used; the last good ones stay in force",
                reason=self.problem,
                policy=self.version,
            )
