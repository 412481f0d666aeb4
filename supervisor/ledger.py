"""Whether a model may be loaded beside those that are, and who makes room for it. Pure.

Bytes are counted by device. A process holds what it was promised from the start of its load until
it is reaped, so that what was promised is never more than the budgets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

Bytes = Mapping[str, int]

# Sets of more candidates are not searched one by one.
MOST_SEARCHED = 12


@dataclass(frozen=True, slots=True)
class Holder:
    """A model that has memory."""

    model: str
    bytes: Bytes
    last_used: float
    # "idle" may be unloaded; "busy" has requests or loads; "kept" is pinned; "leaving" ends.
    standing: Literal["idle", "busy", "kept", "leaving"]


@dataclass(frozen=True, slots=True)
class Room:
    """What there is to be had."""

    budgets: Bytes
    # Models that may be loaded at a time.
    places: int


@dataclass(frozen=True, slots=True)
class Infeasible:
    """It does not fit into the empty machine."""

    device: str


@dataclass(frozen=True, slots=True)
class Fits:
    """It may be loaded now."""


@dataclass(frozen=True, slots=True)
class Evict:
    """It may be loaded when these are gone, which are idle."""

    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wait:
    """What it needs will come free: some are leaving, or `busy` ones will end some time."""

    busy: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Blocked:
    """Pinned models leave it no room."""

    by: tuple[str, ...]


Verdict = Infeasible | Fits | Evict | Wait | Blocked


def admit(need: Bytes, room: Room, holders: Sequence[Holder]) -> Verdict:
    """What is to happen before a model with this need may be loaded."""
    for device, size in need.items():
        if size > room.budgets.get(device, size):
            return Infeasible(device)
    if not _lacking(need, room, holders):
        return Fits()
    staying = [one for one in holders if one.standing != "leaving"]
    lacking = _lacking(need, room, staying)
    if not lacking:
        return Wait()
    kept = [one for one in staying if one.standing == "kept"]
    if _lacking(need, room, kept):
        return Blocked(tuple(one.model for one in kept))
    chosen = smallest(lacking, [one for one in staying if one.standing == "idle"])
    if chosen is None:
        return Wait(tuple(one.model for one in staying if one.standing == "busy"))
    return Evict(tuple(one.model for one in chosen))


def lacks_a_place(need: Bytes, room: Room, holders: Sequence[Holder]) -> bool:
    """Whether only the number of models is in the way, and no memory."""
    staying = [one for one in holders if one.standing != "leaving"]
    return set(_lacking(need, room, staying)) == {_PLACES}


def displace(
    need: Bytes, room: Room, holders: Sequence[Holder], may_go: Collection[str]
) -> tuple[str, ...]:
    """The fewest of `may_go`, busy or not, that would make room; none where all are too few."""
    staying = [one for one in holders if one.standing != "leaving"]
    candidates = [one for one in staying if one.model in may_go]
    chosen = smallest(_lacking(need, room, staying), candidates) or ()
    return tuple(one.model for one in chosen)


def over(room: Room, holders: Sequence[Holder]) -> tuple[str, ...]:
    """Idle models to unload because more is held than there is: something took more than was
    expected of it. As many as it takes, or all there are."""
    staying = [one for one in holders if one.standing != "leaving"]
    lacking = {
        device: size for device, size in _lacking({}, room, staying).items() if device != _PLACES
    }
    if not lacking:
        return ()
    idle = [one for one in staying if one.standing == "idle"]
    return tuple(one.model for one in smallest(lacking, idle) or idle)


def held(holders: Iterable[Holder]) -> dict[str, int]:
    """Bytes by device that are promised."""
    total: Counter[str] = Counter()
    for holder in holders:
        total.update(holder.bytes)
    return dict(total)


def smallest(lacking: Bytes, candidates: Sequence[Holder]) -> tuple[Holder, ...] | None:
    """The fewest candidates that together hold what is lacking on every device; of several such
    sets the one whose latest use is longest ago. None: all of them are too few."""
    oldest = sorted(candidates, key=lambda one: one.last_used)
    if not _covers(lacking, oldest):
        return None
    if len(oldest) > MOST_SEARCHED:
        return _pruned(lacking, oldest)
    for count in range(1, len(oldest)):
        found = [chosen for chosen in combinations(oldest, count) if _covers(lacking, chosen)]
        if found:
            return min(found, key=_recency)
    return tuple(oldest)


# One of `Room.places`, counted like a device of which each model takes one.
_PLACES = "places"


def _lacking(need: Bytes, room: Room, holders: Sequence[Holder]) -> dict[str, int]:
    """By how much it would be too much."""
    total = held(holders)
    missing = {
        device: total.get(device, 0) + need.get(device, 0) - budget
        for device, budget in room.budgets.items()
        if need.get(device, 0) or not need
    }
    missing[_PLACES] = len(holders) + 1 - room.places
    return {device: size for device, size in missing.items() if size > 0}


def _covers(lacking: Bytes, chosen: Sequence[Holder]) -> bool:
    total = held(chosen) | {_PLACES: len(chosen)}
    return all(total.get(device, 0) >= size for device, size in lacking.items())


def _recency(chosen: Sequence[Holder]) -> list[float]:
    return sorted((one.last_used for one in chosen), reverse=True)


def _pruned(lacking: Bytes, oldest: Sequence[Holder]) -> tuple[Holder, ...]:
    """The longest unused that are enough, without those that turn out not to be needed."""
    chosen: list[Holder] = []
    for one in oldest:
        if _covers(lacking, chosen):
            break
        chosen.append(one)
    for one in reversed(tuple(chosen)):
        rest = [other for other in chosen if other is not one]
        if _covers(lacking, rest):
            chosen = rest
    return tuple(chosen)
