"""Whatever comes, in whatever order: each request ends once, and with the answer it has alone."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from harness import random_gguf
from harness.engine_lab import (
    AMPLE,
    GREEDY,
    SLOTS,
    WINDOW,
    Bench,
    Broken,
    Client,
    Clock,
    EngineLab,
    Setup,
)
from harness.random_gguf import HYBRID, LLAMA, MAMBA, SWA, Kind
from kronk.worker.cache.policy import PromptMarks, marks, pin_at
from kronk.worker.context import DecodeResult
from kronk.worker.engine.job import Job

# `KRONK_RANDOM_EXAMPLES=2000` looks for rare ones, elsewhere each time.
EXAMPLES = int(os.environ.get("KRONK_RANDOM_EXAMPLES", "0"))
PROFILE = settings(
    max_examples=EXAMPLES or 30,
    stateful_step_count=40,
    deadline=None,
    derandomize=not EXAMPLES,
    database=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
# Pieces that prompts are put together of: many begin alike.
BLOCKS = ((400, 3), (500, 9), (600, 20), (700, 41), (800, 64))
CONFIGURATIONS = (
    Setup(),
    Setup(guesses=True),
    Setup("off"),
    Setup("off", guesses=True),
    Setup("incremental"),
    Setup("incremental", ram_bytes=250_000, guesses=True),
    Setup("system"),
    Setup(ram_bytes=250_000),
    Setup(ram_bytes=0),
    Setup(disk_bytes=AMPLE),
    Setup(parks=True),
    Setup(ram_bytes=250_000, parks=True, guesses=True),
    Setup(ram_bytes=250_000, disk_bytes=400_000),
)
STOPS = ((), (), ("e", "ou"), ("a ",))
windows = st.sampled_from([10_000, 0, 1, 2, 7])
# Leaves room for the longest answer.
LONGEST = WINDOW - 24
indices = st.integers(0, 50)
blocks = st.lists(st.integers(0, len(BLOCKS) - 1), min_size=1, max_size=4)


def block(name: int) -> range:
    first, count = BLOCKS[name]
    return range(first, first + count)


class Machine(RuleBasedStateMachine):
    """Clients of one engine, all mad."""

    def __init__(self, bench: Bench, clock: Clock) -> None:
        super().__init__()
        self.bench = bench
        self.clock = clock

    @initialize(setup=st.sampled_from(CONFIGURATIONS))
    def start(self, setup: Setup) -> None:
        if setup.guesses and self.bench.is_rigid:
            setup = replace(setup, guesses=False)
        self.lab = EngineLab(self.bench, setup)

    # Arrivals.

    @rule(
        names=blocks,
        cut=st.integers(0, 5),
        max_tokens=st.sampled_from([1, 2, 5, 12, 20]),
        choices=st.sampled_from([1, 1, 1, 2, 5]),
        window=windows,
        style=st.integers(0, 3),
        session=st.integers(0, 3),
    )
    def arrive(
        self,
        names: list[int],
        cut: int,
        max_tokens: int,
        choices: int,
        window: int,
        style: int,
        session: int,
    ) -> None:
        tokens = [token for name in names for token in block(name)]
        tokens = tokens[: max(1, min(len(tokens), LONGEST) - cut)]
        self.submit(tuple(tokens), max_tokens, choices, window, style, session)

    @precondition(lambda self: self.lab.clients)
    @rule(which=indices, name=st.integers(0, 3), window=windows, session=st.integers(0, 3))
    def go_on(self, which: int, name: int, window: int, session: int) -> None:
        """The next turn of a conversation."""
        client = self.any(which)
        said = (*client.job.prompt, *client.tokens[0], *block(name))
        self.submit(said[:LONGEST], 8, 1, window, 0, session)

    @precondition(lambda self: self.lab.clients)
    @rule(which=indices, choices=st.sampled_from([1, 3]), window=windows)
    def ask_again(self, which: int, choices: int, window: int) -> None:
        job = self.any(which).job
        self.submit(tuple(job.prompt), job.max_tokens, choices, window, 0, 0)

    @rule(names=blocks, after=st.integers(0, 4), choices=st.sampled_from([1, 3]), window=windows)
    def arrive_with_a_grammar_that_breaks(
        self, names: list[int], after: int, choices: int, window: int
    ) -> None:
        job = Job(0, "broken", tuple(block(names[0])), GREEDY, 6, (), window, self.clock.now)
        self.lab.submit(replace(job, choices=choices, grammar=Broken(after)))

    # What becomes of them.

    @precondition(lambda self: self.lab.clients)
    @rule(which=indices)
    def cancel(self, which: int) -> None:
        self.lab.cancel(self.any(which))

    @precondition(lambda self: self.lab.clients)
    @rule(which=indices)
    def cancel_while_it_decodes(self, which: int) -> None:
        client = self.any(which)
        self.lab.interrupt(lambda: self.lab.cancel(client))
        self.lab.turn()

    @precondition(lambda self: len(self.lab.clients) > 3)
    @rule(while_it_decodes=st.booleans())
    def cancel_all(self, while_it_decodes: bool) -> None:
        if while_it_decodes:
            self.lab.interrupt(self.lab.cancel_all)
        else:
            self.lab.cancel_all()
        self.lab.turn()

    @precondition(lambda self: self.lab.clients)
    @rule(which=indices, events=st.sampled_from([1, 3, 100]))
    def pay(self, which: int, events: int) -> None:
        self.lab.pay(self.any(which), events)

    @precondition(lambda self: self.lab.engine.busy_slots)
    @rule(
        sequence=st.integers(0, SLOTS - 1),
        result=st.sampled_from([DecodeResult.FAILED, DecodeResult.NO_SPACE]),
    )
    def fail(self, sequence: int, result: DecodeResult) -> None:
        self.lab.break_next(sequence, result)
        self.lab.turn()

    @rule(count=st.sampled_from([1, 1, 2, 5, 30]))
    def turn(self, count: int) -> None:
        for _ in range(count):
            self.lab.turn()

    @rule()
    def hours_pass(self) -> None:
        self.clock.now += 7200.0

    def any(self, which: int) -> Client:
        clients = list(self.lab.clients.values())
        return clients[which % len(clients)]

    def submit(
        self,
        prompt: tuple[int, ...],
        max_tokens: int,
        choices: int,
        window: int,
        style: int,
        session: int,
    ) -> None:
        # The parts a chat template would have found.
        parts = PromptMarks(len(prompt) // 4, len(prompt) // 2, len(prompt) - 2)
        policy = self.lab.policy
        wanted = marks(policy, self.bench.is_rigid, parts)
        job = Job(
            request=0,
            name="test",
            prompt=prompt,
            sampling=GREEDY,
            max_tokens=max_tokens,
            stop=STOPS[style],
            window=window,
            submitted=self.clock.now,
            choices=choices,
            logprobs=0 if style == 1 else None,
            marks={mark: pin_at(policy, parts, mark, str(session)) for mark in wanted},
        )
        self.lab.submit(job)

    def teardown(self) -> None:
        if sys.exc_info()[0] is None:
            self.lab.settle()
            self.lab.empty()
        if hasattr(self, "lab"):
            self.lab.close()


@pytest.fixture(scope="module")
def clock() -> Iterator[Clock]:
    with pytest.MonkeyPatch.context() as patch:
        yield Clock.install(patch)


@pytest.mark.parametrize("kind", [LLAMA, SWA, MAMBA, HYBRID], ids=lambda kind: kind.name)
def test_every_request_gets_what_it_would_get_alone(
    kind: Kind, clock: Clock, tmp_path: Path
) -> None:
    random_gguf.write(tmp_path / "model.gguf", kind)
    bench = Bench(tmp_path / "model.gguf", kind)
    run_state_machine_as_test(lambda: Machine(bench, clock), settings=PROFILE)


def test_too_few_cells_for_all_cost_requests_and_nothing_else(clock: Clock, tmp_path: Path) -> None:
    random_gguf.write(tmp_path / "model.gguf", LLAMA)
    bench = Bench(tmp_path / "model.gguf", LLAMA, cells=2 * WINDOW)
    run_state_machine_as_test(lambda: Machine(bench, clock), settings=PROFILE)
