"""Guesses by prompt lookup, and when to stop guessing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronk.worker.speculation.drafter import Asked
from kronk.worker.speculation.guesser import Guesser
from kronk.worker.speculation.ngram import look_up
from kronk.worker.speculation.payoff import FIRST_PLAIN, FIRST_REST, Payoff, Reach


@pytest.mark.parametrize(
    ("tokens", "size", "most", "guess"),
    [
        ([1, 2, 3, 4, 1, 2], 2, 8, [3, 4, 1, 2]),
        ([1, 2, 3, 4, 1, 2], 2, 1, [3]),
        # The latest occurrence is the likelier one.
        ([1, 2, 3, 1, 2, 4, 1, 2], 2, 1, [4]),
        # Its own end is no earlier occurrence, but may overlap one.
        ([5, 5, 5], 2, 4, [5]),
        ([1, 2, 3], 2, 4, []),
        ([1, 2], 2, 4, []),
        ([], 1, 4, []),
        ([1, 1], 1, 0, []),
    ],
)
def test_what_followed_before_is_guessed(
    tokens: list[int], size: int, most: int, guess: list[int]
) -> None:
    assert look_up(np.array(tokens, np.int32), size, most) == guess


@given(st.lists(st.integers(0, 3), max_size=60), st.integers(1, 4), st.integers(1, 8))
def test_a_guess_stands_in_the_text_behind_the_same_words(
    tokens: list[int], size: int, most: int
) -> None:
    guess = look_up(np.array(tokens, np.int32), size, most)
    key = tokens[-size:]
    starts = [at for at in range(len(tokens) - size) if tokens[at : at + size] == key]
    if not starts:
        assert guess == []
    else:
        assert guess == tokens[starts[-1] + size :][:most]


def test_wrong_guesses_get_shorter_and_then_pause_longer_each_time() -> None:
    reach = Reach(8)
    lengths = []
    pauses = []
    for _ in range(400):
        length = reach.length()
        lengths.append(length)
        if length:
            reach.observe(length, 0)
    assert lengths[:3] == [8, 1, 1]
    run = 0
    for length in lengths:
        if length:
            if run:
                pauses.append(run)
            run = 0
        else:
            run += 1
    assert pauses[:4] == [8, 16, 32, 64]


def test_right_guesses_get_longer_up_to_the_most() -> None:
    reach = Reach(8)
    reach.observe(8, 2)
    assert reach.length() == 3
    reach.observe(3, 3)
    assert reach.length() == 6
    reach.observe(6, 6)
    assert reach.length() == 8


def measured() -> Payoff:
    """It knows what a decode without guesses takes: 0.01 s."""
    payoff = Payoff()
    for _ in range(FIRST_PLAIN):
        assert not payoff.is_on
        payoff.observe(0.01, 0.0, 1, 1, 0)
    assert payoff.is_on
    return payoff


@pytest.mark.parametrize(
    ("seconds", "drafting", "tokens", "is_on"),
    # A decode with guesses takes three times as long: it pays from three tokens on.
    [
        (0.03, 0.0, 2, False),
        (0.03, 0.0, 4, True),
        (0.01, 0.0, 1, True),
        (0.01, 0.02, 2, False),
        (0.01, 0.02, 4, True),
    ],
)
def test_guessing_stops_where_the_tokens_do_not_make_up_for_the_time(
    seconds: float, drafting: float, tokens: int, is_on: bool
) -> None:
    payoff = measured()
    for _ in range(8):
        assert payoff.is_on
        payoff.observe(seconds, drafting, 1, tokens, 4)
    assert payoff.is_on == is_on


@pytest.mark.parametrize(("drafting", "is_on"), [(0.01, False), (0.002, True)])
def test_looking_for_guesses_in_vain_is_free_only_where_it_is_quick(
    drafting: float, is_on: bool
) -> None:
    payoff = measured()
    for _ in range(8):
        payoff.observe(0.01, drafting, 1, 1, 0)
    assert payoff.is_on == is_on


def test_it_is_tried_again_and_rests_longer_while_it_does_not_pay() -> None:
    payoff = measured()
    rests = []
    for _ in range(3):
        while payoff.is_on:
            payoff.observe(0.05, 0.0, 1, 1, 4)
        rest = 0
        while not payoff.is_on:
            payoff.observe(0.01, 0.0, 1, 1, 0)
            rest += 1
        rests.append(rest)
    assert rests == [FIRST_REST, 2 * FIRST_REST, 4 * FIRST_REST]


class Sure:
    """A drafter that always has a guess."""

    name = "sure"
    was_behind = False

    def draft(self, asked: Sequence[Asked]) -> list[list[int]]:
        return [[1] * one.most for one in asked]


@pytest.mark.parametrize(("was_behind", "is_on"), [(False, False), (True, True)])
def test_what_a_drafter_reads_to_catch_up_is_no_price_of_guessing(
    was_behind: bool, is_on: bool
) -> None:
    drafter = Sure()
    guesser = Guesser(drafter, 4, 1)
    while not guesser.is_on:
        guesser.observe(0.01, 0.0, 1, 1, 0)
    drafter.was_behind = was_behind
    for _ in range(8):
        guesser.observe(0.01, 5.0, 1, 5, 4)
    assert guesser.is_on == is_on
