"""All that there is for `--auth-host`."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import structlog

from kronk.shared.errors import KronkError
from kronk.shared.settings import Settings

from .central import Central
from .host import AuthHost, auth_host_of
from .identities import Bounds, Identities

# At the end, for saying what the last calls came to.
_LAST_WORDS_SECONDS = 3.0
# Time to get another token, before nobody is let in any more.
_SOON_SECONDS = 14 * 86_400.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Delegation:
    """The host, who it knows, and what it counts."""

    host: AuthHost
    identities: Identities
    central: Central
    greeting: asyncio.Task[None]

    async def close(self) -> None:
        """The last words, and no more questions."""
        self.greeting.cancel()
        await asyncio.gather(self.greeting, return_exceptions=True)
        await self.central.close(_LAST_WORDS_SECONDS)
        await self.identities.close()
        await self.host.close()


def make_delegation(settings: Settings) -> Delegation:
    """By these settings, which name a host; `InvalidArgument` for what cannot work. What can work
    and does not is in the log before a user finds out."""
    host = auth_host_of(settings)
    identities = Identities(host, Bounds(good_seconds=settings.auth_cache))
    greeting = asyncio.create_task(greet(identities, host.token, time.time()), name="greeting")
    return Delegation(host, identities, Central(host), greeting)


async def greet(identities: Identities, own_token: str, now: float) -> None:
    """Ask the host about our own token, and write down what it says; `now` is the wall clock's."""
    try:
        own = await identities.identify(own_token)
    except KronkError as error:
        # Why is in the log by now.
        log.warning("nobody with a token is let in for now", reason=error.message)
        return
    left = None if own.expires is None else own.expires - now
    if left is not None and left < _SOON_SECONDS:
        log.warning(
            "the token of --auth-token ends soon, and nobody is let in after that",
            days=round(left / 86_400, 1),
        )
    log.info("the authentication host answers", who=own.label)
