"""Who may do what: the rules as they were agreed on, written without looking at the policies."""

from __future__ import annotations

from collections.abc import Iterator

from kronk.gateway.access.rules import Access
from kronk.shared.security.grants import UNLIMITED, Grants, Limit
from kronk.shared.security.identity import Identity

# What was sent. Nothing at all:
NOTHING = frozenset({"nothing"})
# A token or a login that is not good, and why.
BAD = frozenset({"garbage", "expired", "revoked"})
# A good token that grants: nothing; the endpoint of the route, without a limit, with one, with one
# of no calls; another endpoint; what is not an endpoint of models.
ADMINS = frozenset({"admin", "session"})
GRANTED = frozenset({"endpoint", "limited endpoint"})
KNOWN = ADMINS | GRANTED | {"no grants", "no calls", "another endpoint", "monitoring", "delegation"}
KINDS = sorted(NOTHING | BAD | KNOWN)

EVERYBODY = NOTHING | BAD | KNOWN
# Where no token is needed, what is none is as good; one that was good once is worse.
NEVER_GOOD = frozenset({"garbage"})
WITHOUT_BAD = NOTHING | NEVER_GOOD | KNOWN

# By mode and class: who may.
MAY: dict[str, dict[str, frozenset[str]]] = {
    "open": {
        "public": EVERYBODY,
        "discovery": EVERYBODY,
        "inference": EVERYBODY,
        "reading": EVERYBODY,
        "administration": EVERYBODY,
        "delegation": EVERYBODY,
    },
    "management": {
        "public": EVERYBODY,
        "discovery": WITHOUT_BAD,
        "inference": WITHOUT_BAD,
        "reading": ADMINS | {"monitoring"},
        "administration": ADMINS,
        "delegation": ADMINS | {"delegation"},
    },
    "authenticated": {
        "public": EVERYBODY,
        "discovery": KNOWN,
        "inference": KNOWN - {"no calls"},
        "reading": ADMINS | {"monitoring"},
        "administration": ADMINS,
        "delegation": ADMINS | {"delegation"},
    },
    "protected": {
        "public": EVERYBODY,
        "discovery": KNOWN,
        "inference": ADMINS | GRANTED,
        "reading": ADMINS | {"monitoring"},
        "administration": ADMINS,
        "delegation": ADMINS | {"delegation"},
    },
}


def status(mode: str, access_class: str, kind: str) -> int:
    """200 for who is let in, else 401 for who is not known and 403 for who may not."""
    if kind in MAY[mode][access_class]:
        return 200
    return 403 if kind in KNOWN else 401


def identity(kind: str, access: Access) -> Identity:
    """Somebody of a kind that is known, seen from a route of that access."""
    return Identity(
        "00000000-0000-4000-8000-000000000000",
        name=kind,
        admin=kind in ADMINS,
        grants=_grants(kind, access.endpoint or "chat-completions"),
        key=None if kind == "session" else "a-key",
        via="session" if kind == "session" else "token",
    )


def combinations() -> Iterator[tuple[str, str, str]]:
    """Each mode, class and kind."""
    for mode, classes in MAY.items():
        for access_class in classes:
            for kind in KINDS:
                yield mode, access_class, kind


def _grants(kind: str, endpoint: str) -> Grants:
    another = "embeddings" if endpoint != "embeddings" else "rerank"
    return Grants(
        {
            "endpoint": {endpoint: UNLIMITED},
            "limited endpoint": {endpoint: Limit(3, "month")},
            "no calls": {endpoint: Limit(0, "day"), another: UNLIMITED},
            "another endpoint": {another: UNLIMITED},
            "monitoring": {"monitoring": UNLIMITED},
            "delegation": {"delegation": UNLIMITED},
        }.get(kind, {})
    )
