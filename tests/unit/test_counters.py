"""Calls and tokens are counted by subject, endpoint and window, and refused once used up."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from kronk.shared.errors import ServerError
from kronk.shared.security.counters import Charge, Counters, Standing
from kronk.shared.security.grants import UNLIMITED, Limit
from kronk.shared.security.named_calls import NamedCalls
from kronk.shared.security.rows import Used
from kronk.shared.security.upkeep import Upkeep

CHAT = "chat-completions"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()
DAY = 86_400
TOMORROW = NOON + DAY / 2


@pytest.fixture
def counters(tmp_path: Path) -> Iterator[Counters]:
    opened = Counters(tmp_path / "counters")
    yield opened
    opened.close()


def granted(counters: Counters, limit: Limit, now: float, most: int = 20) -> int:
    return sum(counters.charge("ann", CHAT, limit, now).allowed for _ in range(most))


def test_a_limit_grants_as_many_calls_as_it_says(counters: Counters) -> None:
    charges = [counters.charge("ann", CHAT, Limit(3, "day"), NOON) for _ in range(5)]
    assert [charge.allowed for charge in charges] == [True, True, True, False, False]
    standings = [charge.standing for charge in charges]
    assert [s and (s.used, s.remaining) for s in standings] == [
        (1, 2),
        (2, 1),
        (3, 0),
        (3, 0),
        (3, 0),
    ]
    assert {s and s.resets for s in standings} == {int(TOMORROW)}


def test_zero_denies_and_no_limit_grants(counters: Counters) -> None:
    assert granted(counters, Limit(0, "year"), NOON) == 0
    assert granted(counters, UNLIMITED, NOON) == 20


@pytest.mark.parametrize("window", ["day", "month", "year"])
def test_at_the_end_of_its_window_a_limit_begins_anew(counters: Counters, window: str) -> None:
    limit = Limit(2, window)  # type: ignore[arg-type]
    first = counters.charge("ann", CHAT, limit, NOON)
    assert first.standing is not None
    end = first.standing.resets
    assert granted(counters, limit, end - 0.001) == 1
    assert granted(counters, limit, end) == 2
    assert granted(counters, limit, end - 1) == 0, "a clock that goes back grants nothing"


def test_subjects_and_endpoints_are_counted_apart(counters: Counters) -> None:
    limit = Limit(1, "day")
    pairs = [("ann", CHAT), ("bob", CHAT), ("ann", "embeddings"), ("annc", "hat-completions")]
    pairs += [("", ""), ("x" * 300, CHAT), ("x" * 301, CHAT), ("a\0b", CHAT), ("a", "\0b" + CHAT)]
    assert all(counters.charge(*pair, limit, NOON).allowed for pair in pairs)
    assert not any(counters.charge(*pair, limit, NOON).allowed for pair in pairs)


def test_what_an_unlimited_token_did_counts_for_the_next_one_of_its_subject(
    counters: Counters,
) -> None:
    assert granted(counters, UNLIMITED, NOON, most=5) == 5
    for window in ("day", "month", "year"):
        assert granted(counters, Limit(5, window), NOON) == 0  # type: ignore[arg-type]


def test_a_refund_gives_the_call_back_in_the_window_it_was_counted_in(counters: Counters) -> None:
    limit = Limit(1, "day")
    charge = counters.charge("ann", CHAT, limit, NOON)
    assert counters.charge("ann", CHAT, limit, TOMORROW).allowed
    counters.refund(charge)
    assert granted(counters, limit, TOMORROW) == 0
    assert granted(counters, limit, NOON) == 1


def test_a_budget_of_tokens_refuses_once_it_is_used_up(counters: Counters) -> None:
    budget = Limit(100, "day")
    charge = counters.charge("ann", CHAT, UNLIMITED, NOON, tokens=budget)
    assert charge.tokens == Standing("tokens", 100, "day", 0, int(TOMORROW))
    counters.add_tokens(charge, 60, 39)
    assert counters.charge("ann", "messages", UNLIMITED, NOON, tokens=budget).allowed
    counters.add_tokens(charge, 0, 1)
    refused = counters.charge("ann", "messages", UNLIMITED, NOON, tokens=budget)
    assert refused.refused == replace(charge.tokens, used=100)
    assert counters.charge("bob", CHAT, UNLIMITED, NOON, tokens=budget).allowed
    assert counters.charge("ann", CHAT, UNLIMITED, TOMORROW, tokens=budget).allowed


def test_what_the_budget_refuses_is_no_call(counters: Counters) -> None:
    charge = counters.charge("ann", CHAT, Limit(9, "day"), NOON)
    counters.add_tokens(charge, 5, 5)
    assert not counters.charge("ann", CHAT, Limit(9, "day"), NOON, tokens=Limit(10, "day")).allowed
    assert [usage.day for usage in counters.usage(NOON)] == [Used(1, 5, 5)]


def test_a_named_call_is_counted_once_until_it_is_given_back(counters: Counters) -> None:
    limit, named = Limit(1, "day"), NamedCalls(counters)
    first = named.charge("batch_1/7", "ann", CHAT, limit, NOON)
    again = named.charge("batch_1/7", "ann", CHAT, limit, TOMORROW)
    assert (first.allowed, again.allowed) == (True, True)
    assert not named.charge("batch_1/8", "ann", CHAT, limit, NOON).allowed
    assert again.windows == first.windows
    named.refund("batch_1/7", again)
    named.refund("batch_1/7", first)
    assert named.charge("batch_1/7", "ann", CHAT, limit, NOON).allowed
    assert granted(counters, limit, NOON) == 0
    assert granted(counters, limit, TOMORROW) == 1


def test_names_are_forgotten_after_two_months(counters: Counters) -> None:
    named = NamedCalls(counters)
    for number in range(9):
        assert named.charge(f"old/{number}", "ann", CHAT, UNLIMITED, NOON - 70 * DAY).allowed
    for number in range(9):
        named.charge(f"new/{number}", "ann", CHAT, UNLIMITED, NOON)
    none_left = Limit(0, "day")
    assert named.charge("new/0", "ann", CHAT, none_left, NOON).allowed
    assert not any(
        named.charge(f"old/{number}", "ann", CHAT, none_left, NOON).allowed for number in range(9)
    )


def test_usage_is_told_by_subject_and_endpoint(counters: Counters) -> None:
    for _ in range(2):
        counters.add_tokens(counters.charge("ann", CHAT, UNLIMITED, NOON), 10, 1)
    counters.charge("ann", "rerank", UNLIMITED, NOON - 25 * DAY)
    counters.charge("bob", CHAT, UNLIMITED, NOON - 5 * DAY)
    counters.charge("eve", CHAT, UNLIMITED, NOON - 400 * DAY)
    assert [(u.subject, u.endpoint, u.day, u.month, u.year) for u in counters.usage(NOON)] == [
        ("ann", CHAT, Used(2, 20, 2), Used(2, 20, 2), Used(2, 20, 2)),
        ("ann", "rerank", Used(), Used(), Used(1)),
        ("bob", CHAT, Used(), Used(1), Used(1)),
    ]
    assert [usage.subject for usage in counters.usage(NOON, "bob")] == ["bob"]
    assert counters.usage(NOON, "bo") == []
    assert counters.days("ann") == [
        ("2026-10-28", "rerank", Used(1)),
        ("2026-11-22", CHAT, Used(2, 20, 2)),
    ]


def test_only_what_is_over_for_more_than_a_year_is_swept(counters: Counters) -> None:
    for age in (0, 399, 401, 800):
        for subject in ("ann", "bob"):
            counters.charge(subject, CHAT, UNLIMITED, NOON - age * DAY)
    removed = 0
    while (swept := counters.sweep(NOON, most=3)) is not None:
        removed += swept
    assert [day for day, _, _ in counters.days("ann")] == ["2025-10-19", "2026-11-22"]
    assert removed == 2 * 4, "two days, a month and a year, of either"


def test_what_was_counted_is_there_after_a_restart(tmp_path: Path) -> None:
    counters = Counters(tmp_path / "counters")
    assert granted(counters, Limit(5, "day"), NOON, most=3) == 3
    counters.close()
    counters = Counters(tmp_path / "counters")
    assert granted(counters, Limit(5, "day"), NOON) == 2
    counters.close()


def test_the_files_are_their_owners(tmp_path: Path, counters: Counters) -> None:
    counters.save()
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "counters").iterdir()}
    assert modes.keys() == {"data.mdb", "lock.mdb", "saved.mdb", "turn.lock"}
    assert set(modes.values()) == {0o600}
    assert (tmp_path / "counters").stat().st_mode & 0o777 == 0o700


def test_a_copy_that_a_process_was_killed_over_is_removed(tmp_path: Path) -> None:
    Counters(tmp_path).close()
    for process in (2**22 + 1, os.getpid()):
        (tmp_path / f"saved.mdb.{process}").touch()
    Counters(tmp_path).close()
    assert [path.name for path in tmp_path.glob("saved.*")] == [f"saved.mdb.{os.getpid()}"]


def test_reading_creates_nothing(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="cannot be opened"):
        Counters(tmp_path / "counters", writable=False)
    assert not (tmp_path / "counters").exists()


def test_the_last_of_it_is_on_disk_once_upkeep_has_stopped(counters: Counters) -> None:
    upkeep = Upkeep(counters)
    for _ in range(2):
        counters.charge("ann", CHAT, UNLIMITED, NOON)
        upkeep.wake()
    upkeep.stop()
    assert not counters.is_dirty


def test_upkeep_of_what_nobody_uses_has_no_thread(counters: Counters) -> None:
    before = threading.active_count()
    upkeep = Upkeep(counters)
    assert threading.active_count() == before
    upkeep.stop()


class Accounts(RuleBasedStateMachine):
    """Against a model that adds up in Python."""

    @initialize()
    def open(self) -> None:
        self.counters = Counters(Path(tempfile.mkdtemp(dir=self.base)))
        self.calls: dict[tuple[str, str, str], int] = {}
        self.tokens: dict[tuple[str, str], int] = {}
        self.charges: list[tuple[Charge, str]] = []

    base = Path()

    @rule(
        subject=st.sampled_from(["ann", "bob"]),
        endpoint=st.sampled_from([CHAT, "messages"]),
        limit=st.integers(0, 4),
        budget=st.none() | st.integers(0, 50),
        day=st.integers(0, 2),
    )
    def charge(self, subject: str, endpoint: str, limit: int, budget: int | None, day: int) -> None:
        tokens = None if budget is None else Limit(budget, "day")
        now = NOON + day * DAY
        charge = self.counters.charge(subject, endpoint, Limit(limit, "day"), now, tokens=tokens)
        date = f"2026-11-{22 + day}"
        used = self.calls.get((subject, endpoint, date), 0)
        spent = self.tokens.get((subject, date), 0)
        assert charge.allowed == (used < limit and (budget is None or spent < budget))
        if charge.allowed:
            self.calls[subject, endpoint, date] = used + 1
            self.charges.append((charge, date))

    @rule(data=st.data(), prompt=st.integers(0, 20), completion=st.integers(0, 20))
    def settle(self, data: st.DataObject, prompt: int, completion: int) -> None:
        if not self.charges:
            return
        charge, date = self.charges.pop(data.draw(st.integers(0, len(self.charges) - 1)))
        if prompt:
            self.counters.add_tokens(charge, prompt, completion)
            key = (charge.subject, date)
            self.tokens[key] = self.tokens.get(key, 0) + prompt + completion
        else:
            self.counters.refund(charge)
            self.calls[charge.subject, charge.endpoint, date] -= 1

    @rule()
    def restart(self) -> None:
        self.counters.close()
        self.counters = Counters(self.counters.folder)

    @invariant()
    def all_days_are_in_the_year(self) -> None:
        if not hasattr(self, "counters"):
            return
        for usage in self.counters.usage(NOON):
            days = [
                used
                for _, name, used in self.counters.days(usage.subject)
                if name == usage.endpoint
            ]
            assert usage.year.calls == usage.month.calls == sum(used.calls for used in days)
            assert usage.year.tokens == sum(used.tokens for used in days)

    def teardown(self) -> None:
        if hasattr(self, "counters"):
            self.counters.close()


def test_counts_are_what_was_granted_less_what_was_refunded(tmp_path: Path) -> None:
    Accounts.base = tmp_path
    run_state_machine_as_test(
        Accounts, settings=settings(max_examples=25, stateful_step_count=25, deadline=None)
    )
