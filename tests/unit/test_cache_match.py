"""Which earlier work a prompt starts from, which slot it takes, and why not a better one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronk.worker.cache.match import (
    HANDICAP,
    Candidate,
    FreeSlot,
    Match,
    Miss,
    Source,
    Tokens,
    choose_slot,
    choose_source,
    common_prefix,
)

LEAST = 10


def tokens(*parts: tuple[int, int]) -> Tokens:
    """`count` times the token, for each part."""
    values = [token for token, count in parts for _ in range(count)]
    return np.array(values, np.int32)


def candidate(source: Source, key: int, held: Tokens, floor: int = 0) -> Candidate:
    return Candidate(source, key, held, floor)


PROMPT = tokens((1, 100), (2, 100))
SYSTEM = tokens((1, 100))


@given(st.lists(st.integers(0, 3), max_size=600), st.lists(st.integers(0, 3), max_size=600))
def test_the_common_prefix_is_what_a_loop_would_find(a: list[int], b: list[int]) -> None:
    for left, right in ((a, b), (a, a + b), (a + b, a)):
        expected = 0
        for x, y in zip(left, right, strict=False):
            if x != y:
                break
            expected += 1
        assert common_prefix(np.array(left, np.int32), np.array(right, np.int32)) == expected


@pytest.mark.parametrize("at", [0, 1, 255, 256, 257, 767, 768, 5000, 9999])
def test_the_common_prefix_is_exact_at_every_stride(at: int) -> None:
    a = np.arange(10_000, dtype=np.int32)
    b = a.copy()
    b[at] = -1
    assert common_prefix(a, b) == at


@pytest.mark.parametrize(
    ("held", "key", "length"),
    [
        pytest.param([candidate(Source.RETAINED, 3, SYSTEM)], 3, 100, id="the only one"),
        pytest.param([candidate(Source.RETAINED, 3, PROMPT)], 3, 199, id="one token is left"),
        pytest.param(
            [candidate(Source.STORED, 1, SYSTEM), candidate(Source.RETAINED, 2, PROMPT[:150])],
            2,
            150,
            id="the longest",
        ),
        pytest.param(
            [candidate(Source.STORED, 1, PROMPT), candidate(Source.RETAINED, 2, PROMPT[:195])],
            2,
            195,
            id="a little more is not worth a copy of the state",
        ),
        pytest.param(
            [candidate(Source.DISK, 1, PROMPT[:190]), candidate(Source.STORED, 2, PROMPT[:150])],
            2,
            150,
            id="a little more is not worth the disk",
        ),
        pytest.param(
            [candidate(Source.DISK, 1, PROMPT), candidate(Source.BUSY, 2, PROMPT[:50])],
            1,
            199,
            id="much more is",
        ),
        pytest.param(
            [candidate(Source.DISK, 1, PROMPT[:30])], 1, 30, id="the disk before nothing at all"
        ),
        pytest.param(
            [candidate(Source.BUSY, 5, PROMPT), candidate(Source.RETAINED, 6, PROMPT)],
            5,
            199,
            id="the first of equals",
        ),
        pytest.param(
            [
                candidate(Source.RETAINED, 1, tokens((1, 100), (9, 900)), floor=1000),
                candidate(Source.STORED, 2, SYSTEM, floor=100),
            ],
            2,
            100,
            id="a snapshot where the longer one cannot be cut",
        ),
        pytest.param(
            [candidate(Source.STORED, 2, PROMPT, floor=199)], 2, 199, id="a floor just reached"
        ),
    ],
)
def test_the_longest_proven_prefix_wins(held: list[Candidate], key: int, length: int) -> None:
    match = choose_source(PROMPT, held, LEAST)
    assert match.candidate is not None
    assert (match.candidate.key, match.length, match.miss) == (key, length, None)


@pytest.mark.parametrize(
    ("held", "miss", "reason"),
    [
        pytest.param([], Miss.NO_ENTRY, "no entry", id="empty"),
        pytest.param(
            [candidate(Source.STORED, 1, tokens((1, 5), (9, 895)))],
            Miss.DIVERGES,
            "diverges at token 5 of 900",
            id="diverges",
        ),
        pytest.param(
            [
                candidate(Source.STORED, 1, tokens((9, 20))),
                candidate(Source.STORED, 2, tokens((1, 8), (9, 20))),
            ],
            Miss.DIVERGES,
            "diverges at token 8 of 28",
            id="the nearest explains",
        ),
        pytest.param(
            [candidate(Source.RETAINED, 1, PROMPT[:9])],
            Miss.TOO_SHORT,
            "prefix of 9 tokens is below cache_min_tokens",
            id="too short",
        ),
        pytest.param(
            [candidate(Source.RETAINED, 1, tokens((1, 100), (9, 50)), floor=150)],
            Miss.NO_SNAPSHOT,
            "rigid memory: no snapshot at or before token 100",
            id="cannot be cut",
        ),
        pytest.param(
            [candidate(Source.STORED, 1, PROMPT, floor=200)],
            Miss.NO_SNAPSHOT,
            "rigid memory: no snapshot at or before token 199",
            id="the whole prompt, of which one token must be left",
        ),
    ],
)
def test_a_miss_says_why(held: list[Candidate], miss: Miss, reason: str) -> None:
    assert choose_source(PROMPT, held, LEAST) == Match(None, 0, miss, reason)


@pytest.mark.parametrize("prompt", [PROMPT[:1], PROMPT[:9]])
def test_a_short_prompt_reuses_nothing(prompt: Tokens) -> None:
    match = choose_source(prompt, [candidate(Source.RETAINED, 0, PROMPT)], LEAST)
    assert match.miss is Miss.TOO_SHORT


sequences = st.lists(st.integers(0, 1), min_size=1, max_size=40).map(
    lambda values: np.array(values, np.int32)
)


@given(
    sequences,
    st.lists(st.tuples(st.sampled_from(Source), sequences, st.integers(0, 40)), max_size=6),
    st.integers(0, 20),
)
def test_whatever_is_chosen_is_proven_and_allowed(
    prompt: Tokens, held: list[tuple[Source, Tokens, int]], least: int
) -> None:
    all_of_them = [
        Candidate(source, key, has, min(floor, has.size))
        for key, (source, has, floor) in enumerate(held)
    ]
    match = choose_source(prompt, all_of_them, least)
    usable = [
        length - HANDICAP[one.source]
        for one in all_of_them
        if (length := min(common_prefix(prompt, one.tokens), prompt.size - 1))
        >= max(1, least, one.floor)
    ]
    if match.candidate is None:
        assert not usable
        assert (match.length, bool(match.reason)) == (0, True)
        return
    assert match.length < prompt.size
    assert match.length >= max(1, least, match.candidate.floor)
    assert (match.candidate.tokens[: match.length] == prompt[: match.length]).all()
    assert match.length - HANDICAP[match.candidate.source] == max(usable)


def slot(index: int, held: Tokens, used: float = 0.0, copy_floor: int = 0) -> FreeSlot:
    return FreeSlot(index, held, floor=copy_floor, copy_floor=copy_floor, last_used=used)


EMPTY = tokens()
LONG = tokens((1, 100), (9, 900))
NOTHING = Match(None, 0, Miss.NO_ENTRY, "no entry")


def taken_from(source: Candidate, length: int) -> Match:
    return Match(source, length, None, "")


@pytest.mark.parametrize(
    ("match", "free", "kept", "expected"),
    [
        pytest.param(NOTHING, [slot(0, EMPTY)], (), (0, False, None), id="the only slot"),
        pytest.param(
            NOTHING, [slot(0, LONG), slot(1, EMPTY)], (), (1, False, None), id="an empty one first"
        ),
        pytest.param(
            NOTHING,
            [slot(0, LONG, used=5.0), slot(1, SYSTEM, used=2.0)],
            (),
            (1, True, None),
            id="then the least recently used, saved",
        ),
        pytest.param(
            NOTHING,
            [slot(0, LONG, used=5.0), slot(1, SYSTEM, used=2.0)],
            (1,),
            (1, False, None),
            id="not saved again",
        ),
        pytest.param(
            NOTHING, [slot(0, SYSTEM[:9])], (), (0, False, None), id="not worth being saved"
        ),
        pytest.param(
            taken_from(slot(1, PROMPT[:150]).candidate(), 150),
            [slot(0, EMPTY), slot(1, PROMPT[:150])],
            (),
            (1, False, None),
            id="the match goes on where it is",
        ),
        pytest.param(
            taken_from(slot(1, LONG).candidate(), 100),
            [slot(0, EMPTY), slot(1, LONG)],
            (),
            (0, False, 1),
            id="a long conversation is left alone",
        ),
        pytest.param(
            taken_from(slot(1, LONG, 9.0).candidate(), 100),
            [slot(0, PROMPT, 3.0), slot(1, LONG, 9.0), slot(2, PROMPT, 1.0)],
            (),
            (2, True, 1),
            id="over the least recently used of the others",
        ),
        pytest.param(
            taken_from(slot(1, LONG).candidate(), 100),
            [slot(1, LONG)],
            (),
            (1, True, None),
            id="saved first when there is no other slot",
        ),
        pytest.param(
            taken_from(slot(1, LONG, copy_floor=101).candidate(), 100),
            [slot(0, EMPTY), slot(1, LONG, copy_floor=101)],
            (),
            (1, True, None),
            id="saved and taken over where it cannot be copied",
        ),
        pytest.param(
            taken_from(candidate(Source.BUSY, 7, LONG), 100),
            [slot(0, PROMPT, 1.0), slot(1, PROMPT, 2.0)],
            (),
            (0, True, 7),
            id="copied from a busy slot",
        ),
        pytest.param(
            taken_from(candidate(Source.STORED, 41, SYSTEM), 100),
            [slot(0, PROMPT, 1.0), slot(1, EMPTY)],
            (),
            (1, False, None),
            id="restored from a store",
        ),
    ],
)
def test_a_request_takes_the_slot_that_loses_least(
    match: Match,
    free: list[FreeSlot],
    kept: tuple[int, ...],
    expected: tuple[int, bool, int | None],
) -> None:
    placement = choose_slot(match, free, kept, LEAST)
    assert (placement.slot, placement.save, placement.copy_from) == expected
