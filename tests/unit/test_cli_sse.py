"""Streams of events as commands read them."""

from __future__ import annotations

from typing import Any

import pytest

from kronk.cli.sse import objects
from kronk.shared.errors import Internal


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (['data: {"a": 1}', "", "data: [DONE]", "", 'data: {"b": 2}', ""], [{"a": 1}]),
        (['data:{"a": 1}', ""], [{"a": 1}]),
        ([": ping", "", "event: x", "id: 7", 'data: {"a": 1}', ""], [{"a": 1}]),
        (['data: {"a":', "data: 1}", ""], [{"a": 1}]),
        (['data: {"a": 1}'], []),
        ([], []),
    ],
)
def test_events_are_read_as_the_sse_standard_says(
    lines: list[str], expected: list[dict[str, Any]]
) -> None:
    assert list(objects(lines)) == expected


@pytest.mark.parametrize("text", ["{half", "[1]", "7"])
def test_an_event_that_is_no_object_is_an_error(text: str) -> None:
    with pytest.raises(Internal, match=r"not JSON|not an object"):
        list(objects([f"data: {text}", ""]))
