"""Prompts that come together are read together, however long the first of them kept the engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness import random_gguf
from harness.engine_lab import GREEDY, SLOTS, Bench, Client, Clock, EngineLab, Setup
from harness.random_gguf import LLAMA
from kronk.worker.engine.job import Job
from kronk.worker.engine.plan import FIRST_PREFILL


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    path = tmp_path_factory.mktemp("random") / "model.gguf"
    random_gguf.write(path, LLAMA)
    return Bench(path, LLAMA)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock.install(monkeypatch)


@pytest.fixture
def lab(bench: Bench, clock: Clock) -> Iterator[EngineLab]:
    lab = EngineLab(bench, Setup())
    yield lab
    lab.settle()
    lab.close()


# More than a prompt gets beside a stream before it is known what that costs, and less than two of
# them have in one decode.
LENGTH = FIRST_PREFILL + 10


def submit(lab: EngineLab, clock: Clock, first: int, max_tokens: int = 30) -> Client:
    prompt = tuple(range(first, first + LENGTH))
    return lab.submit(Job(0, "test", prompt, GREEDY, max_tokens, (), 10_000, clock.now))


def has_begun(client: Client) -> bool:
    return bool(client.tokens[0])


def test_what_comes_while_the_first_prompt_is_read_is_read_next_as_a_whole(
    lab: EngineLab, clock: Clock
) -> None:
    stream = submit(lab, clock, 300)
    others: list[Client] = []
    lab.interrupt(lambda: others.extend(submit(lab, clock, at) for at in (400, 500)))
    lab.turn()
    assert has_begun(stream)
    assert not any(map(has_begun, others))
    lab.turn()
    assert all(map(has_begun, others))


def test_what_comes_when_a_stream_has_begun_is_read_beside_it(lab: EngineLab, clock: Clock) -> None:
    stream = submit(lab, clock, 300)
    lab.turn()
    late = submit(lab, clock, 400)
    lab.turn()
    assert not has_begun(late)
    assert len(stream.tokens[0]) == 2


def test_what_has_waited_for_a_slot_is_read_beside_the_streams(
    lab: EngineLab, clock: Clock
) -> None:
    def take_long() -> None:
        clock.now += 1.0

    streams = [submit(lab, clock, 300 + 50 * at, 20) for at in range(SLOTS - 1)]
    short = submit(lab, clock, 500, 5)
    # It is here before any stream has begun.
    waiting = submit(lab, clock, 600)
    while not has_begun(short):
        lab.interrupt(take_long)
        lab.turn()
    while not short.is_over:
        lab.turn()
    told = len(streams[0].tokens[0])
    lab.turn()
    assert lab.engine.queued == 0
    assert not has_begun(waiting)
    assert len(streams[0].tokens[0]) == told + 1
