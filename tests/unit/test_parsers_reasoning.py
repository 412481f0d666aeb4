"""Thinking is told apart while it streams, whether the model or the prompt opened it."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.transcripts import HERMES_NOW, TOOLS, joined, parse, seen
from kronk.worker.parsers import hermes
from kronk.worker.parsers.base import Dropped, Reasoning, Text
from kronk.worker.parsers.reasoning import (
    TAGS,
    Phase,
    ReasoningSplitter,
    Tags,
    prompt_opens_thinking,
    supports_thinking,
)

THINK = TAGS[0]


def splitter(open_at_start: bool, tools: bool = True) -> ReasoningSplitter:
    return ReasoningSplitter(hermes.FAMILY.parser(TOOLS) if tools else None, THINK, open_at_start)


@pytest.mark.parametrize(
    ("open_at_start", "raw", "reasoning", "text", "calls"),
    [
        (False, "<think>\nHm.\n</think>\n\nHello.", "Hm.", "Hello.", 0),
        (True, "\nHm.\n</think>\n\nHello.", "Hm.", "Hello.", 0),
        (False, "\n<think>Hm.</think>Hello.", "Hm.", "Hello.", 0),
        (False, "<think>\n\n</think>\n\nHello.", "", "Hello.", 0),
        (True, "</think>Hello.", "", "Hello.", 0),
        # It never thought.
        (False, " Hello.", "", " Hello.", 0),
        (False, "", "", "", 0),
        (False, "<thin", "", "<thin", 0),
        # A tag further on is text.
        (False, "Use <think> and </think>.", "", "Use <think> and </think>.", 0),
        (False, "<think>a</think>b<think>c</think>", "a", "b<think>c</think>", 0),
        (False, "<think>a <think> b</think>c", "a <think> b", "c", 0),
        # Cut off while thinking.
        (True, "Hm, well </thi", "Hm, well </thi", "", 0),
        (True, "Hm, well \n", "Hm, well \n", "", 0),
        # Calls are read behind the thinking, not in it.
        (False, f"<think>I could {HERMES_NOW}.</think>\n{HERMES_NOW}\n", None, "", 1),
        (True, f"{HERMES_NOW}", HERMES_NOW, "", 0),
    ],
)
def test_what_is_thinking(
    open_at_start: bool, raw: str, reasoning: str | None, text: str, calls: int
) -> None:
    whole = parse(splitter(open_at_start), [raw])
    answer = seen("", raw, whole)
    expected = f"I could {HERMES_NOW}." if reasoning is None else reasoning
    assert (answer.reasoning, answer.text, len(answer.calls)) == (expected, text, calls)
    for pieces in (list(raw), *([raw[:at], raw[at:]] for at in range(1, len(raw)))):
        segments = parse(splitter(open_at_start), pieces)
        assert sum(segment.chars for segment in segments) == len(raw)
        assert joined(segments) == joined(whole)


@pytest.mark.parametrize("tags", TAGS, ids=lambda tags: tags.open)
def test_the_closing_text_ends_the_thinking(tags: Tags) -> None:
    raw = f"{tags.open}Hm.{tags.close_text}Yes."
    answer = seen("", raw, parse(ReasoningSplitter(None, tags, open_at_start=False), [raw]))
    assert (answer.reasoning, answer.text) == ("Hm.", "Yes.")


@given(
    pieces=st.lists(
        st.sampled_from(["<think>", "</think>", "<", "</", "think>", "\n", " ", "a", HERMES_NOW]),
        max_size=20,
    ),
    at=st.lists(st.integers(0, 200), max_size=6),
    open_at_start=st.booleans(),
    tools=st.booleans(),
)
def test_any_text_is_accounted_for_however_it_is_cut(
    pieces: list[str], at: list[int], open_at_start: bool, tools: bool
) -> None:
    raw = "".join(pieces)
    whole = parse(splitter(open_at_start, tools), [raw])
    edges = sorted({0, len(raw), *(place % (len(raw) + 1) for place in at)})
    for parts in (list(raw), [raw[a:b] for a, b in itertools.pairwise(edges)]):
        segments = parse(splitter(open_at_start, tools), parts)
        assert sum(segment.chars for segment in segments) == len(raw)
        assert joined(segments) == joined(whole)


def test_the_phase_follows_the_tags() -> None:
    parser = splitter(open_at_start=False)
    phases = []
    for piece in ("\n<thi", "nk>", "\nHm", "\n</think", ">", "\n", "Yes"):
        parser.feed(piece)
        phases.append((parser.phase, parser.is_thinking))
    start, thinking = (Phase.START, False), (Phase.THINKING, True)
    answer = (Phase.ANSWER, False)
    assert phases == [start, thinking, thinking, thinking, answer, answer, answer]


def test_an_answer_that_does_not_think_is_past_it_with_its_first_character() -> None:
    parser = splitter(open_at_start=False)
    assert parser.feed("H") == [Text("H", 1)]
    assert parser.phase is Phase.ANSWER


def test_thinking_is_passed_on_at_once_and_tags_are_counted_apart() -> None:
    parser = splitter(open_at_start=True)
    assert parser.is_thinking
    assert parser.feed("\nHm") == [Dropped(1), Reasoning("Hm", 2)]
    assert parser.feed(parser.close_text) == [Reasoning("", 9), Dropped(2)]
    assert parser.feed("Yes") == [Text("Yes", 3)]


def test_the_inner_parsers_problems_are_the_splitters() -> None:
    parser = splitter(open_at_start=True)
    parse(parser, ["</think><tool_call>x"])
    assert parser.problems == ["no call: no '{' where one must be"]


@pytest.mark.parametrize(
    ("template", "tags"),
    [
        ("{{ messages }}<think>\n", "<think>"),
        # Only cut out of earlier answers: the model thinks by itself.
        ("{{ content.split('</think>')[-1] }}", "<think>"),
        ("{{ '[THINK]' }}", "[THINK]"),
        ("<seed:think>", "<seed:think>"),
        ("<|START_THINKING|>", "<|START_THINKING|>"),
        ("{{ messages }}", None),
        ("<|channel>thought\n<channel|>", "<|channel>thought"),
        # Harmony's channels are its family's own.
        ("<|channel|>analysis<|message|>", None),
    ],
)
def test_the_template_tells_the_tags(template: str, tags: str | None) -> None:
    found = supports_thinking(template)
    assert (found and found.open) == tags


def test_the_tokens_of_the_tags() -> None:
    assert THINK.markers == ("<think>", "</think>")
    gemma = supports_thinking("<|channel>thought")
    assert gemma is not None
    assert gemma.markers == ("<|channel>", "<channel|>")


@pytest.mark.parametrize(
    ("prompt", "opens"),
    [
        ("<|im_start|>assistant\n<think>\n", True),
        ("<|Assistant|><think>", True),
        ("<|im_start|>assistant\n<think>\n\n</think>\n\n", False),
        ("<|im_start|>user\n<think><|im_end|>\n<|im_start|>assistant\n", False),
    ],
)
def test_a_prompt_that_ends_with_the_tag_opens_the_thinking(prompt: str, opens: bool) -> None:
    assert prompt_opens_thinking(prompt, THINK) is opens
