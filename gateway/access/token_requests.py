"""What is asked about keys and tokens, and the schema of what is answered."""

from __future__ import annotations

from typing import get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from kronk.gateway.dialects.fields import first_error, load_object
from kronk.gateway.dialects.schemas import (
    COUNT,
    NUMBER,
    TEXT,
    TRUTH,
    Schema,
    array,
    closed,
    listed,
    nullable,
)
from kronk.shared.security.grants import WINDOWS
from kronk.shared.security.wishes import RevocationWish, TokenWish, parse_wish
from kronk.shared.settings import Mode

_NONE = nullable(TEXT)
_LIMIT = closed({"limit": COUNT, "window": {"enum": list(WINDOWS)}})
_GRANTS: dict[str, Schema] = {
    "endpoints": {"type": "object", "additionalProperties": _LIMIT},
    "models": nullable(array(TEXT)),
    "tokens": nullable(_LIMIT),
    "concurrency": nullable(COUNT),
}
_TOKEN: dict[str, Schema] = {
    "object": {"const": "kronk.token"},
    "subject": TEXT,
    "name": _NONE,
    "admin": TRUTH,
    "state": {"enum": ["good", "expired", "revoked", "without key"]},
    "key": TEXT,
    "issued": NUMBER,
    "expires": NUMBER,
    "issued_by": TEXT,
    **_GRANTS,
}
_REVOCATION: dict[str, Schema] = {
    "object": {"const": "kronk.revocation"},
    "subject": TEXT,
    "revoked": NUMBER,
    "by": TEXT,
    "reason": _NONE,
    "expires": NUMBER,
}
KEY = closed({"object": {"const": "kronk.key"}, "id": TEXT, "created": COUNT})
DELETED = closed({"object": {"const": "kronk.key"}, "id": TEXT, "deleted": {"const": True}})
TOKENS = listed(closed(_TOKEN))
CREATED = closed({**_TOKEN, "token": TEXT})
REVOKED = closed({**_REVOCATION, "known": TRUTH, "replaced": TRUTH})
REVOCATIONS = listed(closed(_REVOCATION))
INSPECTION = closed(
    {
        "object": {"const": "kronk.inspection"},
        "good": TRUTH,
        "reason": _NONE,
        "key": _NONE,
        "claims": nullable({"type": "object"}),
    }
)
WHO = closed(
    {
        "object": {"const": "kronk.identity"},
        "subject": _NONE,
        "name": _NONE,
        "admin": TRUTH,
        "via": TEXT,
        "expires": nullable(NUMBER),
        **_GRANTS,
    }
)
OVERVIEW = closed(
    {
        "object": {"const": "kronk.security"},
        "mode": {"enum": list(get_args(Mode))},
        "auth_host": _NONE,
        "policy": TEXT,
        "policy_problem": _NONE,
        "tls": TRUTH,
        "tls_cert": _NONE,
        "issuer": TEXT,
        "keys_folder": TEXT,
        "keys_folder_fault": _NONE,
        "admin_token_fault": _NONE,
        "keys": COUNT,
        "tokens": COUNT,
        "revocations": COUNT,
    }
)


class TokenBody(BaseModel):
    """The fields of a request for a token, as `kronk security token create` has them."""

    model_config = ConfigDict(strict=True, extra="forbid", title="TokenRequest")

    duration: str
    endpoints: list[str] | None = None
    models: list[str] | None = None
    tokens: str | None = None
    concurrency: int | None = None
    admin: bool = False
    name: str | None = None
    subject: str | None = None


class InspectBody(BaseModel):
    """The fields of a question about a token."""

    model_config = ConfigDict(strict=True, extra="forbid", title="TokenInspectRequest")

    token: str


class RevokeBody(BaseModel):
    """The fields of a revocation; subject or token."""

    model_config = ConfigDict(strict=True, extra="forbid", title="TokenRevokeRequest")

    subject: str | None = None
    token: str | None = None
    reason: str | None = None


def parse_token_wish(body: bytes) -> TokenWish:
    """The token that is asked for; `InvalidArgument` names the first field that is wrong."""
    try:
        fields = TokenBody.model_validate(load_object(body))
    except ValidationError as error:
        raise first_error(error) from error
    return parse_wish(
        fields.duration,
        endpoints=_joined(fields.endpoints),
        models=_joined(fields.models),
        tokens=fields.tokens,
        concurrency=fields.concurrency,
        admin=fields.admin,
        name=fields.name,
        subject=fields.subject,
    )


def parse_inspect(body: bytes) -> str:
    """The token; no error repeats it."""
    try:
        return InspectBody.model_validate(load_object(body)).token
    except ValidationError as error:
        raise first_error(error) from None


def parse_revoke(body: bytes) -> RevocationWish:
    """Whose tokens are to end; no error repeats a token."""
    try:
        fields = RevokeBody.model_validate(load_object(body))
    except ValidationError as error:
        raise first_error(error) from None
    return RevocationWish(fields.subject, fields.token, fields.reason)


def _joined(words: list[str] | None) -> str | None:
    return None if words is None else ",".join(words)
