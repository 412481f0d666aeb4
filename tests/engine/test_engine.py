"""The engine on the tiny model, without sockets: joining, leaving, pausing, refusing."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from harness.waiting import wait_until
from kronk.shared.errors import ContextLengthExceeded
from kronk.shared.wire.to_gateway import Accepted, Delta, Done, Failed
from kronk.shared.wire.to_worker import Submit
from kronk.shared.wire.values import LoadSpec, Sampling
from kronk.worker.engine.engine import Begin, Cancel, CancelAll, Credit
from kronk.worker.library import LlamaLog
from kronk.worker.loader import Loaded, load
from kronk.worker.prepare import prepare

TINY = Path(__file__).parents[1] / "models" / "tiny-chat-q8_0.gguf"
SLOTS, CONTEXT = 8, 1024
# Longer than any answer here takes on a machine that is doing ten other things.
PATIENCE = 120
GREEDY = Sampling(temperature=0.0)
# Prompts whose every token has a clear argmax: rounding by batch shape does not change the text.
CLEAR = (
    "Hello!",
    "Echo back the word: Gorilla",
    "What is the capital of France?",
    "Give me JSON for a person called Alice aged 30.",
)


class Running:
    """The loaded model and the events of each request."""

    def __init__(self) -> None:
        self.events: dict[int, Queue[Any]] = {}
        self.accepted: list[int] = []
        self.log = LlamaLog()
        self._next = 0
        self.loaded: Loaded = load(
            spec(), log_lines=self.log, report=lambda progress: None, emit=self._emit
        )
        threading.Thread(target=self.loaded.engine.run, daemon=True).start()

    def _emit(self, events: list[Any]) -> None:
        for event in events:
            if isinstance(event, Accepted):
                self.accepted.append(event.request)
            else:
                self.events[event.request].put(event)

    def begin(self, text: str, max_tokens: int = 100, window: int = 10_000, **options: Any) -> int:
        self._next += 1
        messages = ({"role": "user", "content": text},)
        submit = Submit(
            self._next,
            f"test-{self._next}",
            messages,
            options.get("sampling", GREEDY),
            max_tokens,
            options.get("stop", ()),
            window,
        )
        self.events[self._next] = Queue()
        self.loaded.engine.tell(Begin(prepare(submit, self.loaded)))
        return self._next

    def next(self, request: int) -> Any:
        return self.events[request].get(timeout=PATIENCE)

    def text(self, request: int) -> tuple[str, Done]:
        parts = []
        while True:
            event = self.next(request)
            if isinstance(event, Done):
                return "".join(parts), event
            assert isinstance(event, Delta), event
            parts.append(event.text)

    def settle(self) -> None:
        """Until the engine has obeyed every command so far: a request of our own came through."""
        self.text(self.begin("Hello!", max_tokens=1))


def spec() -> LoadSpec:
    return LoadSpec(
        "tiny", str(TINY), CONTEXT, SLOTS, 512, 512, 1, -1, "f16", "f16", "enabled",
        Sampling(), extra_buffers=True, llama_log=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def engine() -> Iterator[Running]:
    running = Running()
    yield running
    running.loaded.engine.tell(CancelAll())
    running.settle()
    assert running.loaded.engine.busy_slots == 0
    assert running.loaded.engine.queued == 0


@pytest.mark.parametrize("batch", [1, 2, 4, 8])
def test_greedy_text_does_not_depend_on_who_else_is_in_the_batch(
    engine: Running, batch: int
) -> None:
    alone = {prompt: engine.text(engine.begin(prompt))[0] for prompt in CLEAR}
    dice = random.Random(batch)
    for _ in range(3):
        asked, others = [], []
        for prompt in dice.choices(CLEAR, k=batch):
            asked.append((prompt, engine.begin(prompt)))
            others.append(engine.begin("Count from 1 to 50", max_tokens=dice.randint(1, 60)))
            if dice.random() < 0.5:
                engine.loaded.engine.tell(Cancel(dice.choice(others)))
        for prompt, request in asked:
            assert engine.text(request)[0] == alone[prompt]
        engine.loaded.engine.tell(CancelAll())


def test_an_answer_ends_once_with_its_reason_and_counts(engine: Running) -> None:
    text, done = engine.text(engine.begin("Hello!"))
    assert text.endswith("?")
    assert done.reason == "stop"
    short, cut = engine.text(engine.begin("Hello!", max_tokens=5))
    assert text.startswith(short)
    assert (cut.reason, cut.usage.completion_tokens) == ("length", 5)


def test_deltas_carry_every_token_once_and_in_order(engine: Running) -> None:
    request = engine.begin("What is the capital of France?")
    tokens: list[int] = []
    text = b""
    while not isinstance(event := engine.next(request), Done):
        tokens += event.tokens
        text += event.text.encode()
    assert b"".join(engine.loaded.model.piece(token) for token in tokens) == text
    assert len(tokens) == event.usage.completion_tokens


def test_a_stop_string_over_several_tokens_is_never_sent(engine: Running) -> None:
    whole, _ = engine.text(engine.begin("What is the capital of France?"))
    stop = whole[len(whole) // 2 :][:6]
    text, done = engine.text(engine.begin("What is the capital of France?", stop=(stop,)))
    assert text == whole[: whole.index(stop)]
    assert done.reason == "stop"


def test_the_same_seed_gives_the_same_text_and_others_differ(engine: Running) -> None:
    def sample(seed: int) -> str:
        warm = Sampling(temperature=1.5, top_k=0, top_p=1.0, seed=seed)
        return engine.text(engine.begin("Why is the sky blue?", sampling=warm))[0]

    assert sample(1) == sample(1)
    assert len({sample(seed) for seed in range(1, 6)}) > 1


def test_a_stream_without_credit_pauses_and_the_others_go_on(engine: Running) -> None:
    paused = engine.begin("Count from 1 to 50", window=3)
    for _ in range(3):
        assert isinstance(engine.next(paused), Delta)
    assert engine.text(engine.begin("Hello!"))[1].reason == "stop"
    assert engine.events[paused].empty()
    # A client that does not read is no reason to think the engine stuck.
    wait_until(lambda: not engine.loaded.engine.is_working, "the engine at rest")

    engine.loaded.engine.tell(Credit(paused, 2))
    for _ in range(2):
        assert isinstance(engine.next(paused), Delta)
    engine.loaded.engine.tell(Cancel(paused))


def fill(engine: Running) -> list[int]:
    """A request in every slot, each waiting for its client after one delta."""
    requests = [engine.begin("Count from 1 to 50", window=1) for _ in range(SLOTS)]
    for request in requests:
        assert isinstance(engine.next(request), Delta)
    return requests


def test_a_cancelled_request_frees_its_slot_and_says_nothing_more(engine: Running) -> None:
    running = fill(engine)
    waiting = engine.begin("Hello!")
    assert engine.loaded.engine.busy_slots == SLOTS
    engine.loaded.engine.tell(Cancel(running[0]))
    assert engine.text(waiting)[1].reason == "stop"
    assert engine.events[running[0]].empty()
    engine.loaded.engine.tell(CancelAll())
    engine.settle()
    assert engine.loaded.engine.busy_slots == 0


def test_a_cancel_reaches_into_a_prefill_and_spares_the_others(engine: Running) -> None:
    alone, _ = engine.text(engine.begin("What is the capital of France?"))
    beside = engine.begin("What is the capital of France?")
    for _ in range(5):
        long = engine.begin("word " * 400)
        engine.loaded.engine.tell(Cancel(long))
    assert engine.text(beside)[0] == alone
    engine.settle()
    assert engine.loaded.engine.busy_slots == 0


def test_what_does_not_fit_the_queue_is_refused(engine: Running) -> None:
    running = fill(engine)
    waiting = [engine.begin("Hello!", window=1) for _ in range(engine.loaded.fitted.queue)]
    refused = engine.next(engine.begin("Hello!"))
    assert isinstance(refused, Failed)
    assert refused.code == "overloaded"
    assert not {refused.request} & set(engine.accepted)
    assert set(running + waiting) <= set(engine.accepted)
    assert engine.loaded.engine.queued == len(waiting)
    engine.loaded.engine.tell(CancelAll())
    engine.settle()
    assert all(engine.events[request].empty() for request in running)


def test_a_text_that_cannot_fit_is_refused_without_being_tokenised(
    engine: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tokenize(text: str) -> list[int]:
        raise AssertionError("tokenised")

    monkeypatch.setattr(engine.loaded.model, "tokenize", tokenize)
    with pytest.raises(ContextLengthExceeded, match=r"at least \d{4,} tokens"):
        engine.begin("x" * CONTEXT * 1000)


@pytest.mark.parametrize("max_tokens", [None, 10_000])
def test_the_end_of_the_context_window_ends_the_answer(
    engine: Running, max_tokens: int | None
) -> None:
    with pytest.raises(
        ContextLengthExceeded, match=rf"context length is {CONTEXT} tokens.* \d{{4}} tokens"
    ):
        engine.begin("word " * 1000)
    request = engine.begin("Count from 1 to 50 " * 90, max_tokens=max_tokens)  # type: ignore[arg-type]
    _, done = engine.text(request)
    if done.reason == "length":
        assert done.usage.prompt_tokens + done.usage.completion_tokens == CONTEXT
