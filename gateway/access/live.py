"""Ends what was begun with a token that has been taken back meanwhile, or with a login that was
ended.

A token that expires ends nothing: what was begun in time is answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeVar

import structlog

from kronk.gateway.exchange import Exchange
from kronk.gateway.run import Run
from kronk.shared.errors import KronkError, Unauthenticated
from kronk.shared.security.identity import Identity

from .control import AccessControl

# Between two looks.
EVERY = 0.5

# A subject and a key, which is all there is to take back of a token; or a subject and its login.
Bearer = tuple[str | None, str | None]
Recheck = Callable[[Identity], Awaitable[None]]
T = TypeVar("T")

log = structlog.get_logger()


def bearer_of(identity: Identity) -> Bearer | None:
    """None for who has nothing that could be taken back."""
    if identity.via in ("token", "delegated"):
        return identity.subject, identity.key
    return None if identity.session is None else (identity.subject, identity.session)


def by_bearer(live: Iterable[tuple[Identity, T]]) -> dict[Bearer, tuple[Identity, list[T]]]:
    """What runs for tokens, together with one identity of each."""
    found: dict[Bearer, tuple[Identity, list[T]]] = {}
    for identity, item in live:
        bearer = bearer_of(identity)
        if bearer is not None:
            found.setdefault(bearer, (identity, []))[1].append(item)
    return found


def which_end(
    live: Mapping[Bearer, tuple[Identity, list[T]]],
    problems: Mapping[Bearer, KronkError | None],
) -> list[tuple[T, KronkError]]:
    """What ends, with what its client is told. `problems` is what is wrong with a token now; a
    503, where nobody could say, ends nothing."""
    return [
        (item, _told(problem))
        for bearer, (_, items) in live.items()
        if isinstance(problem := problems.get(bearer), Unauthenticated)
        for item in items
    ]


def _told(problem: Unauthenticated) -> Unauthenticated:
    if problem.reason != "revoked":
        return problem
    return Unauthenticated("the token was revoked", reason=problem.reason)


def still_good(access: AccessControl, identity: Identity) -> Callable[[], Awaitable[None]]:
    """What a stream calls that is no request to a model, now and then: raises `Unauthenticated`
    once the token is taken back that it was asked for with."""

    async def check() -> None:
        if bearer_of(identity) is None:
            return
        try:
            await access.recheck(identity)
        except Unauthenticated as problem:
            raise _told(problem) from problem
        except KronkError:
            # Nobody can say now.
            return

    return check


class LiveWatch:
    """Looks at all requests of an exchange, running and waiting, as long as the gateway lives."""

    def __init__(self, exchange: Exchange, recheck: Recheck) -> None:
        """`recheck` raises `Unauthenticated` for an identity that is not good any more."""
        self._exchange = exchange
        self._recheck = recheck

    async def run(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(EVERY)
            try:
                await self.look()
            except Exception:
                # A database that cannot be read now is read again next time.
                log.exception("cannot look at who was let in")

    async def look(self) -> None:
        """End what is to end now."""
        live = by_bearer((run.by, run) for run in self._exchange.runs)
        if not live:
            return
        problems = await asyncio.gather(*[self._problem(one) for one, _ in live.values()])
        for run, why in which_end(live, dict(zip(live, problems, strict=True))):
            self._end(run, why)

    async def _problem(self, identity: Identity) -> KronkError | None:
        try:
            await self._recheck(identity)
        except KronkError as error:
            return error
        return None

    def _end(self, run: Run, why: KronkError) -> None:
        log.info(
            "request ended: what let it in was taken back", request_id=run.name, who=run.by.label
        )
        self._exchange.end(run, why)
