"""Whose turn it is, where several subjects want the same places. Pure; given a now.

Whoever holds the fewest places comes first; among those, whoever has had the least of them, in
place-seconds, so that one with long answers gets no more than one with short ones; among those,
whose last turn is longest ago. Who comes after a pause starts level with the one that had its turn
last, or that has had least of all who want something now: nobody saves turns up, and nobody is held
to what was had while nobody else wanted it. (Start-time fair queueing, with costs that are known
afterwards.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

# Where a queue is full and others come, it may grow to so many times what it is for one.
MOST_TIMES = 4


@dataclass(slots=True)
class _Account:
    """One subject's. `used` is of the time `at`; since then it has grown by what is held."""

    used: float
    at: float
    waiting: int = 0
    held: int = 0
    # When its last place was taken, in places taken by anybody.
    turn: int = 0

    @property
    def is_idle(self) -> bool:
        return not self.waiting and not self.held

    def used_by(self, now: float) -> float:
        return self.used + self.held * (now - self.at)

    def hold(self, change: int, now: float) -> None:
        self.used, self.at = self.used_by(now), now
        self.held += change


class FairShare:
    """Accounts of all subjects that want something, and of those that lately did.

    Each `arrive` is followed by one `depart`, and each `take` by one `free`. "" is a subject like
    any other: nobody in particular.
    """

    def __init__(self) -> None:
        self._accounts: dict[str, _Account] = {}
        self._turns = 0
        # What the subject that had the last turn had had before it.
        self._level = 0.0

    # What happens.

    def arrive(self, subject: str, now: float) -> None:
        """One more of the subject waits."""
        account = self._accounts.get(subject)
        if account is None or account.is_idle:
            account = self._come_back(subject, now)
        account.waiting += 1

    def depart(self, subject: str) -> None:
        """One of those that wait does not any more: it takes a place next, or was given up."""
        self._accounts[subject].waiting -= 1

    def take(self, subject: str, now: float) -> None:
        """The subject has one place more."""
        account = self._accounts.get(subject)
        if account is None:
            account = self._come_back(subject, now)
        self._turns += 1
        self._level = account.used_by(now)
        account.hold(1, now)
        account.turn = self._turns

    def free(self, subject: str, now: float) -> None:
        """The subject has one place less."""
        self._accounts[subject].hold(-1, now)

    def charge(self, subject: str, cost: float) -> None:
        """The subject has had something that is over at once."""
        account = self._accounts[subject]
        self._level = account.used
        account.used += cost

    def clear(self) -> None:
        """Nobody waits for anything or has anything."""
        self._accounts.clear()
        self._level = 0.0

    def _come_back(self, subject: str, now: float) -> _Account:
        if len(self._accounts) == 1 and subject in self._accounts:
            # Nobody else has been here: the usual case, and nothing to settle.
            return self._accounts[subject]
        busy = [one.used_by(now) for one in self._accounts.values() if not one.is_idle]
        if not busy:
            self.clear()
        # Who had the last turn may be gone for no longer than its next request takes.
        floor = min([*busy, self._level])
        idle = [name for name, one in self._accounts.items() if one.is_idle and one.used <= floor]
        for name in idle:
            del self._accounts[name]
        account = self._accounts.setdefault(subject, _Account(floor, now))
        account.at = now
        return account

    # What follows.

    @property
    def counts(self) -> Mapping[str, int]:
        """What each subject that wants something has and waits for, together."""
        accounts = self._accounts.items()
        return {name: one.waiting + one.held for name, one in accounts if not one.is_idle}

    @property
    def used(self) -> Mapping[str, float]:
        """What each has had, where nothing is held."""
        return {name: one.used for name, one in self._accounts.items()}

    @property
    def newcomers(self) -> frozenset[str]:
        """Subjects that wait and hold nothing."""
        accounts = self._accounts.items()
        return frozenset(name for name, one in accounts if one.waiting and not one.held)

    def first(self, subjects: Iterable[str], now: float) -> str:
        """Whose turn it is of these, which all have accounts."""
        return min(subjects, key=lambda subject: self._key(subject, 0, now))

    def order(self, waiting: Iterable[tuple[T, str]], now: float) -> list[T]:
        """These with their subjects, from the first to the last that would be served if no place
        came back meanwhile. Those of one subject stay in their order."""
        pairs = list(waiting)
        if len({subject for _, subject in pairs}) <= 1:
            return [item for item, _ in pairs]
        ahead = Counter[str]()
        keyed = []
        for item, subject in pairs:
            keyed.append((self._key(subject, ahead[subject], now), item))
            ahead[subject] += 1
        return [item for _, item in sorted(keyed, key=lambda pair: pair[0])]

    def _key(self, subject: str, ahead: int, now: float) -> tuple[int, float, int]:
        account = self._accounts[subject]
        return account.held + ahead, account.used_by(now), account.turn


def has_place(subject: str, counts: Mapping[str, int], places: int) -> bool:
    """Whether one more of the subject is let in where all `places` are taken; `counts` are who has
    how many of them.

    Each may have its share of them, one at least: what is beyond the places then are those of the
    subjects that had taken more while nobody else was there. What is let in so has a bound, too.
    """
    others = [count for name, count in counts.items() if name != subject]
    mine = counts.get(subject, 0)
    share = max(1, places // (1 + len(others)))
    # What somebody had before the places were so few keeps nobody else out.
    crowd = sum(min(count, places) for count in others) + mine
    return bool(others) and mine < share and crowd < MOST_TIMES * places
