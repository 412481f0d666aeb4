"""By which names this server may be asked.

A web page of `evil.example` can have its own name resolve to 127.0.0.1 a moment later, and is then,
to the browser, of one origin with whatever listens there (DNS rebinding). What it cannot change is
the name in `Host`. So on connections from this machine (loopback, Unix sockets) the name must be
one of this machine's. Elsewhere names are the network's affair, and are checked when there is a
list. A literal address is no name that anybody could lead elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

from .addresses import address

# host, [v6] or either with a port. Browsers send international names in ASCII.
_HOST = re.compile(r"(?:([A-Za-z0-9._-]{1,253})|(\[[0-9A-Fa-f:.]{2,45}\]))(?::\d{1,5})?")

Verdict = Literal["allowed", "malformed", "foreign"]


def name_of(host: str) -> str | None:
    """The name or address in a Host header, in small letters, without port, brackets and final dot;
    None where it is none."""
    found = _HOST.fullmatch(host.strip())
    if found is None:
        return None
    return (found[1] or found[2].strip("[]")).lower().removesuffix(".") or None


def is_loopback(name: str) -> bool:
    """Whether it is this machine by itself, whatever a name service says."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    found = address(name)
    return found is not None and found.is_loopback


class Hosts:
    """The names of `--allowed-hosts`, and the one that `--api-host` has."""

    def __init__(self, allowed: Sequence[str], own: str) -> None:
        self._allowed = tuple(allowed)
        self._own = own.lower()
        self.verdict = lru_cache(maxsize=1024)(self._verdict)

    def _verdict(self, host: str, local: str | None, *, is_probe: bool = False) -> Verdict:
        """Of a request with this Host over a connection to the address `local`, None for a Unix
        socket. A probe may use any address, as that is all that probes of a network know."""
        name = name_of(host)
        if name is None:
            return "malformed"
        near = local is None or is_loopback(local)
        if not near and not self._allowed:
            return "allowed"
        literal = address(name)
        fits = (
            (near and is_loopback(name))
            or name == self._own
            or self._is_listed(name)
            or (literal is not None and (is_probe or (local and literal == address(local))))
        )
        return "allowed" if fits else "foreign"

    def _is_listed(self, name: str) -> bool:
        return any(
            name.endswith(rule[1:]) if rule.startswith("*") else name == rule.strip("[]")
            for rule in self._allowed
        )
