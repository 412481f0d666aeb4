"""How often a password may be guessed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronk.gateway.access.attempts import (
    FREE,
    FREE_TOGETHER,
    Ledger,
    Tries,
    from_record,
    place_of,
    to_record,
)

DAY = 86_400.0
NOW = 1_800_000_000.0


def failed(ledger: Ledger, address: str, now: float, times: int = 1) -> Ledger:
    """After that many tries, each as soon as it may be; when the last was."""
    for _ in range(times):
        ledger, wait = ledger.attempt(address, now)
        while wait:
            now += wait
            ledger, wait = ledger.attempt(address, now)
    return ledger


@pytest.mark.parametrize(
    ("failures", "wait"),
    [
        (0, 0),
        (4, 0),
        (5, 60),
        (6, 120),
        (7, 240),
        (8, 480),
        (9, 900),
        (10, 900),
        (10_000, 900),
    ],
)
def test_each_failure_after_the_free_ones_doubles_the_wait(failures: int, wait: float) -> None:
    assert Tries(failures, NOW).wait(NOW, FREE) == wait


@pytest.mark.parametrize(
    ("later", "wait"),
    [(0, 120), (1, 119), (119, 1), (120, 0), (500, 0), (-3, 120), (-3600, 0)],
    ids=["at once", "1 s", "119 s", "120 s", "later", "clocks differ", "the clock was set back"],
)
def test_a_wait_is_over_in_time(later: float, wait: float) -> None:
    assert Tries(6, NOW).wait(NOW + later, FREE) == wait


def test_failures_are_forgotten_after_a_day_without_one() -> None:
    tries = Tries(9, NOW)
    assert tries.failed(NOW + DAY).failures == 10
    assert tries.failed(NOW + DAY + 1).failures == 1


def test_a_try_that_has_to_wait_counts_for_nothing() -> None:
    ledger = failed(Ledger("p"), "a", NOW, FREE)
    same, wait = ledger.attempt("a", NOW + 1)
    assert wait == 59 and same == ledger


def test_one_address_does_not_hold_up_another() -> None:
    ledger = failed(Ledger("p"), "a", NOW, FREE)
    assert ledger.attempt("b", NOW)[1] == 0


def test_many_addresses_together_have_to_wait_as_well() -> None:
    ledger = Ledger("p")
    for number in range(FREE_TOGETHER):
        ledger, wait = ledger.attempt(f"10.0.0.{number}", NOW)
        assert wait == 0
    assert ledger.attempt("10.0.1.1", NOW)[1] == 60


def test_where_somebody_has_logged_in_others_do_not_lock_him_out() -> None:
    ledger, _ = Ledger("p").attempt("home", NOW)
    ledger = ledger.succeeded("home", NOW)
    for number in range(FREE_TOGETHER + 20):
        ledger, _ = ledger.attempt(f"10.0.0.{number}", NOW)
    assert ledger.attempt("elsewhere", NOW)[1] > 0
    assert ledger.attempt("home", NOW)[1] == 0


def test_known_addresses_have_no_more_tries_of_their_own_than_others() -> None:
    ledger = Ledger("p").succeeded("home", NOW)
    assert failed(ledger, "home", NOW, FREE).attempt("home", NOW)[1] == 60


def test_a_login_gives_its_address_new_tries_and_the_others_none() -> None:
    ledger = failed(Ledger("p"), "home", NOW, FREE - 1)
    together = ledger.together.failures
    ledger, _ = ledger.attempt("home", NOW)
    ledger = ledger.succeeded("home", NOW)
    assert "home" not in ledger.addresses and ledger.together.failures == together
    assert Ledger("p").succeeded("home", NOW).together.failures == 0


def test_what_is_kept_has_a_bound() -> None:
    ledger = Ledger("p", addresses={f"a{n}": Tries(1, NOW + n) for n in range(1000)})
    ledger, _ = ledger.attempt("late", NOW + 5000)
    assert len(ledger.addresses) == 1000 and "a0" not in ledger.addresses
    for number in range(150):
        ledger = ledger.succeeded(f"k{number}", NOW + number)
    assert len(ledger.known) == 100 and "k149" in ledger.known and "k0" not in ledger.known


@pytest.mark.parametrize(
    ("host", "place"),
    [
        (None, "local"),
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::99", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
        ("x" * 900, "x" * 64),
    ],
)
def test_a_network_of_ipv6_counts_as_one_address(host: str | None, place: str) -> None:
    assert place_of(host) == place


def test_a_ledger_survives_a_restart() -> None:
    ledger = failed(Ledger("p"), "a", NOW, 7).succeeded("b", NOW)
    record = json.loads(json.dumps(to_record(ledger)))
    assert from_record(record, "p") == ledger


def test_another_password_begins_with_an_empty_ledger() -> None:
    record = to_record(failed(Ledger("p"), "a", NOW, 7))
    assert from_record(record, "q") == Ledger("q")


@pytest.mark.parametrize(
    "damage",
    [
        {},
        {"password": "p"},
        {"password": "p", "together": 5, "addresses": {}, "known": {}},
        {"password": "p", "together": [1, "x"], "addresses": {}, "known": {}},
        {"password": "p", "together": [1, float("inf")], "addresses": {}, "known": {}},
        {"password": "p", "together": [0, 0], "addresses": [], "known": {}},
        {"password": "p", "together": [0, 0], "addresses": {"a": [1]}, "known": {}},
    ],
)
def test_a_damaged_record_is_none(damage: dict[str, object]) -> None:
    assert from_record(damage, "p") == Ledger("p")


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.floats(0, 2000)), max_size=200))
def test_however_somebody_comes_the_tries_of_an_hour_are_few(
    steps: list[tuple[str, float]],
) -> None:
    """Free tries, then one wait after each: nobody gets more, whatever the pattern."""
    ledger, now = Ledger("p"), NOW
    let_in: list[tuple[str, float]] = []
    for address, pause in steps:
        now += pause
        ledger, wait = ledger.attempt(address, now)
        if not wait:
            let_in.append((address, now))
    for address in "abcdef":
        times = [at for name, at in let_in if name == address]
        for first, later in zip(times, times[FREE + 4 :], strict=False):
            # Five are free; the four waits after them are 1, 2, 4 and 8 minutes at least.
            assert later - first >= 900 or later - first > DAY
