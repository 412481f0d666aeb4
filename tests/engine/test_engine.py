"""The engine on the tiny model, without sockets: joining, leaving, pausing, refusing."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.engine import EngineRun
from harness.waiting import wait_until
from kronk.shared.errors import ContextLengthExceeded
from kronk.shared.wire.loading import ContextSpec, LoadSpec
from kronk.shared.wire.to_gateway import Failed, GenerationDelta
from kronk.shared.wire.values import Prompt, Sampling
from kronk.worker.engine.commands import Cancel, CancelAll, Credit

TINY = Path(__file__).parents[1] / "models" / "tiny-chat-q8_0.gguf"
SLOTS, CONTEXT = 8, 1024
# Prompts whose every token has a clear argmax: rounding by batch shape does not change the text.
CLEAR = (
    "Hello!",
    "Echo back the word: Gorilla",
    "What is the capital of France?",
    "Give me JSON for a person called Alice aged 30.",
)


def spec() -> LoadSpec:
    return LoadSpec(
        model="tiny",
        path=str(TINY),
        context=ContextSpec(window=CONTEXT, slots=SLOTS, n_batch=512, n_ubatch=512, n_threads=1),
    )


@pytest.fixture(scope="module")
def engine() -> Iterator[EngineRun]:
    running = EngineRun(spec())
    yield running
    running.stop_all()


@pytest.mark.parametrize("batch", [1, 2, 4, 8])
def test_greedy_text_does_not_depend_on_who_else_is_in_the_batch(
    engine: EngineRun, batch: int
) -> None:
    alone = {prompt: engine.ask(prompt).text for prompt in CLEAR}
    dice = random.Random(batch)
    for _ in range(3):
        asked, others = [], []
        for prompt in dice.choices(CLEAR, k=batch):
            asked.append((prompt, engine.begin(prompt)))
            others.append(engine.begin("Count from 1 to 50", max_tokens=dice.randint(1, 60)))
            if dice.random() < 0.5:
                engine.engine.tell(Cancel(dice.choice(others)))
        for prompt, request in asked:
            assert engine.result(request).text == alone[prompt]
        engine.engine.tell(CancelAll())


def test_an_answer_ends_once_with_its_reason_and_counts(engine: EngineRun) -> None:
    done = engine.ask("Hello!")
    text = done.text
    assert text.endswith("?")
    assert done.reason == "stop"
    cut = engine.ask("Hello!", max_tokens=5)
    short = cut.text
    assert text.startswith(short)
    assert (cut.reason, cut.usage.completion_tokens) == ("length", 5)


def test_what_happens_is_said_to_be_about_a_request_where_only_one_has_slots(
    engine: EngineRun,
) -> None:
    # They run until they are given up: nobody reads, and there is no more credit.
    first, second = (engine.begin("Count from 1 to 50", window=2) for _ in range(2))
    wait_until(lambda: engine.engine.busy_slots == 2, "both in their slots")
    assert engine.engine.only_request is None
    engine.engine.tell(Cancel(first))
    wait_until(lambda: engine.engine.only_request == f"test-{second}", "the second alone")
    engine.engine.tell(Cancel(second))
    wait_until(lambda: engine.engine.only_request is None, "nobody")


def test_deltas_carry_every_token_once_and_in_order(engine: EngineRun) -> None:
    question = ({"role": "user", "content": "What is the capital of France?"},)
    answered = engine.ask(Prompt(question, enable_thinking=False))
    tokens = answered.choices[0].tokens
    pieces = b"".join(engine.loaded.model.piece(token) for token in tokens)
    assert pieces == answered.text.encode()
    assert len(tokens) == answered.usage.completion_tokens


def test_a_stop_string_over_several_tokens_is_never_sent(engine: EngineRun) -> None:
    whole = engine.ask("What is the capital of France?").text
    stop = whole[len(whole) // 2 :][:6]
    done = engine.ask("What is the capital of France?", stop=(stop,))
    text = done.text
    assert text == whole[: whole.index(stop)]
    assert done.reason == "stop"


def test_the_same_seed_gives_the_same_text_and_others_differ(engine: EngineRun) -> None:
    def sample(seed: int) -> str:
        warm = Sampling(temperature=1.5, top_k=0, top_p=1.0, seed=seed)
        return engine.ask("Why is the sky blue?", sampling=warm).text

    assert sample(1) == sample(1)
    assert len({sample(seed) for seed in range(1, 6)}) > 1


def test_a_stream_without_credit_pauses_and_the_others_go_on(engine: EngineRun) -> None:
    paused = engine.begin("Count from 1 to 50", window=3)
    for _ in range(3):
        assert isinstance(engine.delta(paused), GenerationDelta)
    assert engine.ask("Hello!").reason == "stop"
    assert engine.events[paused].empty()
    # A client that does not read is no reason to think the engine stuck.
    wait_until(lambda: not engine.engine.is_working, "the engine at rest")

    engine.engine.tell(Credit(paused, 2))
    for _ in range(2):
        assert isinstance(engine.delta(paused), GenerationDelta)
    engine.engine.tell(Cancel(paused))


def fill(engine: EngineRun) -> list[int]:
    """A request in every slot, each waiting for its client after one delta."""
    requests = [engine.begin("Count from 1 to 50", window=1) for _ in range(SLOTS)]
    for request in requests:
        assert isinstance(engine.delta(request), GenerationDelta)
    return requests


def test_a_cancelled_request_frees_its_slot_and_says_nothing_more(engine: EngineRun) -> None:
    running = fill(engine)
    waiting = engine.begin("Hello!")
    assert engine.engine.busy_slots == SLOTS
    engine.engine.tell(Cancel(running[0]))
    assert engine.result(waiting).reason == "stop"
    assert engine.events[running[0]].empty()
    engine.engine.tell(CancelAll())
    engine.settle()
    assert engine.engine.busy_slots == 0


def test_a_cancel_reaches_into_a_prefill_and_spares_the_others(engine: EngineRun) -> None:
    alone = engine.ask("What is the capital of France?").text
    beside = engine.begin("What is the capital of France?")
    for _ in range(5):
        long = engine.begin("word " * 400)
        engine.engine.tell(Cancel(long))
    assert engine.result(beside).text == alone
    engine.settle()
    assert engine.engine.busy_slots == 0


def test_what_does_not_fit_the_queue_is_refused(engine: EngineRun) -> None:
    running = fill(engine)
    waiting = [engine.begin("Hello!", window=1) for _ in range(engine.loaded.fitted.queue)]
    refused = engine.next(engine.begin("Hello!"))
    assert isinstance(refused, Failed)
    assert refused.code == "overloaded"
    assert not {refused.request} & set(engine.accepted)
    assert set(running + waiting) <= set(engine.accepted)
    assert engine.engine.queued == len(waiting)
    engine.engine.tell(CancelAll())
    engine.settle()
    assert all(engine.events[request].empty() for request in running)


def test_a_text_that_cannot_fit_is_refused_without_being_tokenised(
    engine: EngineRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tokenize(text: str) -> list[int]:
        raise AssertionError("tokenised")

    monkeypatch.setattr(engine.loaded.model, "tokenize", tokenize)
    with pytest.raises(ContextLengthExceeded, match=r"at least \d{4,} tokens"):
        engine.begin("x" * CONTEXT * 1000)


@pytest.mark.parametrize("max_tokens", [None, 10_000])
def test_the_end_of_the_context_window_ends_the_answer(
    engine: EngineRun, max_tokens: int | None
) -> None:
    with pytest.raises(
        ContextLengthExceeded, match=rf"context length is {CONTEXT} tokens.* \d{{4}} tokens"
    ):
        engine.begin("word " * 1000)
    request = engine.begin("Count from 1 to 50 " * 90, max_tokens=max_tokens)  # type: ignore[arg-type]
    done = engine.result(request)
    if done.reason == "length":
        assert done.usage.prompt_tokens + done.usage.completion_tokens == CONTEXT
