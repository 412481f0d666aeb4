"""What a client that waits for its model is told, in a comment of its stream."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronk.gateway.dialects.sse import comment
from kronk.gateway.standing import Standing, ordinal, words
from kronk.shared.wire.to_gateway import Waiting


@pytest.mark.parametrize(
    ("position", "seen", "expected"),
    [
        (1, Waiting((1,), "loading"), "model loading, 1st in the queue"),
        (
            3,
            Waiting((1,), "loading", "weights", 0.447),
            "model loading, weights 45 %, 3rd in the queue",
        ),
        (
            2,
            Waiting((1,), "loading", "weights", 0.5, 2.1),
            "model loading, weights 50 %, 3 s left, 2nd in the queue",
        ),
        (
            1,
            Waiting((1,), "loading", "first_decode", 0.0, 1.0),
            "model loading, first decode, 1 s left, 1st in the queue",
        ),
        (1, Waiting((1,), "ready"), "waiting for a slot, 1st in the queue"),
        (1, Waiting((1,), "absent"), "waiting for room for the model, 1st in the queue"),
        (
            1,
            Waiting((1,), "draining"),
            "waiting for the model's last process to end, 1st in the queue",
        ),
        (
            12,
            Waiting((1,), "backoff", retry_in=4.0),
            "the model crashed, tried again in 4 s, 12th in the queue",
        ),
        (
            1,
            Waiting((1,), "new", "odd\nphase", math.inf, math.nan),
            "waiting, 0 s left, 1st in the queue",
        ),
    ],
)
def test_how_a_request_is_doing_in_words(position: int, seen: Waiting, expected: str) -> None:
    assert words(Standing(position, seen)) == expected


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1, "1st"),
        (2, "2nd"),
        (3, "3rd"),
        (4, "4th"),
        (11, "11th"),
        (12, "12th"),
        (13, "13th"),
        (21, "21st"),
        (101, "101st"),
        (111, "111th"),
    ],
)
def test_ordinals(number: int, text: str) -> None:
    assert ordinal(number) == text


_numbers = st.none() | st.floats()


@given(st.integers(1, 10**6), st.text(), st.none() | st.text(), _numbers, _numbers, _numbers)
def test_whatever_is_said_is_one_line_of_comment(
    position: int,
    state: str,
    phase: str | None,
    fraction: float | None,
    eta: float | None,
    retry_in: float | None,
) -> None:
    seen = Waiting((1,), state, phase, fraction, eta, retry_in)
    line = comment(words(Standing(position, seen)))
    assert line.startswith(b": ")
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert b"\r" not in line
    assert line.isascii()
