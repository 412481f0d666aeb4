"""Calls counted for another Kronk: each once, and settled once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kronk.shared.security.charges import OPEN_SECONDS, SETTLED_SECONDS, Charges
from kronk.shared.security.counters import Charge, Counters, Used
from kronk.shared.security.grants import Grants, Limit

CHAT = "chat-completions"
THREE = Grants({CHAT: Limit(3, "day")})
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()
DAY = 86_400


class Desk:
    """One process's charges, with questions as they come from elsewhere."""

    def __init__(self, folder: Path) -> None:
        self.counters = Counters(folder)
        self.charges = Charges(self.counters)

    def charge(
        self, number: str, now: float = NOON, asker: str = "a", grants: Grants = THREE
    ) -> Charge:
        return self.charges.charge(asker, number, "ann", CHAT, grants, now)

    def settle(self, number: str, now: float = NOON, asker: str = "a", tokens: int = 0) -> bool:
        return self.charges.settle(
            asker, number, now, refund=not tokens, prompt_tokens=tokens, completion_tokens=tokens
        )

    def used(self, now: float = NOON) -> Used:
        (found,) = self.counters.usage(now, "ann")
        return found.day


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "counters")
    yield desk
    desk.counters.close()


def test_a_repeated_question_is_counted_once_and_answered_alike(desk: Desk) -> None:
    first = desk.charge("1")
    assert first.allowed
    assert [desk.charge("1", NOON + 60) for _ in range(3)] == [first] * 3
    assert desk.used() == Used(calls=1)


def test_another_process_knows_what_was_asked_of_this_one(desk: Desk, tmp_path: Path) -> None:
    first = desk.charge("1")
    desk.counters.close()
    other = Desk(tmp_path / "counters")
    assert other.charge("1") == first
    assert other.settle("1", tokens=5)
    assert other.used() == Used(1, 5, 5)
    other.counters.close()


def test_the_limit_holds_and_what_is_refused_may_be_asked_again(desk: Desk) -> None:
    assert [desk.charge(str(number)).allowed for number in range(5)] == [True] * 3 + [False] * 2
    assert not desk.charge("4").allowed
    assert desk.charge("4", NOON + DAY).allowed


def test_numbers_of_two_askers_are_apart(desk: Desk) -> None:
    desk.charge("1", asker="a")
    desk.charge("1", asker="b")
    assert desk.used() == Used(calls=2)
    assert not desk.settle("1", asker="c")


def test_a_refund_gives_one_call_back_once(desk: Desk) -> None:
    desk.charge("1")
    desk.charge("2")
    assert [desk.settle("1") for _ in range(3)] == [True, False, False]
    assert desk.used() == Used(calls=1)


def test_a_call_that_was_given_back_may_be_made_again(desk: Desk) -> None:
    desk.charge("1")
    desk.settle("1")
    assert [desk.charge("1").allowed for _ in range(2)] == [True, True]
    assert desk.used() == Used(calls=1)


def test_tokens_are_counted_once_in_the_window_of_the_call(desk: Desk) -> None:
    budget = Grants({CHAT: Limit()}, tokens=Limit(10, "day"))
    desk.charge("1", grants=budget)
    for _ in range(2):
        assert desk.settle("1", NOON + DAY, tokens=5)
    assert desk.used() == Used(1, 5, 5)
    assert not desk.charge("2", grants=budget).allowed
    assert desk.charge("3", NOON + DAY, grants=budget).allowed


def test_the_first_word_is_the_last(desk: Desk) -> None:
    desk.charge("1")
    desk.settle("1", tokens=5)
    assert desk.settle("1")
    assert desk.used() == Used(1, 5, 5)


def test_what_was_never_charged_cannot_be_settled(desk: Desk) -> None:
    assert not desk.settle("1")
    for number in range(4):
        desk.charge(str(number))
    assert not desk.settle("3"), "a refused call was not counted"


@pytest.mark.parametrize(
    ("settled", "later", "is_known"),
    [
        (True, SETTLED_SECONDS - 1, True),
        (True, SETTLED_SECONDS + 1, False),
        (False, SETTLED_SECONDS + 1, True),
        (False, OPEN_SECONDS - 1, True),
        (False, OPEN_SECONDS + 1, False),
    ],
)
def test_calls_are_forgotten_when_nobody_can_mean_them_any_more(
    desk: Desk, settled: bool, later: float, is_known: bool
) -> None:
    grants = Grants({CHAT: Limit()})
    for number in range(20):
        desk.charge(str(number), grants=grants)
        if settled:
            desk.settle(str(number), tokens=1)
    for number in range(20):
        desk.charge(f"new-{number}", NOON + later, grants=grants)
    known = [desk.settle(str(number), NOON + later, tokens=1) for number in range(20)]
    assert known == [is_known] * 20
