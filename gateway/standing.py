"""How a request that waits for its model is doing, in words for its client.

The words are made of ours and of numbers only: they stand in a stream's comments, where a line
break or a name from outside would be read as something else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from kronk.shared.wire.to_gateway import Waiting

_PHASES = {
    "weights": "weights",
    "context": "context",
    "first_decode": "first decode",
    "projector": "projector",
}
_STATES = {
    "absent": "waiting for room for the model",
    "loading": "model loading",
    "ready": "waiting for a slot",
    "draining": "waiting for the model's last process to end",
    "backoff": "the model crashed",
    "failed": "the model failed",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """What the supervisor last said of those that wait, and which of them this one is."""

    # 1 is next.
    position: int
    seen: Waiting


def words(standing: Standing) -> str:
    """One line: `model loading, weights 45 %, 3 s left, 3rd in the queue`."""
    seen = standing.seen
    parts = [_STATES.get(seen.state, "waiting")]
    if seen.phase in _PHASES:
        parts.append(_PHASES[seen.phase] + _share(seen))
    if seen.eta is not None:
        parts.append(f"{_whole(seen.eta)} s left")
    if seen.retry_in is not None:
        parts.append(f"tried again in {_whole(seen.retry_in)} s")
    parts.append(f"{ordinal(standing.position)} in the queue")
    return ", ".join(parts)


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `3rd`, `11th`."""
    is_teen = number % 100 in (11, 12, 13)
    return f"{number}{'th' if is_teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def _share(seen: Waiting) -> str:
    # Of the other phases nobody reports how far they are.
    if seen.fraction is None or seen.phase not in ("weights", "projector"):
        return ""
    return f" {round(min(max(seen.fraction, 0.0), 1.0) * 100)} %"


def _whole(seconds: float) -> int:
    return math.ceil(seconds) if math.isfinite(seconds) and seconds > 0 else 0
