"""An answer that is told again: what the client does not have, and what must not have changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronk.gateway.transcript import Differs, Parts, Replay, Transcript
from kronk.shared.wire.to_gateway import (
    Delta,
    Finished,
    Inspected,
    ReasoningDelta,
    ScoredDelta,
    Scores,
    Silent,
    Started,
    ToolCallDelta,
    ToolCallRetracted,
    Vectors,
)
from kronk.shared.wire.to_worker import Resumed
from kronk.shared.wire.values import TokenLogprob

R = 5


def text(text: str, *tokens: int, choice: int = 0) -> Delta:
    return Delta(R, choice, text, tokens)


def scored(text: str, *tokens: int) -> ScoredDelta:
    logprobs = tuple(TokenLogprob(b"", -float(token), ()) for token in tokens)
    return ScoredDelta(R, 0, text, tokens, logprobs)


# Everything there is, of two choices.
ANSWER: list[Any] = [
    Started(R, 3, 0),
    ReasoningDelta(R, 0, "hm, ", (1,)),
    text("zwei", 90, choice=1),
    ReasoningDelta(R, 0, "so", (2, 3)),
    Silent(R, 0, (4,)),
    text("Grüße 👋", 5),
    text("!", 91, 92, choice=1),
    text("🏽 an", 6),
    ToolCallDelta(R, 0, 0, "call_a", "add", "", (7, 8)),
    ToolCallDelta(R, 0, 0, None, None, '{"a": ', (9,)),
    Finished(R, 1, "stop"),
    ToolCallDelta(R, 0, 0, None, None, "1}", (10,)),
    ToolCallDelta(R, 0, 1, "call_b", "add", '{"a"', (11,)),
    ToolCallRetracted(R, 0, 1, '<tool>{"a"', (12,)),
    text(" end", 13),
    Silent(R, 0, (14,)),
    Finished(R, 0, "tool_calls"),
]


def heard(events: Iterable[Any]) -> dict[Any, Any]:
    """What a client makes of it, however it was cut."""
    known: dict[Any, Any] = {}
    for event in events:
        number = getattr(event, "choice", None)
        match event:
            case Started() | Finished():
                known[type(event), number] = known.get((type(event), number), 0) + 1
            case Delta() | ScoredDelta() | ReasoningDelta():
                key = "reasoning" if isinstance(event, ReasoningDelta) else "content"
                known[key, number] = known.get((key, number), "") + event.text
            case ToolCallDelta():
                if event.id is not None:
                    assert (event.index, number) not in known, "announced twice"
                    known[event.index, number] = [event.id, event.name, ""]
                known[event.index, number][2] += event.arguments
            case ToolCallRetracted():
                assert ("retracted", event.index) not in known, "retracted twice"
                known["retracted", event.index] = event.text
        if isinstance(event, ScoredDelta):
            known["logprobs"] = known.get("logprobs", ()) + event.logprobs
    return known


def tokens_of(events: Iterable[Any], choice: int) -> tuple[int, ...]:
    mine = [e for e in events if getattr(e, "choice", None) == choice and hasattr(e, "tokens")]
    return tuple(token for event in mine for token in event.tokens)


def told(events: Iterable[Any]) -> Transcript:
    transcript = Transcript()
    transcript.recent.extend(events)
    return transcript


def rest_of(replay: Replay, events: Iterable[Any]) -> list[Any]:
    return [rest for event in events if (rest := replay.rest(event)) is not None]


def fresh(events: Iterable[Any]) -> list[Any]:
    """The same with other ids of calls, as a new worker makes them."""
    return [
        replace(event, id="new" + event.id)
        if isinstance(event, ToolCallDelta) and event.id is not None
        else event
        for event in events
    ]


def cut(events: Iterable[Any], size: int) -> list[Any]:
    """The same in pieces of so many characters, the tokens with the last of them."""
    pieces: list[Any] = []
    for event in events:
        if not isinstance(event, Delta | ReasoningDelta) or len(event.text) <= size:
            pieces.append(event)
            continue
        parts = [event.text[at : at + size] for at in range(0, len(event.text), size)]
        pieces += [replace(event, text=part, tokens=()) for part in parts[:-1]]
        pieces.append(replace(event, text=parts[-1]))
    return pieces


@pytest.mark.parametrize("size", [100, 1, 3])
@pytest.mark.parametrize("at", range(len(ANSWER) + 1))
def test_wherever_it_broke_off_the_client_hears_one_answer(at: int, size: int) -> None:
    before = ANSWER[:at]
    replay = told(before).again()
    after = rest_of(replay, cut(fresh(ANSWER), size))
    replay.end()
    whole = heard([*before, *after])
    expected = heard(ANSWER)
    for key, (_, name, arguments) in [(k, v) for k, v in expected.items() if isinstance(v, list)]:
        assert whole[key][1:] == [name, arguments]
        assert whole[key][0] in ("call_a", "call_b", "newcall_a", "newcall_b")
        del whole[key], expected[key]
    assert whole == expected
    # No token is counted twice or lost: the next attempt may need them.
    for choice in (0, 1):
        silent = [event for event in ANSWER[:at] if isinstance(event, Silent)]
        known = tokens_of(before, choice)
        assert known + tokens_of(after, choice) == tokens_of(ANSWER, choice), silent


@given(st.data())
def test_it_may_break_off_again_while_it_is_told_again(data: st.DataObject) -> None:
    transcript, client = Transcript(), list[Any]()
    attempts = data.draw(st.integers(1, 4))
    for attempt in range(attempts):
        replay = transcript.again()
        last = attempt == attempts - 1
        end = len(ANSWER) if last else data.draw(st.integers(0, len(ANSWER)))
        for rest in rest_of(
            replay, cut(ANSWER, data.draw(st.integers(1, 9)))[: None if last else end]
        ):
            transcript.recent.append(rest)
            client.append(rest)
    assert heard(client) == heard(ANSWER)
    assert [one.tokens for one in transcript.resumed()] == [
        tokens_of(ANSWER, 0),
        tokens_of(ANSWER, 1),
    ]


def test_what_is_known_is_the_tokens_of_each_choice_and_which_have_finished() -> None:
    assert told(ANSWER[:11]).resumed() == (
        Resumed(0, (1, 2, 3, 4, 5, 6, 7, 8, 9)),
        Resumed(1, (90, 91, 92), finished=True),
    )
    assert told(ANSWER[:1]).resumed() == ()


def test_a_choice_that_had_finished_need_not_be_told_again() -> None:
    replay = told(ANSWER[:11]).again()
    others = [event for event in ANSWER if getattr(event, "choice", 0) == 0]
    after = rest_of(replay, others)
    replay.end()
    assert heard([*ANSWER[:11], *after]) == heard(ANSWER)


def test_pieces_that_are_cut_in_another_way_are_cut_where_the_client_is() -> None:
    replay = told([text("Grü", 1), text("ße 👋", 2)]).again()
    assert replay.rest(text("Gr", 1)) is None
    assert not replay.is_level
    assert replay.rest(text("üße 👋 und", 2, 3)) == text(" und", 3)
    assert replay.is_over


def test_log_probabilities_are_left_out_with_their_tokens() -> None:
    replay = told([scored("a", 1), scored("bc", 2, 3)]).again()
    assert replay.rest(scored("ab", 1, 2)) is None
    rest = replay.rest(scored("cd", 3, 4))
    assert rest == scored("d", 4)
    assert rest.logprobs == scored("d", 4).logprobs
    assert replay.rest(scored("e", 5)) == scored("e", 5)


def test_the_tokens_of_a_retraction_are_told_once_however_they_are_cut() -> None:
    call = ToolCallDelta(R, 0, 0, "call_a", "add", "", (1,))
    first = [call, Silent(R, 0, (2,)), ToolCallRetracted(R, 0, 0, "<tool>", (3,))]
    again = [call, ToolCallRetracted(R, 0, 0, "<tool>", (2, 3, 4)), text("!", 5)]
    for known in range(1, len(first) + 1):
        rest = rest_of(told(first[:known]).again(), fresh(again))
        assert tokens_of(first[:known] + rest, 0) == (1, 2, 3, 4, 5)
        assert heard(first[:known] + rest) == heard(again)


CHANGED: list[tuple[str, list[Any], list[Any]]] = [
    ("text", [text("ab", 1)], [text("ax", 1)]),
    ("text in a longer piece", [text("ab", 1)], [text("axy", 1, 2)]),
    ("thinking", [ReasoningDelta(R, 0, "ab", (1,))], [ReasoningDelta(R, 0, "b", (1,))]),
    ("tokens", [text("a", 1), text("b", 2)], [text("a", 1), text("b", 3)]),
    ("another tool", [ANSWER[8]], [replace(ANSWER[8], name="sub")]),
    ("arguments", ANSWER[8:10], [ANSWER[8], replace(ANSWER[9], arguments="[")]),
    ("a retraction", ANSWER[12:14], [ANSWER[12], replace(ANSWER[13], text="x")]),
    ("the reason", [Finished(R, 0, "stop")], [Finished(R, 0, "length")]),
    ("an early end", [text("ab", 1)], [text("a", 1), Finished(R, 0, "stop")]),
    ("no end", [text("a", 1), Finished(R, 0, "stop")], [text("ab", 1)]),
]


@pytest.mark.parametrize(
    ("before", "again"), [row[1:] for row in CHANGED], ids=[row[0] for row in CHANGED]
)
def test_what_has_changed_is_seen(before: list[Any], again: list[Any]) -> None:
    replay = told(before).again()
    with pytest.raises(Differs):
        for event in again:
            replay.rest(event)


def test_an_end_before_all_was_told_is_seen() -> None:
    replay = told([text("ab", 1, 2)]).again()
    replay.rest(text("a", 1))
    with pytest.raises(Differs):
        replay.end()


def vectors(first: int, count: int) -> Vectors:
    return Vectors(R, first, 2, b"".join(bytes([n] * 8) for n in range(first, first + count)))


@pytest.mark.parametrize("known", range(7))
@pytest.mark.parametrize("size", [1, 2, 4, 6])
def test_vectors_that_came_are_left_out_however_they_are_packed(known: int, size: int) -> None:
    parts = Parts()
    if known:
        parts.recent.append(vectors(0, known))
    replay = parts.again()
    again = [vectors(at, min(size, 6 - at)) for at in range(0, 6, size)]
    rest = [one for part in again if (one := replay.rest(part)) is not None]
    replay.end()
    assert parts.resumed() == ()
    assert b"".join(one.values for one in rest) == vectors(known, 6 - known).values  # type: ignore[union-attr]
    assert [one.first for one in rest][:1] == [known] * (known < 6)  # type: ignore[union-attr]


def test_other_parts_are_left_out_by_their_number() -> None:
    parts = Parts()
    parts.recent += [Inspected(R, "", (1,), (), 9), Inspected(R, "", (2,), (), 9)]
    replay = parts.again()
    again = [Inspected(R, "", (number,), (), 9) for number in (1, 2, 3)]
    assert [replay.rest(part) for part in again] == [None, None, again[2]]
    scores = Parts()
    scores.recent.append(Scores(R, (0.5,)))
    assert scores.again().rest(Scores(R, (0.4,))) is None
