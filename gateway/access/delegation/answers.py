"""What the authentication host has answered, checked: a word that makes no sense is none.

A function for each answer; ValueError is one that is not in the form of `delegation`.
"""

from __future__ import annotations

from typing import Any, Literal

import pydantic_core
from pydantic import BaseModel, ConfigDict, Field

from kronk.shared.errors import Unauthenticated
from kronk.shared.security.counters import Charge, Standing
from kronk.shared.security.grants import Grants
from kronk.shared.security.identity import Identity
from kronk.shared.security.windows import windows_at

from .questions import Count


class _Answered(BaseModel):
    """What is read of an answer. A newer host may say more."""

    model_config = ConfigDict(strict=True, extra="ignore")

    valid: bool
    reason: str = "invalid token"

    def check(self) -> None:
        """`Unauthenticated` if it is about one that is not good."""
        if not self.valid:
            raise Unauthenticated(reason=self.reason[:200])


class _Identified(_Answered):
    subject: str | None = None
    name: str | None = None
    admin: bool = False
    grants: dict[str, Any] = Field(default_factory=dict)
    key: str | None = None
    expires: float | None = None


def identity_of(answer: bytes) -> Identity:
    """Who it is, by the host's answer. `Unauthenticated` if it is nobody, ValueError if that is no
    such answer."""
    found = _Identified.model_validate(_json(answer))
    found.check()
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


def check_rechecked(answer: bytes) -> None:
    """`Unauthenticated` if it is not good any more, ValueError if that is no such answer."""
    _Answered.model_validate(_json(answer)).check()


class _Standing(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")

    of: Literal["calls", "tokens"]
    limit: Count
    window: Literal["day", "month", "year"]
    used: Count
    resets: Count

    def read(self) -> Standing:
        return Standing(self.of, self.limit, self.window, self.used, self.resets)


class _Charged(_Answered):
    allowed: bool = False
    calls: _Standing | None = None
    tokens: _Standing | None = None
    refused: _Standing | None = None


def charge_of(answer: bytes, subject: str, endpoint: str, now: float) -> Charge:
    """What the host says of a call. `Unauthenticated` if who calls is not known any more,
    ValueError if that is no such answer."""
    found = _Charged.model_validate(_json(answer))
    found.check()
    if found.allowed == (found.refused is not None):
        raise ValueError("a call is allowed, or something refuses it")
    calls, tokens, refused = (
        None if standing is None else standing.read()
        for standing in (found.calls, found.tokens, found.refused)
    )
    return Charge(subject, endpoint, windows_at(now), calls, tokens, refused)


class _Settled(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")

    known: bool


def is_settled(answer: bytes) -> bool:
    """Whether the host knew the call; ValueError if that is no such answer."""
    return _Settled.model_validate(_json(answer)).known


def _json(answer: bytes) -> Any:
    return pydantic_core.from_json(answer, allow_inf_nan=False)
