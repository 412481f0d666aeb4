"""The store in RAM: what it keeps, what goes first, what one entry is good for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronk.worker.cache.match import Miss, Source, Tokens
from kronk.worker.cache.memory import State
from kronk.worker.cache.store import SESSION_IDLE, Put, Store

# Bytes of one token in an entry: its id and its part of the state.
TOKEN = 4 + 1
MAX_PINS = 2


def of(text: str) -> Tokens:
    return np.array([ord(letter) for letter in text], np.int32)


def state(tokens: Tokens, floor: int = 0) -> State:
    return State(np.zeros(tokens.size, np.uint8), tokens.size, floor)


class Fixture:
    """A store of so many tokens, whose clock ticks at each put."""

    def __init__(self, tokens: int) -> None:
        self.store = Store(tokens * TOKEN, MAX_PINS)
        self.now = 0.0

    def put(self, text: str, pin: str | None = None, *, exact: bool = False) -> Put:
        self.now += 1.0
        tokens = of(text)
        return self.store.put(tokens, state(tokens, tokens.size if exact else 0), self.now, pin)

    def use(self, text: str) -> None:
        self.now += 1.0
        (key,) = [e.key for e in self.store.entries() if e.tokens.tolist() == of(text).tolist()]
        assert self.store.get(key, self.now).tokens.tolist() == of(text).tolist()

    def texts(self) -> set[str]:
        return {"".join(map(chr, entry.tokens)) for entry in self.store.entries()}

    def pins(self) -> dict[str | None, str]:
        return {
            entry.pin: "".join(map(chr, entry.tokens))
            for entry in self.store.entries()
            if entry.pin is not None
        }


@pytest.mark.parametrize(
    ("steps", "left"),
    [
        pytest.param(
            lambda f: [f.put("aaaa"), f.put("bbbb"), f.put("cccc")],
            {"bbbb", "cccc"},
            id="the oldest goes",
        ),
        pytest.param(
            lambda f: [f.put("aaaa"), f.put("bbbb"), f.use("aaaa"), f.put("cccc")],
            {"aaaa", "cccc"},
            id="use keeps",
        ),
        pytest.param(
            lambda f: [f.put("aaaa"), f.put("bbbb"), f.put("aaaa"), f.put("cccc")],
            {"aaaa", "cccc"},
            id="being offered again keeps too",
        ),
        pytest.param(
            lambda f: [f.put("aaaa", "ann"), f.put("bbbb"), f.put("cccc")],
            {"aaaa", "cccc"},
            id="what is pinned goes last",
        ),
        pytest.param(
            lambda f: [f.put("aaaa", "ann"), f.put("bbbb", "bob"), f.put("cccc", "ann")],
            {"bbbb", "cccc"},
            id="the pin moves and its former state goes",
        ),
        pytest.param(
            lambda f: [f.put("abc"), f.put("abcdef")], {"abcdef"}, id="a longer one covers"
        ),
        pytest.param(
            lambda f: [f.put("abc"), f.put("abcdef", exact=True)],
            {"abc", "abcdef"},
            id="not one that cannot be cut",
        ),
        pytest.param(
            lambda f: [f.put("abc", "ann"), f.put("abcdef")],
            {"abc", "abcdef"},
            id="nor what is pinned",
        ),
        pytest.param(
            lambda f: [f.put("abc", "ann"), f.put("abcdef", "ann")],
            {"abcdef"},
            id="but by the same session's next",
        ),
    ],
)
def test_what_is_kept(steps: Callable[[Fixture], Any], left: set[str]) -> None:
    fixture = Fixture(9)
    steps(fixture)
    assert fixture.texts() == left


@pytest.mark.parametrize(
    ("steps", "last"),
    [
        pytest.param(lambda f: f.put("abcd"), Put.STORED, id="stored"),
        pytest.param(lambda f: (f.put("abcd"), f.put("abcd"))[-1], Put.COVERED, id="known"),
        pytest.param(lambda f: (f.put("abcd"), f.put("ab"))[-1], Put.COVERED, id="a prefix"),
        pytest.param(
            lambda f: (f.put("abcd", exact=True), f.put("ab"))[-1],
            Put.STORED,
            id="a prefix of what cannot be cut",
        ),
        pytest.param(
            lambda f: (f.put("abcd"), f.put("ab", "ann"))[-1],
            Put.STORED,
            id="a prefix that shall be pinned",
        ),
        pytest.param(
            lambda f: (f.put("ab", "ann"), f.put("ab", "ann"))[-1], Put.COVERED, id="pinned already"
        ),
        pytest.param(lambda f: f.put("abcdefghij"), Put.TOO_LARGE, id="larger than the cap"),
        pytest.param(
            lambda f: (f.put("aaaa", "ann"), f.put("bbbb", "bob"), f.put("cc"))[-1],
            Put.NO_ROOM,
            id="nothing unpinned to drop",
        ),
        pytest.param(
            lambda f: (f.put("aaaa", "ann"), f.put("bbbb", "bob"), f.put("cc", "bob"))[-1],
            Put.STORED,
            id="pinned for pinned",
        ),
    ],
)
def test_what_became_of_an_offer(steps: Callable[[Fixture], Put], last: Put) -> None:
    assert steps(Fixture(9)) is last


def test_a_full_house_of_sessions_does_without_a_pin_for_the_next() -> None:
    fixture = Fixture(100)
    for name, text in (("ann", "aa"), ("bob", "bb"), ("cid", "cc")):
        assert fixture.put(text, name) is Put.STORED
    assert fixture.pins() == {"ann": "aa", "bob": "bb"}
    assert fixture.texts() == {"aa", "bb", "cc"}


def test_a_session_that_was_idle_long_gives_its_place_away() -> None:
    fixture = Fixture(100)
    fixture.put("aa", "ann")
    fixture.put("bb", "bob")
    fixture.now += SESSION_IDLE
    fixture.use("aa")
    fixture.put("cc", "cid")
    assert fixture.pins() == {"ann": "aa", "cid": "cc"}
    assert fixture.texts() == {"aa", "bb", "cc"}


def test_an_offer_without_room_changes_nothing() -> None:
    fixture = Fixture(9)
    fixture.put("aaaa", "ann")
    fixture.put("xy")
    before = fixture.store.stats()
    assert fixture.put("xyxyxy") is Put.NO_ROOM
    assert fixture.store.stats() == before
    assert fixture.texts() == {"aaaa", "xy"}


def test_a_store_without_capacity_stores_nothing() -> None:
    fixture = Fixture(0)
    assert fixture.put("a") is Put.TOO_LARGE
    assert list(fixture.store.candidates()) == []


def test_candidates_carry_what_a_match_needs() -> None:
    fixture = Fixture(100)
    fixture.put("abc", exact=True)
    (candidate,) = fixture.store.candidates()
    assert (candidate.source, candidate.floor) == (Source.STORED, 3)
    assert candidate.tokens.tolist() == of("abc").tolist()


def test_statistics_tell_what_happened() -> None:
    fixture = Fixture(4)
    fixture.put("aaaa")
    fixture.put("bbbb", "ann")
    fixture.store.count(None)
    fixture.store.count(Miss.DIVERGES)
    fixture.store.count(Miss.DIVERGES)
    stats = fixture.store.stats()
    assert (stats.entries, stats.bytes, stats.capacity) == (1, 4 * TOKEN, 4 * TOKEN)
    assert (stats.sessions, stats.hits, stats.evicted) == (1, 1, 1)
    assert stats.misses == {Miss.DIVERGES: 2}
    fixture.store.clear()
    assert (fixture.store.stats().entries, fixture.store.bytes) == (0, 0)


offers = st.tuples(
    st.text("ab", min_size=1, max_size=8),
    st.booleans(),
    st.sampled_from([None, "ann", "bob", "cid"]),
)


@given(st.lists(offers, max_size=30), st.integers(0, 20))
def test_the_books_balance_whatever_is_offered(
    steps: list[tuple[str, bool, str | None]], capacity: int
) -> None:
    fixture = Fixture(capacity)
    for text, exact, pin in steps:
        tokens = of(text)
        outcome = fixture.put(text, pin, exact=exact)
        store = fixture.store
        assert store.bytes == sum(entry.size for entry in store.entries()) <= store.capacity
        assert len(fixture.pins()) <= MAX_PINS
        if outcome in (Put.STORED, Put.COVERED):
            assert store.covers(tokens)


def test_what_is_somebodys_own_is_there_for_nobody_else() -> None:
    store, tokens = Store(1000, MAX_PINS), of("abcd")
    for now, owner in enumerate(("ann", "bob", "")):
        assert not store.covers(tokens, owner)
        assert not list(store.candidates(owner))
        # No entry of another covers it, and it covers none of another.
        assert store.put(tokens, state(tokens), float(now), None, owner) is Put.STORED
        assert store.put(of("ab"), state(of("ab")), float(now), None, owner) is Put.COVERED
        assert [entry.tokens.tolist() for entry in store.candidates(owner)] == [tokens.tolist()]
    assert store.put(of("abcde"), state(of("abcde")), 9.0, None, "ann") is Put.STORED
    assert [store.covers(of("abcde"), owner) for owner in ("ann", "bob", "")] == [
        True,
        False,
        False,
    ]
    assert store.stats().entries == 3
