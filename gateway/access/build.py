"""Puts together who decides about requests, by the settings."""

from __future__ import annotations

from kronk.shared.errors import InvalidArgument, Unauthenticated
from kronk.shared.security.identity import Identity
from kronk.shared.settings import Settings

from .admission import Unlimited
from .control import AccessControl
from .credentials import Credential
from .rules import Gate


def make_access(settings: Settings) -> AccessControl:
    """The control of this gateway."""
    if settings.mode != "open":
        raise InvalidArgument(
            f"--auth-mode={settings.mode}: this version of Kronk does not have it yet",
            param="auth_mode",
        )
    return AccessControl("open", Nobody(), Nobody(), Unlimited())


class Nobody:
    """Knows no token and allows nothing: for where nobody is asked."""

    async def identify(self, credential: Credential) -> Identity:
        raise Unauthenticated

    async def recheck(self, identity: Identity) -> None:
        raise Unauthenticated

    async def check(self, gate: Gate, identity: Identity, problem: Unauthenticated | None) -> None:
        raise Unauthenticated
