"""Before a route is run: who asks, whether that may, and what it is charged."""

from __future__ import annotations

from typing import Protocol

from starlette.requests import HTTPConnection

from kronk.gateway.record import record_of
from kronk.gateway.tracing.stages import stage
from kronk.shared.errors import Overloaded, Unauthenticated
from kronk.shared.security.identity import ANONYMOUS, OPEN, Identity
from kronk.shared.settings import Mode

from .admission import Admission
from .credentials import Credential, credential_of
from .rules import Access, Gate
from .same_origin import check_session_request, check_session_socket


class Authenticator(Protocol):
    """Knows tokens."""

    async def identify(self, credential: Credential) -> Identity:
        """Whose it is; `Unauthenticated` if it is nobody's, or not any more."""
        ...

    async def recheck(self, identity: Identity) -> None:
        """`Unauthenticated` if what made it known is not good any more."""
        ...


class Decider(Protocol):
    """Knows what may be done."""

    @property
    def problem(self) -> str | None:
        """What is wrong with newer rules that are not in force."""
        ...

    async def check(
        self, gate: Gate, identity: Identity, problem: Unauthenticated | None
    ) -> tuple[str, ...] | None:
        """Return if `identity` may, and with which models, None being all; `problem` is what is
        wrong with a credential that was sent, if any. Else `Unauthenticated`, `PermissionDenied`,
        or a 503 where it cannot be known."""
        ...


class Limiter(Protocol):
    """Counts calls."""

    async def admit(self, identity: Identity, access: Access, once: str | None = None) -> Admission:
        """Charge a call; `RateLimited` when there is none left. What was charged under the name
        `once` and not given back is not charged again."""
        ...


class AccessControl:
    """One per gateway."""

    def __init__(
        self, mode: Mode, authenticator: Authenticator, decider: Decider, limiter: Limiter
    ) -> None:
        self.mode = mode
        self._authenticator = authenticator
        self._decider = decider
        self._limiter = limiter

    async def admit(self, request: HTTPConnection, gate: Gate) -> None:
        """Let the request in, which its record says then; or raise why not."""
        with stage("auth", {"kronk.access": gate.access.kind}):
            await self._admit(request, gate)

    async def _admit(self, request: HTTPConnection, gate: Gate) -> None:
        record = record_of(request.scope)
        record.gate = gate
        record.target = " ".join(str(value) for value in request.path_params.values()) or None
        identity, problem = await self._known(request, gate)
        record.identity = identity
        models = None
        if self.mode != "open" and gate.access.kind != "public":
            models = await self._decider.check(gate, identity, problem)
        record.admission = await self._limiter.admit(identity, gate.access)
        record.admission.models = models

    async def admit_again(self, identity: Identity, gate: Gate, once: str) -> Admission:
        """The same for work that somebody has left here to be done: what is true of the identity
        now counts, such as that its token was revoked.

        `once` names the work, which is charged a single time however often it is begun.
        """
        models = await self.check(identity, gate)
        admission = await self._limiter.admit(identity, gate.access, once)
        admission.models = models
        return admission

    @property
    def policy_problem(self) -> str | None:
        """What is wrong with newer policies than those in force."""
        return self._decider.problem

    async def check(self, identity: Identity, gate: Gate) -> tuple[str, ...] | None:
        """Raise why an identity may not do that now, if it may not; else with which models it may,
        None being all. Costs nothing."""
        if self.mode == "open":
            return None
        problem = await self._gone(identity)
        return await self._decider.check(gate, ANONYMOUS if problem else identity, problem)

    async def identify(self, request: HTTPConnection) -> Identity:
        """Who asks, for routes that answer everybody; whose credential is not good, or cannot be
        looked at now, is nobody."""
        if self.mode == "open":
            return OPEN
        try:
            credential = _credential(request)
            if credential is None:
                return ANONYMOUS
            return await self._authenticator.identify(credential)
        except (Unauthenticated, Overloaded):
            return ANONYMOUS

    async def whose(self, token: str) -> Identity:
        """Who has a token that somebody else was sent; `Unauthenticated` if nobody has."""
        return await self._authenticator.identify(Credential("token", token))

    async def recheck(self, identity: Identity) -> None:
        """`Unauthenticated` if what made it known is not good any more."""
        await self._authenticator.recheck(identity)

    async def _known(
        self, request: HTTPConnection, gate: Gate
    ) -> tuple[Identity, Unauthenticated | None]:
        if self.mode == "open":
            return OPEN, None
        if gate.access.kind == "public":
            return ANONYMOUS, None
        try:
            credential = _credential(request)
            if credential is None:
                return ANONYMOUS, None
            return await self._authenticator.identify(credential), None
        except Unauthenticated as error:
            return ANONYMOUS, error

    async def _gone(self, identity: Identity) -> Unauthenticated | None:
        """Why an identity that was good is none any more."""
        try:
            await self._authenticator.recheck(identity)
        except Unauthenticated as error:
            return error
        return None


def _credential(request: HTTPConnection) -> Credential | None:
    """What was sent; `PermissionDenied` for a session's cookie that another page had sent."""
    scope = request.scope
    headers, scheme = scope["headers"], scope["scheme"]
    credential = credential_of(headers)
    if credential is not None and credential.kind == "session":
        if scope["type"] == "websocket":
            check_session_socket(scheme, headers)
        else:
            check_session_request(scope["method"], scheme, headers)
    return credential
