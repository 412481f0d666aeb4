"""All that there is for `--auth-host`."""

from __future__ import annotations

from dataclasses import dataclass

from kronk.shared.settings import Settings

from .central import Central
from .host import AuthHost, auth_host_of
from .identities import Bounds, Identities

# At the end, for saying what the last calls came to.
_LAST_WORDS_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Delegation:
    """The host, who it knows, and what it counts."""

    host: AuthHost
    identities: Identities
    central: Central

    async def close(self) -> None:
        """The last words, and no more questions."""
        await self.central.close(_LAST_WORDS_SECONDS)
        await self.identities.close()
        await self.host.close()


def make_delegation(settings: Settings) -> Delegation:
    """By these settings, which name a host; `InvalidArgument` for what cannot work."""
    host = auth_host_of(settings)
    identities = Identities(host, Bounds(good_seconds=settings.auth_cache))
    return Delegation(host, identities, Central(host))
