"""Lets everybody in, for tests of what comes after."""

from __future__ import annotations

from kronk.gateway.access.admission import Admission
from kronk.gateway.access.rules import Access
from kronk.shared.security.identity import Identity


class Unlimited:
    """Counts nothing."""

    async def admit(self, identity: Identity, access: Access, once: str | None = None) -> Admission:
        return Admission(identity, access)
