"""What one Kronk asks another about tokens, and how it answers: the JSON of both sides.

A token that is not good is an answer (`valid` is false) and no error: a 401 is about the asking
Kronk's own token.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import pydantic_core
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kronk.gateway.dialects.fields import first_error, load_object
from kronk.gateway.dialects.schemas import NUMBER, TEXT, TRUTH, closed, nullable
from kronk.shared.errors import InvalidArgument, Unauthenticated
from kronk.shared.security.grants import ENDPOINTS, Grants
from kronk.shared.security.identity import Identity

IDENTIFY = "/v1/kronk/auth/identify"
CHARGE = "/v1/kronk/auth/charge"
SETTLE = "/v1/kronk/auth/settle"

_Count = Annotated[int, Field(ge=0, le=2**53)]
_Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,128}$")]

IDENTIFIED = closed(
    {"object": {"const": "auth.identity"}, "valid": TRUTH},
    {
        "reason": TEXT,
        "subject": nullable(TEXT),
        "name": nullable(TEXT),
        "admin": TRUTH,
        "grants": {"type": "object"},
        "key": nullable(TEXT),
        "expires": nullable(NUMBER),
    },
)
SETTLED = closed({"object": {"const": "auth.settled"}, "charge": TEXT})


class _Asked(BaseModel):
    """What is asked: nothing but the fields there are."""

    model_config = ConfigDict(strict=True, extra="forbid")


class IdentifyBody(_Asked):
    """Whose token is this?"""

    model_config = ConfigDict(title="IdentifyRequest")

    token: str


class ChargeBody(_Asked):
    """May the owner of this token call this endpoint now? If so, it is counted."""

    model_config = ConfigDict(title="ChargeRequest")

    token: str
    endpoint: str
    # Asked again with the same one, a call is counted once.
    request_id: _Id


class SettleBody(_Asked):
    """What a call that was counted came to."""

    model_config = ConfigDict(title="SettleRequest")

    charge: _Id
    refund: bool = False
    prompt_tokens: _Count = 0
    completion_tokens: _Count = 0


Body = TypeVar("Body", bound=_Asked)


def parse(kind: type[Body], body: bytes) -> Body:
    """The request in `body`; `InvalidArgument` names the first field that is not acceptable."""
    try:
        return kind.model_validate(load_object(body))
    except ValidationError as error:
        raise first_error(error) from error


def parse_charge(body: bytes) -> ChargeBody:
    """The request for a charge in `body`."""
    asked = parse(ChargeBody, body)
    if asked.endpoint not in ENDPOINTS:
        raise InvalidArgument(
            f"Invalid value for 'endpoint': expected one of {', '.join(ENDPOINTS)}",
            param="endpoint",
        )
    return asked


def identity_object(identity: Identity) -> dict[str, Any]:
    """The answer about a good token."""
    return {
        "object": "auth.identity",
        "valid": True,
        "subject": identity.subject,
        "name": identity.name,
        "admin": identity.admin,
        "grants": identity.grants.to_claims(),
        "key": identity.key,
        "expires": identity.expires,
    }


def invalid_object(error: Unauthenticated) -> dict[str, Any]:
    """The answer about another one."""
    return {
        "object": "auth.identity",
        "valid": False,
        "reason": (error.reason or error.message)[:200],
    }


class _Identified(BaseModel):
    """What is read of an answer. A newer host may say more."""

    model_config = ConfigDict(strict=True, extra="ignore")

    valid: bool
    reason: str = "invalid token"
    subject: str | None = None
    name: str | None = None
    admin: bool = False
    grants: dict[str, Any] = Field(default_factory=dict)
    key: str | None = None
    expires: float | None = None


def identity_of(answer: bytes) -> Identity:
    """Who it is, by the host's answer. `Unauthenticated` if it is nobody, ValueError if that is no
    such answer."""
    found = _Identified.model_validate(pydantic_core.from_json(answer, allow_inf_nan=False))
    if not found.valid:
        raise Unauthenticated(reason=f"the authentication host: {found.reason[:200]}")
    if not found.subject:
        raise ValueError("an identity without a subject")
    return Identity(
        found.subject,
        found.name,
        found.admin,
        Grants.from_claims(found.grants),
        found.key,
        found.expires,
        via="delegated",
    )
