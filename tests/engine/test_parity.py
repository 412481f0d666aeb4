"""Fifty prompts are answered as the plain `Llama` class of llama-cpp-python answers them.

Measured on a Xeon with AVX-512, one thread, in natural log-probability: how far plain llama.cpp is
from itself, and the engine from plain llama.cpp, at most.

                         noise   alone      8 at a time   cached   guessing   clear choices
    tiny                 1.20    0.000002   0.78          1.10     0.77       76 %
    starter              0.86    0.0000007  1.05          0.62     0.39       42 %

Most of the noise is not the batch's shape but where the text lies in memory: attention adds up in
the order of cells, and once others have left room, a text's beginning can lie behind its end.
Replayed in a bare context, batch by batch and cell by cell, the engine's logits are the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.engine import PATIENCE, Answered, EngineRun
from harness.parity import (
    LEAST_NOISE,
    SCORED,
    WAYS,
    Compared,
    Parity,
    Shape,
    Watch,
    Way,
    guess_always,
)
from harness.parity_prompts import CHATS, CODE, PROMPTS, RULES, chat, plain
from kronk.shared.wire.loading import (
    CacheSpec,
    ContextSpec,
    LoadSpec,
    PlacementSpec,
    SpeculationSpec,
)
from kronk.shared.wire.values import Prompt

MODELS = Path(__file__).parents[1] / "models"
N_CTX, N_BATCH = 1024, 512
# Shorter prefixes are not reused: all but the shortest prompts are longer.
MIN_TOKENS = 8
# The last of each kind.
WHOLE = (len(CHATS) - 1, len(PROMPTS) - 1)
NGRAM = SpeculationSpec(mode="ngram", draft_max=8, ngram_size=1)
DRAFT = SpeculationSpec(
    mode="draft",
    draft_model="tiny-f16",
    draft_path=str(MODELS / "tiny-chat-f16.gguf"),
    draft_max=6,
    draft_p_min=0.5,
)


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is done with a model, which depends on how fast it is."""

    model: str
    # Tokens of each answer.
    count: int
    # The noise is measured on each so many'th prompt, in these ways.
    stride: int
    ways: Sequence[Way]
    # Tokens of prompts, except that two are long all the same.
    limit: int = N_CTX
    # Prompts for which tokens are guessed ahead.
    guessed: int = 50


EFFORTS = (
    Effort("tiny", count=10, stride=2, ways=WAYS),
    pytest.param(
        # 10 ms a token.
        Effort("starter", count=5, stride=3, ways=(WAYS[1], WAYS[4]), limit=32, guessed=16),
        marks=pytest.mark.starter,
    ),
)


class Fifty:
    """The prompts, plain llama.cpp's answers to them, and engines."""

    def __init__(self, effort: Effort, path: Path) -> None:
        self.path = path
        self.effort = effort
        self.parity = Parity(Shape(path, N_CTX, N_BATCH))
        self.prompts = [self._cut(at, prompt) for at, prompt in enumerate(PROMPTS)]
        self.tokens = [self.parity.plain.tokens(prompt) for prompt in self.prompts]
        self.parity.measure(self.tokens[:: effort.stride], effort.count, effort.ways)

    def _cut(self, at: int, prompt: Prompt) -> Prompt:
        tokens = self.parity.plain.tokens(prompt)
        if len(tokens) <= self.effort.limit or at in WHOLE:
            return prompt
        return Prompt(tokens=tuple(tokens[: self.effort.limit]))

    def start(self, slots: int, **changes: Any) -> EngineRun:
        context = ContextSpec(N_CTX, slots, N_BATCH, N_BATCH, n_threads=1)
        placement = PlacementSpec(n_gpu_layers=0)
        spec = {
            "context": context,
            "placement": placement,
            "cache": CacheSpec(min_tokens=MIN_TOKENS),
        } | changes
        return EngineRun(LoadSpec("fifty", str(self.path), **spec))

    def ask(self, run: EngineRun) -> list[Answered]:
        """All of them, one at a time, the last first."""
        count = self.effort.count
        answers = [run.ask(prompt, count, answer=SCORED) for prompt in reversed(self.prompts)]
        return answers[::-1]

    def meet(self, run: EngineRun, size: int, most: int = len(PROMPTS)) -> list[Answered]:
        """The first `most`, so many at a time, each a batch after the one before."""
        watch = Watch(run)
        answers = []
        for at in range(0, most, size):
            some = self.prompts[at : min(at + size, most)]
            answers += watch.play(some, [self.effort.count] * len(some), gap=1)
        # Short answers end early.
        assert watch.widest > size // 2
        return answers

    def judge(self, answers: Sequence[Answered]) -> Compared:
        """Of the first prompts."""
        pairs = list(zip(self.tokens, answers, strict=False))
        for tokens, answered in pairs:
            assert answered.usage.prompt_tokens == len(tokens)
        compared = self.parity.judge((tokens, one.choices[0]) for tokens, one in pairs)
        # No test passes for want of something to compare.
        assert compared.places > 3 * len(answers)
        assert compared.clear > compared.places // 3
        return compared


