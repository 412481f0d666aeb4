"""Guessing ahead changes how fast an answer comes, never what it says."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from harness import random_gguf
from harness.engine import EngineRun
from kronk.shared.errors import ModelFailed
from kronk.shared.wire.loading import (
    CacheSpec,
    ContextSpec,
    LoadSpec,
    PlacementSpec,
    SpeculationSpec,
)
from kronk.shared.wire.values import Answer, Sampling

MODELS = Path(__file__).parents[1] / "models"
TINY = MODELS / "tiny-chat-q8_0.gguf"
PLAIN = LoadSpec(
    "tiny",
    str(TINY),
    context=ContextSpec(window=1024, slots=4, n_threads=1),
    placement=PlacementSpec(n_gpu_layers=0),
    cache=CacheSpec(min_tokens=8),
)
NGRAM = SpeculationSpec(mode="ngram", draft_max=8, ngram_size=2)
DRAFT = SpeculationSpec(
    mode="draft",
    draft_model="tiny-f16",
    draft_path=str(MODELS / "tiny-chat-f16.gguf"),
    draft_max=6,
    draft_p_min=0.5,
)
PROMPTS = (
    "Hello!",
    "Echo back the word: Gorilla",
    "What is the capital of France?",
    "Give me JSON for a person called Alice aged 30.",
    "Count from 1 to 50",
)


@pytest.fixture(scope="module")
def plain() -> dict[str, str]:
    run = EngineRun(PLAIN)
    texts = {prompt: run.ask(prompt, 150).text for prompt in PROMPTS}
    run.stop_all()
    return texts


@pytest.mark.parametrize("asked", [NGRAM, DRAFT], ids=["ngram", "draft"])
def test_greedy_text_is_what_it_is_without(plain: dict[str, str], asked: SpeculationSpec) -> None:
    run = EngineRun(dataclasses.replace(PLAIN, speculation=asked))
    for _ in range(2):
        requests = {prompt: run.begin(prompt, 150) for prompt in PROMPTS}
        answers = {prompt: run.result(request) for prompt, request in requests.items()}
        assert {prompt: answer.text for prompt, answer in answers.items()} == plain
        assert sum(answer.timings.accepted for answer in answers.values()) > 0
        for answer in answers.values():
            assert answer.timings.accepted <= answer.timings.drafted
    run.stop_all()


@pytest.mark.parametrize("asked", [NGRAM, DRAFT], ids=["ngram", "draft"])
def test_sampled_text_of_a_seed_is_what_it_is_without(asked: SpeculationSpec) -> None:
    """With the same seed each token is drawn by the same number, whoever guessed before."""
    with_guesses = EngineRun(dataclasses.replace(PLAIN, speculation=asked))
    without = EngineRun(PLAIN)
    warm = Sampling(temperature=0.4, top_k=20, seed=7)
    for prompt in PROMPTS:
        expected = without.ask(prompt, 60, sampling=warm).text
        assert with_guesses.ask(prompt, 60, sampling=warm).text == expected
    with_guesses.stop_all()
    without.stop_all()


def test_an_answer_that_guesses_is_cut_where_it_would_have_been(plain: dict[str, str]) -> None:
    run = EngineRun(dataclasses.replace(PLAIN, speculation=NGRAM))
    for tokens in (1, 2, 7, 40):
        answered = run.ask("Count from 1 to 50", tokens)
        assert answered.usage.completion_tokens == tokens
        assert plain["Count from 1 to 50"].startswith(answered.text)
    stopped = run.ask("Count from 1 to 50", 150, stop=("12",))
    assert stopped.text == plain["Count from 1 to 50"].partition("12")[0]
    several = run.ask("Count from 1 to 50", 60, answer=Answer(choices=3))
    assert len({said.text for said in several.choices}) == 1
    run.stop_all()


def test_what_a_guess_left_behind_is_no_prefix_for_anybody(plain: dict[str, str]) -> None:
    run = EngineRun(dataclasses.replace(PLAIN, speculation=NGRAM))
    for tokens in range(20, 60, 3):
        run.ask("Count from 1 to 50", tokens)
        assert run.ask("Count from 1 to 50", 150).text == plain["Count from 1 to 50"]
    run.stop_all()


def test_a_draft_model_with_another_vocabulary_is_refused(tmp_path: Path) -> None:
    reranker = str(MODELS / "tiny-rerank-q8_0.gguf")
    wrong = dataclasses.replace(DRAFT, draft_model="other", draft_path=reranker)
    with pytest.raises(ModelFailed, match=r"draft model other: .*vocabulary"):
        EngineRun(dataclasses.replace(PLAIN, speculation=wrong))


def test_a_memory_that_cannot_take_back_a_guess_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mamba.gguf"
    random_gguf.write(path, random_gguf.MAMBA)
    spec = dataclasses.replace(PLAIN, path=str(path), speculation=NGRAM)
    with pytest.raises(ModelFailed, match="recurrent"):
        EngineRun(spec)
