"""Who may use the debug server: decided as for the API, and without the gateway's own loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request

from kronk.gateway.access.admission import Admission
from kronk.gateway.access.control import AccessControl
from kronk.gateway.access.known import Known, Nobody, OwnTokens, Tokens
from kronk.gateway.access.policy import Policy, make_policy
from kronk.gateway.access.rules import Access, Gate
from kronk.gateway.access.sessions import Sessions
from kronk.shared.database import Database
from kronk.shared.security.identity import Identity
from kronk.shared.security.keys import Keyring
from kronk.shared.security.password import Watched
from kronk.shared.security.registry import Registry
from kronk.shared.security.revoked_copy import RevokedCopy
from kronk.shared.settings import Settings

if TYPE_CHECKING:
    from kronk.gateway.access.delegation.build import Delegation


class Free:
    """A `Limiter`: nobody pays for looking at a server."""

    async def admit(self, identity: Identity, access: Access, once: str | None = None) -> Admission:
        """Let in."""
        return Admission(identity, access)


class Door:
    """Has keys, sessions and policies of its own: those of the API belong to a loop that may hang.
    An engine of policies is started for the first request that has to be decided about."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        base = settings.base
        # Opened now: later somebody may hold the turn to write.
        self._sessions = Sessions(database.table("sessions"), Watched(base.keys))
        self._registry = Registry(database, RevokedCopy(base.keys))
        self._control: AccessControl | None = None
        self._policy: Policy | None = None
        self._delegation: Delegation | None = None

    async def admit(self, request: Request, gate: Gate) -> None:
        """Let the request in, or raise why not."""
        if self._control is None:
            self._control = self._make()
        await self._control.admit(request, gate)

    async def close(self) -> None:
        """Nobody is let in any more."""
        if self._policy is not None:
            await self._policy.close()
        if self._delegation is not None:
            await self._delegation.close()

    def _make(self) -> AccessControl:
        settings = self._settings
        if settings.mode == "open":
            return AccessControl("open", Nobody(), Nobody(), Free())
        tokens: Tokens
        if settings.auth_host is not None:
            # It takes an HTTP client.
            from kronk.gateway.access.delegation.build import make_delegation

            delegation = make_delegation(settings)
            self._delegation, tokens = delegation, delegation.identities
            self._policy = make_policy(settings)
        else:
            keyring = Keyring(settings.base.keys)
            tokens = OwnTokens(keyring, settings.auth_issuer, self._registry.is_revoked)
            self._policy = make_policy(settings, lambda: keyring.stamp)
        return AccessControl(settings.mode, Known(tokens, self._sessions), self._policy, Free())
