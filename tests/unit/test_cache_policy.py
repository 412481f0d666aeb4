"""What each mode of the cache keeps of a prompt."""

from __future__ import annotations

import dataclasses

import pytest

from kronk.worker.cache.policy import (
    CacheMode,
    CachePolicy,
    PromptMarks,
    marks,
    pin_at,
)

CHAT = PromptMarks(system_end=200, last_message_start=900, messages_end=950)


def policy(mode: CacheMode, min_tokens: int = 100, ram: int = 1, disk: int = 0) -> CachePolicy:
    return CachePolicy(mode, min_tokens, max_sessions=4, ram_bytes=ram, disk_bytes=disk)


@pytest.mark.parametrize(
    ("cache", "rigid", "prompt", "expected"),
    [
        pytest.param(policy("automatic"), False, CHAT, (), id="nothing: prefixes can be cut"),
        pytest.param(policy("automatic"), True, CHAT, (200, 900, 950), id="all where they cannot"),
        pytest.param(policy("system"), False, CHAT, (200,), id="the system prompt"),
        pytest.param(policy("system"), True, CHAT, (200, 900, 950), id="and the rest"),
        pytest.param(policy("incremental"), False, CHAT, (900,), id="all but the last message"),
        pytest.param(policy("off"), True, CHAT, (), id="off"),
        pytest.param(policy("system", ram=0), True, CHAT, (), id="nowhere to keep it"),
        pytest.param(policy("system", ram=0, disk=1), False, CHAT, (200,), id="on disk only"),
        pytest.param(policy("system", 201), False, CHAT, (), id="below the least"),
        pytest.param(policy("automatic", 901), True, CHAT, (950,), id="some below the least"),
        pytest.param(policy("automatic", 0), True, PromptMarks(0, 0, 0), (), id="no tokens"),
        pytest.param(policy("automatic"), True, PromptMarks(), (), id="no messages"),
        pytest.param(
            policy("automatic"), True, PromptMarks(300, 300, 350), (300, 350), id="one mark twice"
        ),
    ],
)
def test_snapshots_are_taken_where_prompts_may_part(
    cache: CachePolicy, rigid: bool, prompt: PromptMarks, expected: tuple[int, ...]
) -> None:
    assert marks(cache, rigid, prompt) == expected


@pytest.mark.parametrize(
    ("mode", "mark", "session", "expected"),
    [
        ("automatic", 200, "ann", None),
        ("system", 200, "ann", "system"),
        ("system", 900, "ann", None),
        ("incremental", 200, "ann", None),
        ("incremental", 900, "ann", "session:ann"),
        ("incremental", 900, "system", "session:system"),
        ("incremental", 900, None, "session:"),
    ],
)
def test_a_mode_pins_what_it_promises_to_keep(
    mode: CacheMode, mark: int, session: str | None, expected: str | None
) -> None:
    assert pin_at(policy(mode), CHAT, mark, session) == expected


def test_a_session_is_its_subjects_whatever_others_call_theirs() -> None:
    incremental = policy("incremental")
    names = {
        pin_at(incremental, CHAT, 900, session, subject)
        for subject in ("", "ann", "an", "own:3:ann")
        for session in (None, "n", "ann", "n:ann", "3:ann:ann", "own:3:ann:ann")
    }
    assert len(names) == 4 * 6
    # Whoever may start from whose prefixes.
    apart = dataclasses.replace(incremental, scope="subject")
    assert pin_at(apart, CHAT, 900, "n", "ann") == pin_at(incremental, CHAT, 900, "n", "ann")


def test_the_system_prompt_is_pinned_for_those_who_share_it() -> None:
    shared = policy("system")
    apart = dataclasses.replace(shared, scope="subject")
    assert pin_at(shared, CHAT, 200, None, "ann") == pin_at(shared, CHAT, 200, None, "bob")
    assert pin_at(apart, CHAT, 200, None, "ann") != pin_at(apart, CHAT, 200, None, "bob")
    assert pin_at(apart, CHAT, 200, None) == pin_at(shared, CHAT, 200, None)


@pytest.mark.parametrize(
    ("mode", "pins"), [("automatic", 0), ("system", 1), ("incremental", 4), ("off", 0)]
)
def test_pins_are_as_many_as_the_mode_needs(mode: CacheMode, pins: int) -> None:
    assert policy(mode).max_pins == pins
