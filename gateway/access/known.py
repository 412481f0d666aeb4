"""Who asks: whose a token is, by our own keys, or whose a session of the browser."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from kronk.shared.errors import Unauthenticated
from kronk.shared.security.identity import Identity
from kronk.shared.security.keys import Keyring
from kronk.shared.security.tokens import Verifier

from .credentials import Credential
from .rules import Gate
from .sessions import ADMIN, Sessions


class Tokens(Protocol):
    """Who knows tokens: we do, or another Kronk."""

    async def identify(self, token: str) -> Identity:
        """Whose it is; `Unauthenticated` if it is nobody's, or not any more."""
        ...

    async def recheck(self, identity: Identity) -> None:
        """`Unauthenticated` if what made it known is not good any more. That a token expires does
        not count: what was left here in time is done."""
        ...


class OwnTokens:
    """Tokens that our own keys have signed."""

    def __init__(
        self,
        keyring: Keyring,
        issuer: str,
        is_revoked: Callable[[str], bool],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`is_revoked` is asked for the subject of each token at each request."""
        self._keyring = keyring
        self._verifier = Verifier(keyring, issuer)
        self._is_revoked = is_revoked
        self._clock = clock

    async def identify(self, token: str) -> Identity:
        """Whose it is; `Unauthenticated` if it is nobody's, or not any more."""
        claims = self._verifier.verify(token, self._clock())
        if self._is_revoked(claims.subject):
            raise Unauthenticated(reason="revoked")
        return claims.identity()

    async def recheck(self, identity: Identity) -> None:
        """As `Tokens` says."""
        if identity.key is None or self._keyring.get(identity.key) is None:
            raise Unauthenticated(reason="unknown key")
        if identity.subject is not None and self._is_revoked(identity.subject):
            raise Unauthenticated(reason="revoked")


class Known:
    """An `Authenticator`: tokens, and sessions of the browser, which are always our own."""

    def __init__(self, tokens: Tokens, sessions: Sessions) -> None:
        self._tokens = tokens
        self._sessions = sessions

    async def identify(self, credential: Credential) -> Identity:
        """Whose it is; `Unauthenticated` if it is nobody's, or not any more."""
        if credential.kind == "token":
            return await self._tokens.identify(credential.text)
        session = await self._sessions.identify(credential.text)
        if session is None:
            raise Unauthenticated(reason="no such session")
        return replace(ADMIN, expires=session.expires, session=session.key)

    async def recheck(self, identity: Identity) -> None:
        """As `Tokens` says, and the same for a session that was ended; what a session has left
        here to be done knows nothing of it, and is done."""
        if identity.via in ("token", "delegated"):
            await self._tokens.recheck(identity)
        elif identity.session is not None and self._sessions.is_ended(identity.session):
            raise Unauthenticated("the session was ended", reason="no such session")


class Nobody:
    """Knows no token and allows nothing; for where nobody is asked."""

    problem: str | None = None

    async def identify(self, credential: Credential) -> Identity:
        """`Unauthenticated`."""
        raise Unauthenticated

    async def recheck(self, identity: Identity) -> None:
        """`Unauthenticated`."""
        raise Unauthenticated

    async def check(self, gate: Gate, identity: Identity, problem: Unauthenticated | None) -> None:
        """`Unauthenticated`."""
        raise Unauthenticated
