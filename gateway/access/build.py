"""Puts together who decides about requests, by the settings."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import structlog

from kronk.shared.database import Database
from kronk.shared.security.counters import Counters
from kronk.shared.security.keys import Keyring
from kronk.shared.security.password import Watched
from kronk.shared.settings import Settings

from .control import AccessControl
from .known import Known, Nobody, OwnTokens, Tokens
from .limits import Limits
from .policy import Policy, make_policy
from .sessions import Sessions

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Access:
    """All that decides about requests, for as long as the gateway runs."""

    control: AccessControl
    limits: Limits
    sessions: Sessions
    # None where nobody is asked.
    policy: Policy | None

    async def close(self) -> None:
        """Nobody is let in any more; what was counted is on disk."""
        if self.policy is not None:
            await self.policy.close()
        # It waits for the disk.
        await asyncio.to_thread(self.limits.stop)


def make_access(settings: Settings, database: Database) -> Access:
    """The access of this gateway. `InvalidArgument` or `ServerError` say why there cannot be one:
    then nobody is served."""
    limits = Limits(Counters(settings.base.counters))
    sessions = Sessions(database.table("sessions"), Watched(settings.base.keys))
    if settings.mode == "open":
        return Access(AccessControl("open", Nobody(), Nobody(), limits), limits, sessions, None)
    keyring = Keyring(settings.base.keys)
    tokens = _own_tokens(settings, keyring, database)
    policy = make_policy(settings, lambda: keyring.stamp)
    control = AccessControl(settings.mode, Known(tokens, sessions), policy, limits)
    return Access(control, limits, sessions, policy)


def _own_tokens(settings: Settings, keyring: Keyring, database: Database) -> Tokens:
    made = keyring.ensure(settings.auth_issuer, time.time())
    if made:
        log.info("keys were made", folder=str(keyring.folder), files=list(made))
    revoked = database.table("revoked")
    return OwnTokens(
        keyring, settings.auth_issuer, lambda subject: revoked.get(subject) is not None
    )
