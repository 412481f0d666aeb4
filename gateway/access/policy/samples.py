"""Questions of every kind: what a policy is tried with before it decides, and compared by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kronk.gateway.access.rules import (
    ADMINISTRATION,
    DELEGATION,
    DISCOVERY,
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
# What is public is not asked about.
ROUTES: tuple[tuple[Access, str, str], ...] = (
    (DISCOVERY, "GET", "/v1/models"),
    (inference("chat-completions"), "POST", "/v1/chat/completions"),
    (inference("embeddings"), "POST", "/v1/embeddings"),
    (READING, "GET", "/v1/kronk/ps"),
    (ADMINISTRATION, "POST", "/v1/kronk/reload"),
    (DELEGATION, "POST", "/v1/kronk/auth/check"),
)
# In mode `open` nothing is asked.
MODES: tuple[Mode, ...] = ("management", "authenticated", "protected")


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
    """Each mode, kind of route and kind of caller that policies are asked about, once."""
    for mode in MODES:
        for access, method, path in ROUTES:
            for caller in CALLERS:
                gate = Gate(access, method, path)
                yield caller, Question(mode, gate, caller.identity, issuer, caller.problem)
