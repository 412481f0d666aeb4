"""Tokens by the word of another Kronk: `--auth-host`."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any

from kronk.shared.errors import Unauthenticated
from kronk.shared.security.identity import Identity

from .answers import check_rechecked, identity_of
from .host import AuthHost
from .questions import IDENTIFY, RECHECK
from .remembered import Remembered

# What is no JWT is known to be bad without asking.
_JWT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_MOST_TOKEN_CHARACTERS = 8192


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long and how much is remembered. Seconds."""

    # A token that is revoked there is good here for no longer than that.
    good_seconds: float = 30.0
    bad_seconds: float = 5.0
    most: int = 10_000


class Identities:
    """Who tokens belong to, as the host says; asked once for all who wait for the same answer.

    Nothing is used beyond its time, whether or not the host answers.
    """

    def __init__(
        self,
        host: AuthHost,
        bounds: Bounds = Bounds(),
        *,
        clock: Callable[[], float] = time.monotonic,
        today: Callable[[], float] = time.time,
    ) -> None:
        self._host = host
        self._bounds = bounds
        self._clock = clock
        self._today = today
        self._good: Remembered[Identity] = Remembered(bounds.most)
        # Apart, so that whoever tries tokens drives out no good ones.
        self._bad: Remembered[str] = Remembered(bounds.most)
        self._asking: dict[bytes, asyncio.Task[Identity]] = {}

    async def identify(self, token: str) -> Identity:
        """Who it is; `Unauthenticated` if the token is not good, `Overloaded` if the host is of no
        use."""
        if len(token) > _MOST_TOKEN_CHARACTERS or not _JWT.fullmatch(token):
            raise Unauthenticated(reason="it is no JWT")
        return await self._known(_digest(token), lambda: self._identify(token))

    async def recheck(self, identity: Identity) -> None:
        """`Unauthenticated` if its token was revoked, or the token's key deleted. That it expires
        does not count: what was left here in time is done."""
        await self._known(
            _digest(f"{identity.subject} {identity.key}"), lambda: self._recheck(identity)
        )

    async def _known(
        self, key: bytes, ask: Callable[[], Coroutine[Any, Any, Identity]]
    ) -> Identity:
        now = self._clock()
        known = self._good.get(key, now)
        if known is not None:
            return known
        reason = self._bad.get(key, now)
        if reason is not None:
            raise Unauthenticated(reason=reason)
        task = self._asking.get(key)
        if task is None:
            task = asyncio.create_task(self._learn(key, ask(), now), name="auth-host")
            self._asking[key] = task
            task.add_done_callback(lambda done: self._learnt(key, done))
        # Whoever waits may leave; the others still want to know.
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Wait for nothing more."""
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    async def _identify(self, token: str) -> Identity:
        return await self._host.ask(IDENTIFY, {"token": token}, identity_of)

    async def _recheck(self, identity: Identity) -> Identity:
        await self._host.ask(RECHECK, standing_of(identity), check_rechecked)
        # Nothing but that it stands is remembered, whenever its token ends.
        return replace(identity, expires=None)

    async def _learn(
        self, key: bytes, answer: Coroutine[Any, Any, Identity], asked: float
    ) -> Identity:
        try:
            identity = await answer
        except Unauthenticated as error:
            self._bad.put(key, error.reason or error.message, asked + self._bounds.bad_seconds)
            raise
        seconds = self._bounds.good_seconds
        if identity.expires is not None:
            seconds = min(seconds, identity.expires - self._today())
        # From the question on: the answer may have been on its way for long.
        self._good.put(key, identity, asked + seconds)
        return identity

    def _learnt(self, key: bytes, task: asyncio.Task[Any]) -> None:
        del self._asking[key]
        if not task.cancelled():
            # Seen, even if all who waited have left.
            task.exception()


def standing_of(identity: Identity) -> dict[str, Any]:
    """What the host needs to know to see whether it still stands by an identity."""
    return {"subject": identity.subject, "key": identity.key}


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