@pytest.fixture(scope="module", params=EFFORTS, ids=lambda effort: effort.model)
def fifty(request: pytest.FixtureRequest) -> Iterator[Fifty]:
    effort: Effort = request.param
    fifty = Fifty(effort, request.getfixturevalue(effort.model))
    yield fifty
    fifty.parity.close()


def test_one_at_a_time(fifty: Fifty) -> None:
    run = fifty.start(1, cache=CacheSpec(mode="off"))
    answers = fifty.ask(run)
    assert {answered.timings.cache for answered in answers} == {"off"}
    assert not any(answered.usage.cached_tokens for answered in answers)
    # The same batches are the same logits, to the last bit; only their logarithms are not.
    assert fifty.judge(answers).greatest < LEAST_NOISE
    run.stop_all()


def test_eight_at_a_time_and_again_from_the_cache(fifty: Fifty) -> None:
    run = fifty.start(8)
    fifty.judge(fifty.meet(run, 8))
    # The last eight are still in their slots; the others were saved.
    again = fifty.ask(run)
    fifty.judge(again)
    for tokens, answered in zip(fifty.tokens, again, strict=True):
        assert answered.usage.cached_tokens > 0 or len(tokens) <= MIN_TOKENS
    # All but each last token, and what a prompt lost to another that begins like it, or leaves to
    # be decoded because that is faster than to copy it.
    assert sum(answered.usage.cached_tokens for answered in again) > 0.8 * sum(
        len(tokens) for tokens in fifty.tokens
    )
    sources = {answered.timings.cache.partition(":")[0] for answered in again}
    assert sources >= {"retained", "stored"}
    run.stop_all()


@pytest.mark.parametrize("guesses", [NGRAM, DRAFT], ids=lambda guesses: guesses.mode)
def test_with_guesses(fifty: Fifty, guesses: SpeculationSpec) -> None:
    if guesses is DRAFT and fifty.effort.model != "tiny":
        pytest.skip("the tests have no draft model for it")
    run = fifty.start(4, speculation=guesses)
    guess_always(run)
    answers = fifty.meet(run, 4, fifty.effort.guessed)
    assert sum(answered.timings.drafted for answered in answers) > len(answers)
    assert sum(answered.timings.accepted for answered in answers) > 0
    fifty.judge(answers)
    run.stop_all()


@pytest.mark.parametrize("mode", ["system", "incremental", "disk"])
def test_on_from_what_is_kept(fifty: Fifty, mode: str, tmp_path: Path) -> None:
    """`test_parity_paths` has this for each kind of memory; here it is on trained models."""
    kept: dict[str, Any] = {"mode": mode}
    if mode == "disk":
        kept = {"disk_bytes": 10**9, "directory": str(tmp_path / "cache")}
    cache = CacheSpec(min_tokens=MIN_TOKENS, **kept)
    run = fifty.start(1, cache=cache)

    def ask(*turns: str) -> Answered:
        prompt = chat(*turns, system=RULES, session="ann")
        answered = run.ask(prompt, fifty.effort.count, answer=SCORED)
        tokens = fifty.parity.plain.tokens(prompt)
        assert answered.usage.prompt_tokens == len(tokens)
        fifty.parity.judge([(tokens, answered.choices[0])])
        return answered

    question = "Why is the sky blue?"
    first = ask(question)
    if mode == "disk":
        disk = run.engine._prefixes._disk
        assert disk is not None
        assert disk.flush(PATIENCE)
        run.stop_all()
        # Another engine, with nothing in memory.
        run = fifty.start(1, cache=cache)
    else:
        # Takes the only slot.
        run.ask(plain(CODE), 1)
    second = ask("And who are you?") if mode == "system" else ask(question, first.text, "Go on.")
    assert second.timings.cache.startswith("disk" if mode == "disk" else "stored")
    # The system prompt, of which this is short.
    assert second.usage.cached_tokens > 40
    run.stop_all()
