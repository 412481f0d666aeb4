"""Names that somebody may have meant who wrote one that there is not."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

# Of what was asked for; nobody means a name that is longer.
_LOOKED_AT = 200
_MOST = 3
_ALIKE = 0.5
# A beginning is short, and similar to many.
_BEGINS_ALIKE = 0.75


def hint(wanted: str, names: Iterable[str]) -> str:
    """`; did you mean a or b?` with at most three of the names; nothing when none is similar."""
    near = nearest(wanted, names)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def nearest(wanted: str, names: Iterable[str]) -> list[str]:
    """The names that `wanted` is a part of; else those that are like it; else those that begin like
    it. Case does not matter."""
    part = wanted.lower()[:_LOOKED_AT]
    if not part:
        return []
    whole = {name.lower(): name for name in names}
    return (
        [name for low, name in whole.items() if part in low][:_MOST]
        or _like(part, whole, _ALIKE)
        or _like(part, _beginnings(part, whole), _BEGINS_ALIKE)
    )


def _beginnings(part: str, whole: dict[str, str]) -> dict[str, str]:
    """As long as `part`, of the names and of what is behind their last slash."""
    last = {low.rpartition("/")[2]: name for low, name in whole.items()}
    return {low[: len(part)]: name for low, name in reversed((whole | last).items())}


def _like(part: str, names: dict[str, str], least: float) -> list[str]:
    return [names[one] for one in difflib.get_close_matches(part, names, _MOST, least)]
