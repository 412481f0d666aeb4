"""The fault tests' own judge: what it takes for one end, and what for none or two."""

from __future__ import annotations

from typing import Any

import pytest

from harness.asked import AskedStream
from harness.matrix import Row, table
from harness.stream import DONE


def said(*numbers: int) -> list[Any]:
    return [{"choices": [{"delta": {"content": f" {n}"}, "finish_reason": None}]} for n in numbers]


FINISH = {"choices": [{"delta": {}, "finish_reason": "length"}]}
ERROR = {"error": {"code": "model_crashed", "message": "it died"}}


class Ended(AskedStream):
    """A stream that is over, without a server: two tokens after 7 were asked for."""

    def __init__(self, events: list[Any], refusal: dict[str, Any] | None = None) -> None:
        self.start, self.wanted, self.has_left = 7, 2, False
        self.events, self.refusal = events, refusal

    def wait_for_end(self) -> None:
        """It is."""


@pytest.mark.parametrize(
    ("events", "end"),
    [
        ([*said(8, 9), FINISH, DONE], "done"),
        ([*said(8), ERROR], "error"),
        ([ERROR], "error"),
        (said(8, 9), "broken"),
        ([], "broken"),
    ],
)
def test_one_end_is_named(events: list[Any], end: str) -> None:
    assert Ended(events).end() == end


def test_a_refusal_is_an_end() -> None:
    assert Ended([], {"error": ERROR["error"]}).end() == "refused"


@pytest.mark.parametrize(
    "events",
    [
        [*said(8, 9), FINISH, DONE, DONE],
        [*said(8, 9), FINISH, DONE, ERROR],
        [*said(8), ERROR, ERROR],
        [*said(8), ERROR, *said(9)],
        [*said(8, 9), FINISH, ERROR],
        [*said(8, 9), DONE],
        # Whole, but something is missing, there twice, or was never counted.
        [*said(8), FINISH, DONE],
        [*said(8, 8), FINISH, DONE],
        [*said(8, 10), ERROR],
        said(9),
    ],
)
def test_anything_else_is_found(events: list[Any]) -> None:
    with pytest.raises(AssertionError):
        Ended(events).end()


def test_a_refusal_after_events_is_found() -> None:
    with pytest.raises(AssertionError):
        Ended(said(8), {"error": ERROR["error"]}).end()


def test_the_matrix_is_a_table() -> None:
    rows = [Row("a", "idle", "1 done", {"ms": 3.0}), Row("b", "load", "2 error", {})]
    lines = ["| a | idle | 1 done | ms 3 |", "| b | load | 2 error | - |"]
    assert table(rows).splitlines()[2:] == lines
