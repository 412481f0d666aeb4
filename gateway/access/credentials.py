"""What a client has sent to say who it is. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from kronk.shared.errors import Unauthenticated

# Of the browser's login; the second is what it is called over TLS, where browsers then hold it to
# this host.
SESSION_COOKIE, TLS_SESSION_COOKIE = "kronk_session", "__Host-kronk_session"


@dataclass(frozen=True, slots=True)
class Credential:
    """A token, or the value of a session's cookie."""

    kind: Literal["token", "session"]
    text: str = field(repr=False)


def credential_of(headers: Iterable[tuple[bytes, bytes]]) -> Credential | None:
    """The one credential of a request, by its raw headers.

    A token is in `Authorization: Bearer`, or where Anthropic's clients have it, in `x-api-key`; it
    goes before a cookie. Two that differ are an attempt to be taken for two people:
    `Unauthenticated`.
    """
    tokens: list[str] = []
    cookies: list[str] = []
    for name, value in headers:
        if name == b"authorization":
            tokens.append(_bearer(value))
        elif name == b"x-api-key":
            tokens.append(value.strip().decode("latin-1"))
        elif name == b"cookie":
            cookies.append(value.decode("latin-1"))
    sessions = _sessions(";".join(cookies))
    for kind, found in (("token", tokens), ("session", sessions)):
        if len(set(found)) > 1:
            raise Unauthenticated(reason=f"two different {kind}s in one request")
    if tokens:
        return Credential("token", tokens[0])
    return Credential("session", sessions[0]) if sessions else None


def _bearer(value: bytes) -> str:
    scheme, _, token = value.strip().decode("latin-1").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated(reason="an authorization header without a bearer token")
    return token.strip()


def _sessions(cookies: str) -> list[str]:
    pairs = [part.strip().partition("=") for part in cookies.split(";")]
    held = [value for name, _, value in pairs if name == TLS_SESSION_COOKIE]
    # The other one may be left from before there was TLS, or be planted by another port.
    return held or [value for name, _, value in pairs if name == SESSION_COOKIE]
