"""Under which keys somebody's things are. Pure."""

from __future__ import annotations

import hashlib

from kronk.shared.security.identity import Identity

_NOBODY = "nobody"


def key_of(owner: str | None) -> str:
    """Whatever stands in a subject, no key of one begins with another's."""
    return _NOBODY if owner is None else hashlib.sha256(owner.encode()).hexdigest()[:32]


def prefixes_of(identity: Identity) -> tuple[str, ...]:
    """Of the keys that lists of that identity have.

    An administrator may open what is another's by its name, but his lists are not full of it. What
    is nobody's in particular was his as long as nobody was asked who he is.
    """
    if identity.via == "open":
        return ("",)
    own = f"{key_of(identity.subject)}/"
    if identity.sees_all and identity.subject is not None:
        return own, f"{_NOBODY}/"
    return (own,)
