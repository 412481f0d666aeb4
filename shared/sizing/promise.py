"""What a model is promised of each device: its expected size, and room for caches. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .placing import HOST
from .predict import Prediction

Bytes = Mapping[str, int]

# The part of the budget that one model's cached prefixes may have. They are worth less than
# another model.
CACHE_SHARE = 8


@dataclass(frozen=True, slots=True)
class Promise:
    """Bytes by device."""

    bytes: Bytes
    # Of it, for cached prefixes.
    cache_bytes: int
    # Without caches.
    expected: Bytes


def promise(prediction: Prediction, learned: Bytes, budgets: Bytes) -> Promise:
    """`learned` is what the load is expected to take, by what was measured; a device without a
    budget has no limit. Cached prefixes get what is left, up to a share."""
    predicted, clips = prediction.by_device, prediction.clip_bytes
    room = dict(budgets)
    if HOST in room:
        room[HOST] -= clips
    expected = {
        device: _bounded(size, predicted.get(device, 0), room.get(device))
        for device, size in learned.items()
    }
    used = expected.get(HOST, 0) + clips
    cache = prediction.cache_bytes
    if HOST in budgets:
        cache = max(min(cache, budgets[HOST] // CACHE_SHARE, budgets[HOST] - used), 0)
    return Promise({**expected, HOST: used + cache}, cache, expected)


def _bounded(learned: int, predicted: int, room: int | None) -> int:
    """What was learned, but never so much that a model which has run here would be refused: it has
    the budget to itself then."""
    return learned if room is None or predicted > room else min(learned, room)
