"""Puts together who decides about requests, by the settings."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from kronk.shared.database import Database
from kronk.shared.security.administration import Administration
from kronk.shared.security.counters import Counters
from kronk.shared.security.keys import Keyring
from kronk.shared.security.password import Watched
from kronk.shared.security.registry import Registry
from kronk.shared.security.revoked_copy import RevokedCopy
from kronk.shared.settings import Settings

from .control import AccessControl
from .delegation.remote_calls import RemoteCalls
from .known import Known, Nobody, OwnTokens, Tokens
from .limits import Limits
from .policy import Policy, make_policy
from .sessions import Sessions

if TYPE_CHECKING:
    from .delegation.build import Delegation

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Access:
    """All that decides about requests, for as long as the gateway runs."""

    control: AccessControl
    limits: Limits
    sessions: Sessions
    # None where nobody is asked.
    policy: Policy | None
    remote_calls: RemoteCalls
    # Another Kronk that is asked, if any.
    delegation: Delegation | None = None

    async def close(self) -> None:
        """Nobody is let in any more; what was counted is on disk."""
        if self.policy is not None:
            await self.policy.close()
        if self.delegation is not None:
            await self.delegation.close()
        # It waits for the disk.
        await asyncio.to_thread(self.limits.stop)


def make_access(settings: Settings, database: Database) -> Access:
    """The access of this gateway. `InvalidArgument` or `ServerError` say why there cannot be one:
    then nobody is served."""
    limits = Limits(Counters(settings.base.counters))
    calls = RemoteCalls(limits)
    sessions = Sessions(database.table("sessions"), Watched(settings.base.keys))
    if settings.mode == "open":
        control = AccessControl("open", Nobody(), Nobody(), limits)
        return Access(control, limits, sessions, None, calls)
    if settings.auth_host is not None:
        return _delegating(settings, limits, calls, sessions)
    keyring = Keyring(settings.base.keys)
    tokens = _own_tokens(settings, keyring, database)
    policy = make_policy(settings, lambda: keyring.stamp)
    control = AccessControl(settings.mode, Known(tokens, sessions), policy, limits)
    return Access(control, limits, sessions, policy, calls)


def make_administration(settings: Settings, database: Database) -> Administration:
    """Of keys and tokens. Makes nothing itself."""
    registry = _registry(settings, database)
    return Administration(Keyring(settings.base.keys), registry, settings.auth_issuer)


def _registry(settings: Settings, database: Database) -> Registry:
    return Registry(database, RevokedCopy(settings.base.keys))


def _delegating(
    settings: Settings, limits: Limits, calls: RemoteCalls, sessions: Sessions
) -> Access:
    """No keys of our own are made, or looked at."""
    # They take an HTTP client.
    from .delegation.build import make_delegation
    from .delegation.limits import CentralLimits

    delegation = make_delegation(settings)
    policy = make_policy(settings)
    counted = CentralLimits(limits, delegation.central)
    control = AccessControl(settings.mode, Known(delegation.identities, sessions), policy, counted)
    return Access(control, limits, sessions, policy, calls, delegation)


def _own_tokens(settings: Settings, keyring: Keyring, database: Database) -> Tokens:
    made = keyring.ensure(settings.auth_issuer, time.time())
    if made:
        log.info("keys were made", folder=str(keyring.folder), files=list(made))
    registry, now = _registry(settings, database), time.time()
    restored = registry.restore(now)
    if restored:
        log.warning(
            "revocations were lost with the database, and are in force again", count=restored
        )
    operator = keyring.admin_subject(settings.auth_issuer, now)
    if operator is not None and registry.is_revoked(operator):
        # Put back from a copy, or revoked by an earlier version.
        keyring.replace_admin_token(settings.auth_issuer, now)
        log.warning("the operator's token was revoked; there is another one", subject=operator)
    return OwnTokens(keyring, settings.auth_issuer, registry.is_revoked)
