"""Whatever comes, in whatever order: each request ends once, and with the answer it has alone."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
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
from harness.clips import rows
from harness.engine_lab import (
    AMPLE,
    GREEDY,
    QUEUE,
    SLOTS,
    WINDOW,
    Bench,
    Broken,
    Client,
    Clock,
    EngineLab,
    Setup,
)
from harness.random_gguf import HYBRID, LLAMA, MAMBA, MROPE, SWA, Kind
from kronk.shared.wire.to_worker import Resumed
from kronk.worker.cache.policy import PromptMarks, marks, pin_at
from kronk.worker.cache.spans import whole
from kronk.worker.context import DecodeResult
from kronk.worker.engine.job import Job

# `KRONK_RANDOM_EXAMPLES=2000` looks for rare ones, elsewhere each time.
EXAMPLES = int(os.environ.get("KRONK_RANDOM_EXAMPLES", "0"))
PROFILE = settings(
    max_examples=EXAMPLES or 24,
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
    Setup(parks=True),
    Setup("off"),
    Setup("incremental"),
    Setup("incremental", ram_bytes=250_000),
    Setup("system"),
    Setup(ram_bytes=250_000, parks=True),
    Setup(ram_bytes=0),
    Setup(disk_bytes=AMPLE),
    Setup(ram_bytes=250_000, disk_bytes=400_000),
)
STOPS = ((), (), ("e", "ou"), ())
windows = st.sampled_from([10_000] * 5 + [0, 1, 2, 7])
# Of the engine, between one thing that happens and the next.
turns = st.sampled_from([6, 0, 1, 2, 25])
# The last two end everything, and come seldom.
TROUBLE = (
    *("cancel", "cancel in a decode", "a decode fails", "no room", "a grammar breaks") * 3,
    *("hours pass", "cancel all", "cancel all in a decode"),
)
# Leaves room for the longest answer.
LONGEST = WINDOW - 24
indices = st.integers(0, 50)
blocks = st.lists(st.integers(0, len(BLOCKS) - 1), min_size=1, max_size=4)
# Images for every second prompt; numbers are taken modulo those there are.
images = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=2) | st.just([])


def block(name: int) -> range:
    first, count = BLOCKS[name]
    return range(first, first + count)


class Machine(RuleBasedStateMachine):
    """Clients of one engine, all mad."""

    def __init__(self, bench: Bench, clock: Clock, *, see: bool = False) -> None:
        super().__init__()
        self.bench = bench
        self.clock = clock
        # Whether they send images.
        self.see = see

    @initialize(setup=st.sampled_from(CONFIGURATIONS), guesses=st.booleans())
    def start(self, setup: Setup, guesses: bool) -> None:
        # Where memory is rigid, guesses cannot be taken back.
        setup = replace(setup, guesses=guesses and not self.bench.is_rigid)
        self.lab = EngineLab(self.bench, setup)

    # Arrivals.

    @rule(
        names=blocks,
        seen=images,
        cut=st.integers(0, 5),
        max_tokens=st.sampled_from([1, 2, 5, 12, 20]),
        choices=st.sampled_from([1, 1, 1, 2, 5]),
        window=windows,
        style=st.integers(0, 3),
        session=st.integers(0, 3),
        count=turns,
    )
    def arrive(
        self,
        names: list[int],
        seen: list[tuple[int, int]],
        cut: int,
        max_tokens: int,
        choices: int,
        window: int,
        style: int,
        session: int,
        count: int,
    ) -> None:
        parts = [tuple(block(name)) for name in names]
        for place, which in seen if self.see else ():
            ids = self.bench.gallery.ids
            parts.insert(place, ids[which % len(ids)])
        tokens = tuple(token for part in parts for token in part)
        prompt = self.fitting(tokens, len(tokens) - cut)
        self.submit(prompt, max_tokens, choices, window, style, session)
        self.turn(count)

    @precondition(lambda self: self.lab.clients and self.lab.engine.queued < QUEUE)
    @rule(
        which=indices,
        name=st.integers(0, 3),
        window=windows,
        session=st.integers(0, 3),
        count=turns,
    )
    def go_on(self, which: int, name: int, window: int, session: int, count: int) -> None:
        """The next turn of a conversation."""
        client = self.any(which)
        said = (*client.job.prompt, *client.tokens[0], *block(name))
        self.submit(self.fitting(said), 8, 1, window, 0, session)
        self.turn(count)

    @precondition(lambda self: self.lab.clients and self.lab.engine.queued < QUEUE)
    @rule(which=indices, choices=st.sampled_from([1, 3]), window=windows, count=turns)
    def ask_again(self, which: int, choices: int, window: int, count: int) -> None:
        job = self.any(which).job
        self.submit(tuple(job.prompt), job.max_tokens, choices, window, 0, 0)
        self.turn(count)

    @precondition(lambda self: self.lab.clients and self.lab.engine.queued < QUEUE)
    @rule(
        which=indices,
        known=st.lists(st.sampled_from([None, 0, 1, 5, 50, "all", "over"]), min_size=1, max_size=3),
        window=windows,
        count=turns,
    )
    def take_over(self, which: int, known: list[int | str | None], window: int, count: int) -> None:
        """Another process had something of each choice, all but its end, or all."""
        job = self.any(which).job
        answer = self.bench.expected(tuple(job.prompt), job.max_tokens, job.stop)
        said = answer.tokens[: answer.clear]
        is_whole = len(said) == len(answer.tokens)
        resumed = {}
        for choice, much in enumerate(known):
            is_over = much == "over" and is_whole
            tokens = said[:much] if isinstance(much, int) else said
            if much is not None:
                resumed[choice] = Resumed(choice, tokens, is_over)
        self.lab.submit(
            replace(
                job,
                choices=len(known),
                resumed=resumed,
                window=window,
                grammar=None,
                submitted=self.clock.now,
            )
        )
        self.turn(count)

    # What becomes of them.

    @precondition(lambda self: self.lab.clients)
    @rule(which=indices, events=st.sampled_from([100, 1, 3]), count=turns)
    def pay(self, which: int, events: int, count: int) -> None:
        hungry = [client for client in self.lab.clients.values() if not client.credit]
        self.lab.pay(hungry[which % len(hungry)] if hungry else self.any(which), events)
        self.turn(count)

    @rule(count=turns)
    def work(self, count: int) -> None:
        self.turn(count)

    @precondition(lambda self: self.lab.clients)
    @rule(what=st.sampled_from(TROUBLE), which=indices, number=st.integers(0, 4), count=turns)
    def trouble(self, what: str, which: int, number: int, count: int) -> None:
        lab, client = self.lab, self.any(which)
        match what:
            case "cancel":
                lab.cancel(client)
            case "cancel in a decode":
                lab.interrupt(lambda: lab.cancel(client))
            case "cancel all":
                lab.cancel_all()
            case "cancel all in a decode":
                lab.interrupt(lab.cancel_all)
            case "a decode fails":
                lab.break_next(number % SLOTS, DecodeResult.FAILED)
            case "no room":
                lab.break_next(number % SLOTS, DecodeResult.NO_SPACE)
            case "a grammar breaks":
                job = Job(0, what, tuple(block(1)), GREEDY, 6, (), 100, self.clock.now)
                choices = 1 + which % 3
                lab.submit(replace(job, choices=choices, grammar=Broken(number)))
            case "hours pass":
                self.clock.now += 7200.0
            case _:
                raise AssertionError(what)
        self.turn(count)

    # How.

    def turn(self, count: int) -> None:
        for _ in range(count):
            self.lab.turn()

    def fitting(self, tokens: tuple[int, ...], most: int = LONGEST) -> tuple[int, ...]:
        """As much of a prompt as leaves room for an answer, and all of its images whole."""
        array = np.array(tokens, np.int32)
        length = whole(array, min(len(tokens), LONGEST, max(1, most)))
        while rows(self.bench.gallery.spans(tokens[:length]), length) > LONGEST:
            length = whole(array, length - 1)
        return tokens[:length] or (BLOCKS[0][0],)

    def any(self, which: int) -> Client:
        clients = list(self.lab.clients.values())
        return clients[which % len(clients)]

    def middle(self, prompt: tuple[int, ...], max_tokens: int, style: int) -> tuple[str, ...]:
        """A stop string that comes, in the last style."""
        text = self.bench.expected(prompt, max_tokens, ()).text
        stop = text[len(text) // 2 :][:3]
        return (stop,) if style == 3 and stop else ()

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
        array = np.array(prompt, np.int32)
        bounds = (len(prompt) // 4, len(prompt) // 2, len(prompt) - 2)
        parts = PromptMarks(*[whole(array, bound) for bound in bounds])
        policy = self.lab.policy
        wanted = marks(policy, self.bench.is_rigid, parts)
        job = Job(
            request=0,
            name="test",
            prompt=prompt,
            sampling=GREEDY,
            max_tokens=max_tokens,
            stop=STOPS[style] or self.middle(prompt, max_tokens, style),
            window=window,
            submitted=self.clock.now,
            choices=choices,
            logprobs=0 if style == 1 else None,
            marks={mark: pin_at(policy, parts, mark, str(session)) for mark in wanted},
            spans=self.bench.gallery.spans(prompt),
        )
        self.lab.submit(job)

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None:
                self.lab.settle()
                self.lab.empty()
        finally:
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


@pytest.mark.parametrize("kind", [LLAMA, SWA, MAMBA, HYBRID, MROPE], ids=lambda kind: kind.name)
def test_images_among_the_words_change_nothing_of_that(
    kind: Kind, clock: Clock, tmp_path: Path
) -> None:
    random_gguf.write(tmp_path / "model.gguf", kind)
    bench = Bench(tmp_path / "model.gguf", kind)
    run_state_machine_as_test(lambda: Machine(bench, clock, see=True), settings=PROFILE)


def test_too_few_cells_for_all_cost_requests_and_nothing_else(clock: Clock, tmp_path: Path) -> None:
    random_gguf.write(tmp_path / "model.gguf", LLAMA)
    bench = Bench(tmp_path / "model.gguf", LLAMA, cells=2 * WINDOW)
    run_state_machine_as_test(lambda: Machine(bench, clock), settings=PROFILE)
