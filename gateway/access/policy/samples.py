"""Questions of every kind: what a policy is tried with before it decides, and compared by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import get_args

from kronk.gateway.access.rules import (
    ADMINISTRATION,
    DELEGATION,
    DISCOVERY,
    PUBLIC,
    READING,
    Access,
    Gate,
    inference,
)
from kronk.shared.security.grants import UNLIMITED, Grants, Limit
from kronk.shared.security.identity import ANONYMOUS, Identity
from kronk.shared.settings import Mode

from .question import Question

_SUBJECT = "00000000-0000-4000-8000-000000000000"
ROUTES: tuple[tuple[Access, str, str], ...] = (
    (PUBLIC, "GET", "/v1/liveness"),
    (DISCOVERY, "GET", "/v1/models"),
    (inference("chat-completions"), "POST", "/v1/chat/completions"),
    (inference("embeddings"), "POST", "/v1/embeddings"),
    (READING, "GET", "/v1/kronk/ps"),
    (ADMINISTRATION, "POST", "/v1/kronk/reload"),
    (DELEGATION, "POST", "/v1/kronk/auth/check"),
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody, by what was sent."""

    name: str
    identity: Identity = ANONYMOUS
    problem: str | None = None


def _user(**endpoints: Limit) -> Identity:
    grants = Grants({name.replace("_", "-"): limit for name, limit in endpoints.items()})
    return Identity(_SUBJECT, name="somebody", grants=grants, key="a-key")


CALLERS: tuple[Caller, ...] = (
    Caller("no token"),
    Caller("a bad token", problem="invalid"),
    Caller("a token without grants", _user()),
    Caller("a token for chat", _user(chat_completions=UNLIMITED)),
    Caller("a token for 100 chats a day", _user(chat_completions=Limit(100, "day"))),
    Caller("a token for 0 chats a day", _user(chat_completions=Limit(0, "day"))),
    Caller("a token for monitoring", _user(monitoring=UNLIMITED)),
    Caller("a token for delegation", _user(delegation=UNLIMITED)),
    Caller("the admin", Identity(_SUBJECT, admin=True, key="master")),
    Caller("a login", Identity(_SUBJECT, admin=True, via="session")),
)


def samples(issuer: str = "kronk") -> Iterator[tuple[Caller, Question]]:
    """Each mode, kind of route and kind of caller, once."""
    modes: tuple[Mode, ...] = get_args(Mode)
    for mode in modes:
        for access, method, path in ROUTES:
            for caller in CALLERS:
                gate = Gate(access, method, path)
                yield caller, Question(mode, gate, caller.identity, issuer, caller.problem)
