"""A request that was let in: by whom, and what it has cost when it is over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kronk.shared.errors import PermissionDenied
from kronk.shared.security.identity import Identity

from .rules import Access


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a request came to."""

    status: int | None
    # The code of the error that ended it, also after its start; None when it went well.
    error: str | None
    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(slots=True)
class Admission:
    """One request of one identity. `settle` is called once, when the answer is over."""

    identity: Identity
    access: Access
    # Go out with the answer.
    headers: Mapping[str, str] = field(default_factory=dict)

    def check_model(self, name: str) -> None:
        """`PermissionDenied` when the identity may not use that model, whether it exists or
        not."""
        if self.identity.is_limited and not self.identity.grants.allows_model(name):
            raise PermissionDenied("model not authorized", param="model")

    def settle(self, outcome: Outcome) -> None:
        """Give back what a failure of ours has cost, and count what it has used."""


class Unlimited:
    """Counts nothing."""

    async def admit(self, identity: Identity, access: Access, once: str | None = None) -> Admission:
        return Admission(identity, access)
