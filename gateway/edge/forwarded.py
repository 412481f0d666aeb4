"""Who asks, and by what name and scheme, where there are proxies in between.

Anybody can send `X-Forwarded-For`; what is true of it is what a proxy of ours has added. So the
list is read from its end, past the proxies that are trusted, and what stands before the first
address that is not trusted is not believed. Of X-Forwarded-Proto and -Host the value counts that
the outermost of those proxies wrote. `Forwarded` (RFC 7239) is not read.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from .addresses import address

# Whoever connects by a Unix socket is on this machine.
NEAR = "127.0.0.1"
_SCHEMES = ("http", "https")


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of the client. `host` is None where its own Host header counts."""

    client: str
    scheme: str
    host: str | None = None


@dataclass(frozen=True, slots=True)
class Claims:
    """The values of the X-Forwarded headers, in the order they came, split at commas."""

    client: Sequence[str] = ()
    scheme: Sequence[str] = ()
    host: Sequence[str] = ()


class Proxies:
    """The networks of `--trusted-proxies`."""

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks = [ipaddress.ip_network(network) for network in networks]
        # Asked for each request, and of few addresses.
        self.trusts = lru_cache(maxsize=1024)(self._trusts)

    def _trusts(self, text: str) -> bool:
        found = address(text)
        return found is not None and any(found in network for network in self._networks)

    def seen(self, peer: str, scheme: str, claims: Claims) -> Seen:
        """Who asks, when `peer` is connected to us over `scheme`."""
        if not self.trusts(peer):
            return Seen(peer, scheme)
        client, hops = peer, 1
        for text in reversed(claims.client):
            found = address(text.strip())
            if found is None:
                # A name, `unknown`, or nonsense: nobody can say what is before it.
                break
            client = str(found)
            if not self.trusts(client):
                break
            hops += 1
        said = _written(claims.scheme, hops).lower()
        return Seen(
            client, said if said in _SCHEMES else scheme, _written(claims.host, hops) or None
        )


def _written(values: Sequence[str], hops: int) -> str:
    """The value of the outermost of that many proxies. Each may have added one, or replaced all."""
    return values[-min(hops, len(values))].strip() if values else ""
