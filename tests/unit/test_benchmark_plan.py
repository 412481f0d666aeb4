"""What a benchmark asks, and its prompts."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronk.shared.benchmark import plan as plans
from kronk.shared.benchmark.plan import PRESETS, Cell, Plan
from kronk.shared.benchmark.texts import Guess, fitted, prefix, prompt
from kronk.shared.errors import InvalidArgument


@pytest.mark.parametrize(
    ("wrong", "param", "words"),
    [
        ({"prompt_sizes": ()}, "prompt_sizes", "expected 1 to 32 numbers, got 0"),
        ({"prompt_sizes": (5,)}, "prompt_sizes", "expected 32 to 1000000, got 5"),
        ({"concurrency": (1, 0)}, "concurrency", "expected 1 to 1024, got 0"),
        ({"max_tokens": 1}, "max_tokens", "expected 2 to"),
        ({"repetitions": 0}, "repetitions", "expected 1 to"),
        ({"warm_up": -1}, "warm_up", "expected 0 to"),
        ({"prompt_sizes": (128,), "shared_prefix": 97}, "shared_prefix", "at most 96 tokens"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_names_its_field(
    wrong: dict[str, object], param: str, words: str
) -> None:
    with pytest.raises(InvalidArgument, match=re.escape(words)) as refused:
        Plan(**wrong)  # type: ignore[arg-type]  # that is the point
    assert refused.value.param == param


@pytest.mark.parametrize(("text", "found"), [("1", (1,)), ("1,4, 8", (1, 4, 8)), ("4,4,1", (4, 1))])
def test_numbers_are_read_once_each_in_their_order(text: str, found: tuple[int, ...]) -> None:
    assert plans.numbers(text, "--concurrency") == found


@pytest.mark.parametrize("text", ["", "1,", "-1", "one", "1.5", "1;2", "\u0663"])
def test_what_is_no_list_of_numbers_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="--concurrency: expected numbers"):
        plans.numbers(text, "--concurrency")


def test_an_unknown_preset_is_told_which_there_are() -> None:
    with pytest.raises(InvalidArgument, match="quick, standard, long-context, max-speed"):
        plans.preset("fast")
    assert all(plans.preset(name) == plan for name, plan in PRESETS.items())


def test_each_size_is_asked_at_each_concurrency() -> None:
    plan = Plan((64, 128), (1, 2), repetitions=3, warm_up=1)
    assert list(plan.cells()) == [Cell(64, 1), Cell(64, 2), Cell(128, 1), Cell(128, 2)]
    assert plan.rounds == 4 * 4


@pytest.mark.parametrize(
    ("change", "is_same"),
    [
        ({"repetitions": 9}, True),
        ({"warm_up": 0}, True),
        ({"max_tokens": 9}, False),
        ({"prompt_sizes": (64,)}, False),
        ({"concurrency": (2,)}, False),
        ({"shared_prefix": 8}, False),
    ],
)
def test_plans_can_be_compared_when_they_ask_the_same(
    change: dict[str, int], is_same: bool
) -> None:
    changed = replace(Plan(), **change)  # type: ignore[arg-type]  # each has its own type
    assert (changed.key == Plan().key) == is_same


@pytest.mark.parametrize(
    ("context", "sizes", "left_out"),
    [(8192, (128, 512, 2048), ()), (2048, (128, 512), (2048,)), (100, (128, 512, 2048), ())],
)
def test_prompts_without_room_for_their_answers_are_left_out(
    context: int, sizes: tuple[int, ...], left_out: tuple[int, ...]
) -> None:
    plan, gone = plans.fitting(Plan(), context)
    assert (plan.prompt_sizes, gone) == (sizes, left_out)


@given(st.integers(32, 3000), st.integers(1, 4), st.integers(5, 60), st.text("abc", max_size=4))
def test_a_prompt_gets_exactly_the_tokens_that_it_is_to_have(
    tokens: int, per_letters: int, template: int, seed: str
) -> None:
    def count(text: str) -> int:
        # One token for so many letters of a word, and for what fills up.
        words = text.split(" ")
        return template + sum(-(-len(word) // (per_letters * 3)) for word in words)

    found = fitted(lambda words: prompt(seed, words), tokens, count, Guess())
    least = count(prompt(seed, 1))
    assert found.tokens == count(found.text)
    assert found.tokens == tokens or tokens < least


def test_prompts_differ_from_their_first_word_and_share_what_they_are_to_share() -> None:
    first, second = prompt("a", 20), prompt("b", 20)
    assert first.split()[0] != second.split()[0]
    assert first == prompt("a", 20)
    shared = prefix("run", 30)
    assert prompt("a", 20, shared).startswith(shared) and prompt("b", 20, shared).startswith(shared)
    assert prompt("a", 20, shared) != prompt("b", 20, shared)
    assert prefix("another", 30) != shared


@pytest.mark.parametrize(
    ("fewer", "more", "guess"),
    [
        ((20, 45), (220, 345), Guess(15.0, 1.5)),
        # Whatever that server counts, it is not this.
        ((20, 45), (220, 45), Guess()),
    ],
)
def test_what_a_word_is_in_tokens_is_learnt_from_two_prompts(
    fewer: tuple[int, int], more: tuple[int, int], guess: Guess
) -> None:
    assert Guess.of(fewer, more) == guess
