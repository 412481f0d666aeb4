"""Who made a batch, as its record keeps it: its lines run later, under what was granted then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from kronk.shared.security.grants import Grants
from kronk.shared.security.identity import ANONYMOUS, OPEN, Identity, Via


@dataclass(frozen=True, slots=True)
class Maker:
    """What is kept of an identity. That a token has expired since does not matter: the batch was
    asked for before."""

    subject: str | None = None
    name: str | None = None
    admin: bool = False
    # As in a token.
    grants: Mapping[str, Any] = field(default_factory=dict)
    # The id of the key that signed the token.
    key: str | None = None
    via: str = ANONYMOUS.via


# Batches of earlier versions are nobody's in particular.
NOBODY = Maker()


def maker_of(identity: Identity) -> Maker:
    """What a record keeps of who asks."""
    return Maker(
        identity.subject,
        identity.name,
        identity.admin,
        identity.grants.to_claims(),
        identity.key,
        identity.via,
    )


def identity_of(maker: Maker, *, is_open: bool) -> Identity:
    """Who the lines run for. `is_open`: nobody is asked who they are, now.

    That nobody was asked then is no leave to do what is forbidden now.
    """
    if is_open:
        return OPEN
    if maker.via == OPEN.via:
        return ANONYMOUS
    return Identity(
        maker.subject,
        maker.name,
        maker.admin,
        Grants.from_claims(maker.grants),
        maker.key,
        None,
        cast(Via, maker.via),
    )


def from_json(record: Mapping[str, Any] | None) -> Maker:
    """As it was stored; without such a record it is nobody's."""
    return NOBODY if record is None else replace(NOBODY, **record)
