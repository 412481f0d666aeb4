"""Penalties and DRY change a row as llama.cpp's samplers do; what else edits it before a choice."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import llama_cpp.llama_cpp as lib
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kronk.shared.wire.values import Sampling
from kronk.worker.engine.chain import TOKEN_DATA
from kronk.worker.engine.dry import Breakers, Dry, runs
from kronk.worker.engine.penalties import Penalties
from kronk.worker.engine.sampler import Candidates, Sampler
from kronk.worker.engine.sampling import Logits, resolve
from kronk.worker.library import LlamaLog

TINY = Path(__file__).resolve().parents[1] / "models" / "tiny-chat-q8_0.gguf"


@pytest.fixture(scope="module")
def vocab() -> Iterator[Any]:
    """The tiny model's vocabulary, as llama.cpp's handle."""
    LlamaLog()
    params = lib.llama_model_default_params()
    params.vocab_only = True
    model = lib.llama_model_load_from_file(str(TINY).encode(), params)
    yield lib.llama_model_get_vocab(model)
    lib.llama_model_free(model)


def through_llama_cpp(stage: Any, accepted: Sequence[int], row: Logits) -> Logits:
    """The row as that sampler leaves it, after it has accepted those tokens."""
    rows = np.zeros(row.size, TOKEN_DATA)
    rows["id"] = np.arange(row.size)
    rows["logit"] = row
    array = lib.llama_token_data_array()
    array.data = rows.ctypes.data_as(lib.llama_token_data_p)
    array.size, array.selected, array.sorted = row.size, -1, False
    for token in accepted:
        lib.llama_sampler_accept(stage, token)
    lib.llama_sampler_apply(stage, ctypes.byref(array))
    lib.llama_sampler_free(stage)
    result = np.empty_like(row)
    result[rows["id"]] = rows["logit"]
    return result


def make_row(seed: int, n_vocab: int) -> Logits:
    return np.random.default_rng(seed).normal(0, 5, n_vocab).astype(np.float32)


tokens = st.lists(st.integers(0, 7), max_size=60)


@settings(max_examples=300, deadline=None)
@given(
    prompt=tokens,
    answer=tokens,
    window=st.sampled_from([1, 2, 7, 64, -1]),
    repeat=st.sampled_from([1.0, 1.3, 0.7]),
    frequency=st.sampled_from([0.0, 0.5, -1.5]),
    presence=st.sampled_from([0.0, 1.0, -2.0]),
)
def test_penalties_are_those_of_llama_cpp(
    prompt: list[int],
    answer: list[int],
    window: int,
    repeat: float,
    frequency: float,
    presence: float,
) -> None:
    row = make_row(len(prompt), 9)
    last_n = window if window > 0 else 1000
    stage = lib.llama_sampler_init_penalties(row.size, last_n, repeat, frequency, presence)
    expected = through_llama_cpp(stage, [*prompt, *answer], row)
    params = resolve(
        Sampling(
            repeat_last_n=window,
            repeat_penalty=repeat,
            frequency_penalty=frequency,
            presence_penalty=presence,
        )
    )
    ours = Penalties(params, prompt)
    for token in answer:
        ours.accept(token)
    ours.apply(row)
    np.testing.assert_allclose(row, expected, rtol=1e-6)


@settings(max_examples=300, deadline=None)
@given(sequence=st.lists(st.integers(0, 2), max_size=200))
def test_runs_count_the_tokens_that_equal_the_last_ones(sequence: list[int]) -> None:
    lengths = runs(np.array(sequence, np.int32))
    for place in range(len(sequence) - 1):
        length = 0
        while length <= place and sequence[place - length] == sequence[-1 - length]:
            length += 1
        assert lengths[place] == length


def through_dry(
    vocab: Any, said: dict[str, Any], breakers: Sequence[str], accepted: Sequence[int], row: Logits
) -> Logits:
    p = resolve(Sampling(**said))
    texts = (ctypes.c_char_p * len(breakers))(*(text.encode() for text in breakers))
    last_n = p.dry_penalty_last_n if p.dry_penalty_last_n > 0 else 1000
    stage = lib.llama_sampler_init_dry(
        vocab,
        p.dry_multiplier,
        p.dry_base,
        p.dry_allowed_length,
        last_n,
        texts,
        len(breakers),
    )
    return through_llama_cpp(stage, accepted, row)


@pytest.mark.parametrize("window", [3, 10, 50, -1])
@pytest.mark.parametrize("allowed", [1, 2, 4])
@pytest.mark.parametrize("breakers", [(), ("\n", ":", '"', "*"), ("e", "the "), ("a",)])
def test_dry_is_that_of_llama_cpp(
    vocab: Any, window: int, allowed: int, breakers: tuple[str, ...]
) -> None:
    n_vocab = lib.llama_vocab_n_tokens(vocab)
    shared = Candidates(n_vocab, vocab)
    said = {
        "dry_multiplier": 1.05,
        "dry_allowed_length": allowed,
        "dry_penalty_last_n": window,
        "dry_sequence_breakers": breakers,
    }
    generator = np.random.default_rng(window + allowed)
    changed = 0
    for size in (0, 1, 5, *[40] * 5, *[300] * 5):
        # Few tokens, and the latest ones seen before.
        few = generator.integers(0, n_vocab, 12)
        sequence = [int(token) for token in generator.choice(few, size)]
        sequence += sequence[-5:]
        row = make_row(size, n_vocab)
        expected = through_dry(vocab, said, breakers, sequence, row)
        changed += bool((expected != row).any())
        for split in (0, len(sequence) // 2, len(sequence)):
            dry = Dry(resolve(Sampling(**said)), shared.breakers(breakers), sequence[:split])
            for token in sequence[split:]:
                dry.accept(token)
            ours = row.copy()
            dry.apply(ours)
            np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-5)
    # A window of 3 has no room for a repetition.
    assert changed or window == 3


def test_a_long_repetition_has_a_finite_penalty() -> None:
    params = resolve(Sampling(dry_multiplier=100.0, dry_base=10.0))
    dry = Dry(params, None, [5] * 5000)
    row = np.zeros(8, np.float32)
    dry.apply(row)
    assert row[5] < -1e30
    assert np.isfinite(row).all()
    assert not row[:5].any()


def test_a_breaker_is_found_in_a_token_and_across_tokens() -> None:
    pieces = {1: b"ab", 2: b"x", 3: b"xa", 4: b"abba", 5: b"aa"}
    breakers = Breakers(("ab", "aab"), pieces.__getitem__, lambda text: list(text))
    assert breakers.tails(2) == ()
    assert breakers.is_break(1)
    assert breakers.is_break(4)
    assert set(breakers.tails(3)) == {(ord("b"),), (ord("a"), ord("b"))}
    # "aa" may be the head of "ab" by its second letter, of "aab" by both and by its second.
    assert set(breakers.tails(5)) == {(ord("b"),), (ord("a"), ord("b"))}


class Only:
    """A grammar that allows these tokens."""

    def __init__(self, *allowed: int) -> None:
        self.allowed = list(allowed)
        self.accepted: list[int] = []

    def apply(self, logits: Logits) -> None:
        forbidden = np.ones(logits.size, np.bool_)
        forbidden[self.allowed] = False
        logits[forbidden] = -math.inf

    def takes(self, token: int) -> bool:
        return token in self.allowed

    def accept(self, token: int) -> None:
        self.accepted.append(token)


def rising(n_vocab: int = 10) -> Logits:
    """The highest token is the likeliest."""
    return np.arange(n_vocab, dtype=np.float32)


def make(
    *, prompt: Sequence[int] = (), ends: Sequence[int] = (), mask: Only | None = None, **said: Any
) -> Sampler:
    params = resolve(Sampling(**({"temperature": 0.0, "seed": 1} | said)))
    return Sampler(params, Candidates(10), prompt, ends, mask)


@pytest.mark.parametrize(
    ("said", "prompt", "expected"),
    [
        ({}, [9, 9], 9),
        ({"repeat_penalty": 1.5}, [9], 8),
        ({"repeat_penalty": 1.5, "repeat_last_n": 1}, [9, 8], 9),
        ({"repeat_penalty": 1.5, "repeat_last_n": -1}, [9, *[0] * 100], 8),
        ({"repeat_penalty": 1.5, "repeat_last_n": 0}, [9], 9),
        ({"presence_penalty": 2.0}, [9, 8], 7),
        ({"frequency_penalty": -2.0}, [4, 4, 4], 4),
        ({"logit_bias": {"2": 50.0}}, [], 2),
        ({"logit_bias": {"9": -100.0, "8": -100.0}}, [], 7),
        ({"dry_multiplier": 5.0}, [1, 2, 9, 1, 2], 8),
        ({"dry_multiplier": 5.0, "dry_allowed_length": 3}, [1, 2, 9, 1, 2], 9),
    ],
)
@pytest.mark.parametrize("greed", [{}, {"temperature": 0.8, "top_k": 1}])
def test_the_greedy_choice_heeds_what_changes_logits(
    said: dict[str, Any], prompt: list[int], expected: int, greed: dict[str, Any]
) -> None:
    assert make(prompt=prompt, **greed, **said).sample(rising()) == expected


@pytest.mark.parametrize(
    ("said", "prompt"),
    [
        ({"logit_bias": {"0": 60.0}}, []),
        ({"frequency_penalty": -2.0, "repeat_last_n": -1}, [0] * 40),
        ({"repeat_penalty": 0.01}, [1]),
    ],
)
def test_a_token_far_below_the_others_can_be_raised_to_the_choice(
    said: dict[str, Any], prompt: list[int]
) -> None:
    sampler = make(prompt=prompt, **({"temperature": 0.5, "top_k": 1, **said}))
    drawn = make(prompt=prompt, **({"temperature": 0.5, "top_k": 3, **said}))
    raised = 1 if prompt == [1] else 0
    assert sampler.sample(rising()) == raised
    assert drawn.sample(rising()) == raised
    drawn.close()


@pytest.mark.parametrize("said", [{"ignore_eos": True}, {"min_tokens": 2}])
@pytest.mark.parametrize("warmth", [{}, {"temperature": 0.1}])
def test_the_answer_does_not_end_too_early(said: dict[str, Any], warmth: dict[str, Any]) -> None:
    sampler = make(ends=[9, 8], **said, **warmth)
    row = rising() * 10
    for _ in range(2):
        assert sampler.sample(row.copy()) == 7
        sampler.accept(7)
    assert sampler.sample(row.copy()) == (9 if "min_tokens" in said else 7)
    sampler.close()


@pytest.mark.parametrize("warmth", [{}, {"temperature": 0.8}])
def test_a_grammar_at_its_end_ends_the_answer_whatever_else_was_asked(
    warmth: dict[str, Any],
) -> None:
    sampler = make(ends=[3, 9], mask=Only(3), ignore_eos=True, min_tokens=5, **warmth)
    assert sampler.sample(rising()) == 3
    # One token more is allowed: then the end is not.
    sampler.mask = Only(3, 1)
    assert sampler.sample(rising()) == 1
    sampler.close()


@pytest.mark.parametrize("warmth", [{}, {"temperature": 0.8}])
def test_a_grammar_that_allows_nothing_ends_the_answer(warmth: dict[str, Any]) -> None:
    sampler = make(ends=[3], mask=Only(), **warmth)
    assert sampler.sample(rising()) == 3
    sampler.close()


@pytest.mark.parametrize("warmth", [{}, {"temperature": 2.0, "top_k": 0, "top_p": 1.0}])
def test_only_what_the_grammar_allows_is_chosen(warmth: dict[str, Any]) -> None:
    sampler = make(mask=Only(2, 5), logit_bias={"7": 100.0}, **warmth)
    assert {sampler.sample(rising() / 5) for _ in range(50)} <= {2, 5}
    sampler.close()


def test_the_grammar_hears_of_a_token_unless_told_otherwise() -> None:
    mask = Only(1, 2)
    sampler = make(mask=mask)
    sampler.accept(1)
    sampler.accept(2, by_mask=False)
    sampler.mask = None
    sampler.accept(2)
    assert mask.accepted == [1]


@pytest.mark.parametrize(
    ("said", "is_plain"),
    [
        ({}, True),
        ({"top_p": 0.1, "mirostat": 2, "xtc_probability": 1.0}, True),
        ({"repeat_penalty": 1.1, "repeat_last_n": 0}, True),
        ({"temperature": 0.5}, False),
        ({"repeat_penalty": 1.1}, False),
        ({"presence_penalty": 0.1}, False),
        ({"dry_multiplier": 0.1}, False),
        ({"logit_bias": {"1": 1.0}}, False),
        ({"ignore_eos": True}, False),
        ({"min_tokens": 1}, False),
        ({"mask": Only(1)}, False),
    ],
)
def test_a_sampler_knows_when_it_is_a_bare_argmax(said: dict[str, Any], is_plain: bool) -> None:
    sampler = make(ends=[9], **said)
    assert sampler.is_plain is is_plain
    sampler.close()


def test_once_it_may_end_a_greedy_answer_is_plain() -> None:
    sampler = make(ends=[9], min_tokens=1)
    sampler.accept(0)
    assert sampler.is_plain


@pytest.mark.parametrize("said", [{"mirostat": 1}, {"mirostat": 2}, {"dynatemp_range": 1e-9}, {}])
@pytest.mark.parametrize("temperature", [1e-300, 1e-9, 1e-4])
def test_next_to_nothing_is_a_temperature(said: dict[str, Any], temperature: float) -> None:
    sampler = make(temperature=temperature, **said)
    assert sampler.sample(rising()) == 9
    sampler.close()


def test_an_even_row_and_a_peaked_one_survive_a_dynamic_temperature() -> None:
    said = {"temperature": 0.5, "dynatemp_range": 5.0, "dynatemp_exponent": 10.0}
    peaked = rising() * 10
    for row in (rising(), np.zeros(10, np.float32), peaked, peaked * 1e30):
        sampler = make(**said)
        assert 0 <= sampler.sample(row) < 10
        sampler.close()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_row_that_is_no_distribution_is_survived(value: float) -> None:
    sampler = make(temperature=0.8)
    row: npt.NDArray[np.float32] = np.full(10, value, np.float32)
    assert 0 <= sampler.sample(row) < 10
    sampler.close()


def test_the_same_seed_repeats_whatever_else_is_sampled_and_another_differs() -> None:
    said = {"temperature": 1.0, "xtc_probability": 0.5, "repeat_penalty": 1.1, "top_k": 0}
    rows = [np.random.default_rng(step).normal(0, 1, 10).astype(np.float32) for step in range(40)]

    def run(seed: int, others: int) -> list[int]:
        shared = Candidates(10)
        crowd = [
            Sampler(resolve(Sampling(**(said | {"seed": n}))), shared, (), ())
            for n in (seed, *range(100, 100 + others))
        ]
        chosen = []
        for row in rows:
            picks = [sampler.sample(row.copy()) for sampler in crowd]
            for sampler, token in zip(crowd, picks, strict=True):
                sampler.accept(token)
            chosen.append(picks[0])
        for sampler in crowd:
            sampler.close()
            sampler.close()
        return chosen

    assert run(7, 0) == run(7, 3)
    assert run(7, 0) != run(8, 0)
