"""What one Kronk asks another about tokens, and how that answers: the JSON of both, and its checks.

A token that is not good is an answer (`valid` is false) and no error: a 401 is about the asking
Kronk's own token.
"""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kronk.gateway.dialects.fields import first_error, load_object
from kronk.gateway.dialects.schemas import COUNT, NUMBER, TEXT, TRUTH, closed, nullable
from kronk.shared.errors import InvalidArgument, Unauthenticated
from kronk.shared.security.counters import Charge, Standing
from kronk.shared.security.grants import ENDPOINTS, Grants
from kronk.shared.security.identity import Identity

IDENTIFY = "/v1/kronk/auth/identify"
RECHECK = "/v1/kronk/auth/recheck"
CHARGE = "/v1/kronk/auth/charge"
SETTLE = "/v1/kronk/auth/settle"

Count = Annotated[int, Field(ge=0, le=2**53)]
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
RECHECKED = closed({"object": {"const": "auth.recheck"}, "valid": TRUTH}, {"reason": TEXT})
_STANDING = closed(
    {
        "of": {"enum": ["calls", "tokens"]},
        "limit": COUNT,
        "window": {"enum": ["day", "month", "year"]},
        "used": COUNT,
        "remaining": COUNT,
        "resets": COUNT,
    }
)
CHARGED = closed(
    {"object": {"const": "auth.charge"}, "valid": TRUTH},
    {
        "reason": TEXT,
        "allowed": TRUTH,
        "charge": TEXT,
        "calls": nullable(_STANDING),
        "tokens": nullable(_STANDING),
        "refused": nullable(_STANDING),
    },
)
SETTLED = closed({"object": {"const": "auth.settled"}, "charge": TEXT, "known": TRUTH})


class _Asked(BaseModel):
    """What is asked: nothing but the fields there are."""

    model_config = ConfigDict(strict=True, extra="forbid")


class IdentifyBody(_Asked):
    """Whose token is this?"""

    model_config = ConfigDict(title="IdentifyRequest")

    token: str


class RecheckBody(_Asked):
    """Is what was said of this one still true?"""

    model_config = ConfigDict(title="RecheckRequest")

    subject: _Id
    key: _Id | None


class ChargeBody(RecheckBody):
    """May this one call this endpoint now? If so, it is counted."""

    model_config = ConfigDict(title="ChargeRequest")

    endpoint: str
    # Its limits, as `identify` has said them.
    grants: dict[str, Any]
    # Asked again with the same one, a call is counted once.
    request_id: _Id


class SettleBody(_Asked):
    """What a call that was counted came to."""

    model_config = ConfigDict(title="SettleRequest")

    charge: _Id
    refund: bool = False
    prompt_tokens: Count = 0
    completion_tokens: Count = 0


Body = TypeVar("Body", bound=_Asked)


def parse(kind: type[Body], body: bytes) -> Body:
    """The request in `body`; `InvalidArgument` names the first field that is not acceptable."""
    try:
        return kind.model_validate(load_object(body))
    except ValidationError as error:
        raise first_error(error) from error


def parse_charge(body: bytes) -> tuple[ChargeBody, Grants]:
    """The request for a charge in `body`, and what it says is granted."""
    asked = parse(ChargeBody, body)
    if asked.endpoint not in ENDPOINTS:
        raise InvalidArgument(
            f"Invalid value for 'endpoint': expected one of {', '.join(ENDPOINTS)}",
            param="endpoint",
        )
    try:
        return asked, Grants.from_claims(asked.grants)
    except ValueError as error:
        raise InvalidArgument(f"Invalid value for 'grants': {error}", param="grants") from error


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


def invalid_object(kind: str, error: Unauthenticated) -> dict[str, Any]:
    """The answer about one that is not good, or not any more."""
    return {"object": kind, "valid": False, "reason": (error.reason or error.message)[:200]}


def charge_object(number: str, charge: Charge) -> dict[str, Any]:
    """The answer about a call."""
    return {
        "object": "auth.charge",
        "valid": True,
        "allowed": charge.allowed,
        "charge": number,
        "calls": _standing_object(charge.calls),
        "tokens": _standing_object(charge.tokens),
        "refused": _standing_object(charge.refused),
    }


def _standing_object(standing: Standing | None) -> dict[str, Any] | None:
    if standing is None:
        return None
    return dataclasses.asdict(standing) | {"remaining": standing.remaining}


def settled_object(number: str, known: bool) -> dict[str, Any]:
    """The answer to what a call came to; false if it was never counted, or long ago."""
    return {"object": "auth.settled", "charge": number, "known": known}
