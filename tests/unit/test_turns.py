"""Prompts without their first turns: what stays is whole and refers to its own files."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronk.gateway.dialects.turns import turn_starts, without_turns
from kronk.shared.wire.values import Media, Prompt


def messages(roles: str) -> tuple[Any, ...]:
    """One letter a message, told apart by their place."""
    names = {"s": "system", "u": "user", "a": "assistant", "t": "tool"}
    return tuple({"role": names[role], "content": str(at)} for at, role in enumerate(roles))


@pytest.mark.parametrize(
    ("roles", "starts"),
    [
        ("u", [0]),
        ("su", [1]),
        ("suau", [1, 3]),
        ("uu", [0]),
        ("uuauu", [0, 3]),
        ("suatauatau", [1, 5, 9]),
        ("sau", [2]),
        ("usu", [0, 2]),
        ("a", []),
    ],
)
def test_a_turn_begins_where_the_user_speaks_after_somebody_else(
    roles: str, starts: list[int]
) -> None:
    assert turn_starts(messages(roles)) == starts


@given(st.text("suat", max_size=20).filter(lambda roles: "u" in roles), st.data())
def test_what_is_left_is_the_head_and_the_last_turns(roles: str, data: st.DataObject) -> None:
    whole = messages(roles)
    starts = turn_starts(whole)
    count = data.draw(st.integers(0, len(starts) - 1))
    left = without_turns(Prompt(messages=whole), count).messages
    assert left == whole[: starts[0]] + whole[starts[count] :]
    assert len(turn_starts(left)) == len(starts) - count


def test_files_go_with_their_turns() -> None:
    def shown(*numbers: int) -> Any:
        parts: list[Any] = [{"type": "image", "media": number} for number in numbers]
        return {"role": "user", "content": [{"type": "text", "text": "?"}, *parts]}

    media = tuple(Media("image", bytes([number]), "x") for number in range(4))
    said = {"role": "assistant", "content": "!"}
    prompt = Prompt(messages=(shown(0, 1), said, shown(2), said, shown(3)), media=media)
    left = without_turns(prompt, 1)
    assert left.messages == (shown(0), said, shown(1))
    assert left.media == media[2:]
