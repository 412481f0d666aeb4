"""Which URLs of requests may be fetched, and at which addresses. Fetches and resolves nothing.

The setting lists hosts, each as `host`, `host:port`, `*.suffix` or `*`. Without a port only the
scheme's own is meant. A host that is listed by its name may be in a private network, since whoever
set the setting knows it; one that a `*` stands for must be at public addresses. So a request can
never make the server talk to a neighbour that nobody listed, whatever name leads there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import httpx

from kronk.shared.errors import InvalidArgument

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that may be fetched from addresses that are `within`."""

    url: httpx.URL
    # In ASCII, without brackets.
    host: str
    port: int
    within: Literal["anywhere", "public"]


def target(url: str, allowed: tuple[str, ...], where: str) -> Target:
    """What to connect to for `url`; `InvalidArgument` names `where` if the setting forbids it."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError) as error:
        raise _no(where, "not a valid URL") from error
    host = parsed.raw_host.decode("ascii").lower().rstrip(".")
    if parsed.scheme not in _PORTS or not host:
        raise _no(where, "expected an http or https URL with a host")
    if parsed.userinfo:
        raise _no(where, "a URL must not have a user name or a password")
    if not allowed:
        raise _no(where, "this server fetches no URLs (--media-urls); send a data URL")
    port = _PORTS[parsed.scheme] if parsed.port is None else parsed.port
    within = _within(host, port, port == _PORTS[parsed.scheme], allowed)
    if within is None:
        raise _no(where, f"this server does not fetch from {host[:100]}:{port} (--media-urls)")
    return Target(parsed, host, port, within)


def _within(
    host: str, port: int, is_usual_port: bool, allowed: tuple[str, ...]
) -> Literal["anywhere", "public"] | None:
    name = f"[{host}]" if ":" in host else host
    if f"{name}:{port}" in allowed or (is_usual_port and name in allowed):
        return "anywhere"
    for rule in allowed:
        if rule.startswith("*") and is_usual_port and host.endswith(rule[1:]):
            return "public"
    return None


def _no(where: str, why: str) -> InvalidArgument:
    return InvalidArgument(f"'{where}': {why}", param=where)
