"""Policies that are evaluated in this process: Kronk's own, or those of `--policy-dir`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from kronk.shared.errors import InvalidArgument

from .decision import PolicyFailed, read_result
from .folder import Files, others_may_write, read_folder, shipped, stamp_of
from .rego import BadPolicy, Rego
from .samples import samples

# A policy takes a millisecond; one that takes longer than this has lost its way.
_SECONDS = 5.0
# How often the folder is looked at, at most, and what is wrong with it is said again.
_LOOK_SECONDS = 1.0
_REMIND_SECONDS = 60.0

logger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Loaded:
    """Policies in force."""

    rego: Rego
    digest: str


def load(files: Files) -> Loaded:
    """Compile policies and try them with a question of every kind: what names a function that does
    not exist is only found by a question that gets there. `InvalidArgument` says what is wrong."""
    try:
        rego = Rego(files.modules, files.data)
    except BadPolicy as error:
        raise InvalidArgument(f"policy: {error}", param="policy_dir") from error
    for caller, question in samples():
        try:
            read_result(rego.result(question.to_input()), "")
        except PolicyFailed as error:
            access = question.gate.access
            raise InvalidArgument(
                f"policy: {error.why} (asked about {access.endpoint or access.kind} for "
                f"{caller.name}, mode {question.mode})",
                param="policy_dir",
            ) from error
    return Loaded(rego, files.digest)


class Embedded:
    """Answers in a thread of its own: a policy may take long, and no stream should wait for it."""

    # A decision of ours holds until something changes, or as long as the policy says.
    default_seconds: float | None = None
    most_seconds: float | None = None

    def __init__(
        self, folder: Path | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Compiles; `InvalidArgument` for policies that are not right."""
        self._folder = folder
        self._clock = clock
        self._stamp = stamp_of(folder) if folder else ()
        self._loaded = load(read_folder(folder) if folder else shipped())
        self._look_at = clock() + _LOOK_SECONDS
        self._remind_at = 0.0
        # What is wrong with the newest version, where an older one is in force.
        self.problem: str | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="policy")
        if folder and others_may_write(folder):
            logger.warning("anybody on this machine can change the policies", folder=str(folder))

    @property
    def version(self) -> str:
        """Which policies are in force, as logs name it."""
        return f"{'folder' if self._folder else 'shipped'}:{self._loaded.digest}"

    def is_due(self) -> bool:
        """Whether it is time to look at the folder again."""
        return self._folder is not None and self._clock() >= self._look_at

    async def renew(self) -> None:
        """Take up what has changed on disk. What cannot be compiled is an error in the log, and
        what was in force stays so."""
        assert self._folder is not None
        self._look_at = self._clock() + _LOOK_SECONDS
        await self._in_thread(self._renew, self._folder)

    async def answer(self, document: Mapping[str, Any]) -> Any:
        """The policy's document for this input; `PolicyFailed` if there is none."""
        return await self._in_thread(self._loaded.rego.result, document)

    async def close(self) -> None:
        """Nothing is asked any more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _in_thread(self, work: Callable[..., Any], *given: object) -> Any:
        try:
            async with asyncio.timeout(_SECONDS):
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self._thread, work, *given)
        except TimeoutError as error:
            raise PolicyFailed(f"no answer within {_SECONDS:g} s") from error

    def _renew(self, folder: Path) -> None:
        stamp = stamp_of(folder)
        if stamp == self._stamp:
            self._remind()
            return
        self._stamp = stamp
        try:
            self._loaded = load(read_folder(folder))
        except InvalidArgument as error:
            self.problem = error.message
            self._remind_at = 0.0
            self._remind()
        else:
            self.problem = None
            logger.info("policies changed", policy=self.version)

    def _remind(self) -> None:
        if self.problem is not None and self._clock() >= self._remind_at:
            self._remind_at = self._clock() + _REMIND_SECONDS
            logger.error(
                "policies cannot be used; the last good ones stay in force",
                reason=self.problem,
                policy=self.version,
            )
