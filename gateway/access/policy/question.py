"""What a policy is asked, and what is told of a token."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from kronk.gateway.access.rules import Gate
from kronk.shared.security.identity import Identity
from kronk.shared.settings import Mode


@dataclass(frozen=True, slots=True)
class Question:
    """May `identity` use the route behind `gate`?

    Signature, dates and revocation of its token were checked before, so that no policy can make a
    bad token a good one: `problem` is what is wrong with what was sent, and the identity is nobody
    then.
    """

    mode: Mode
    gate: Gate
    identity: Identity
    issuer: str
    problem: str | None = None

    def key(self) -> Hashable:
        """Equal for questions that have one answer: all that a policy can see is in it."""
        identity = self.identity
        grants = identity.grants
        return (
            self.gate,
            self.mode,
            self.problem,
            identity.subject,
            identity.name,
            identity.via,
            identity.admin,
            identity.key,
            tuple(grants.endpoints.items()),
            grants.models,
            self.issuer,
        )

    def to_input(self) -> dict[str, Any]:
        """The `input` of a policy; docs/policies.md describes it."""
        access = self.gate.access
        return {
            "mode": self.mode,
            "class": access.kind,
            "endpoint": access.endpoint,
            "method": self.gate.method,
            "route": self.gate.path,
            "token": self._token(),
            "problem": self.problem,
        }

    def _token(self) -> dict[str, Any] | None:
        identity = self.identity
        if self.problem is not None or identity.via in ("open", "anonymous"):
            return None
        grants = identity.grants
        return {
            "verified": True,
            "via": identity.via,
            "issuer": self.issuer,
            "key": identity.key,
            "subject": identity.subject,
            "name": identity.name,
            "admin": identity.admin,
            "endpoints": {name: limit.to_claim() for name, limit in grants.endpoints.items()},
            "models": None if grants.models is None else list(grants.models),
        }
