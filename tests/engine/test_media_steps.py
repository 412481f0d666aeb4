"""In the middle of an image: its steps beside a stream, a cancel, a decode that fails."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness import random_gguf
from harness.engine_lab import GREEDY, Bench, Client, EngineLab, Setup
from harness.random_gguf import LLAMA, MAMBA, MROPE, Kind
from kronk.worker.context import DecodeResult
from kronk.worker.engine.job import Job
from kronk.worker.engine.slot import Slot


@pytest.fixture(scope="module", params=[LLAMA, MAMBA, MROPE], ids=lambda kind: kind.name)
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    path = tmp_path_factory.mktemp("random") / "model.gguf"
    kind: Kind = request.param
    random_gguf.write(path, kind)
    return Bench(path, kind)


@pytest.fixture
def lab(bench: Bench) -> Iterator[EngineLab]:
    lab = EngineLab(bench, Setup())
    yield lab
    lab.settle()
    lab.empty()
    lab.close()


def submit(lab: EngineLab, prompt: tuple[int, ...], max_tokens: int, choices: int = 1) -> Client:
    spans = lab.bench.gallery.spans(prompt)
    job = Job(0, "test", prompt, GREEDY, max_tokens, (), 10_000, 0.0, choices=choices, spans=spans)
    return lab.submit(job)


def words(first: int, count: int) -> tuple[int, ...]:
    return tuple(range(first, first + count))


def in_an_image(lab: EngineLab) -> tuple[Client, Client, Slot]:
    """A stream, and a request of whose image some rows are read."""
    stream = submit(lab, words(400, 10), 40)
    lab.turn()
    # The largest, which takes several decodes.
    seeing = submit(lab, (*words(500, 8), *lab.bench.gallery.ids[0], *words(600, 8)), 5)
    for _ in range(10):
        before = len(stream.tokens[0])
        lab.turn()
        assert len(stream.tokens[0]) == before + 1, "the stream goes on at each step"
        for slot in lab.prefixes.slots.values():
            if slot.read:
                return stream, seeing, slot
    raise AssertionError("no image was begun")


def test_a_cancel_between_two_slices_leaves_nothing_of_the_image(lab: EngineLab) -> None:
    stream, seeing, slot = in_an_image(lab)
    lab.cancel(seeing)
    lab.turn()
    assert slot.read == 0
    assert slot.choice is None
    # `check` has compared what the memory holds with what the slot says.
    assert slot.position in ((0,) if lab.bench.is_rigid else (8,))
    assert lab.engine.busy_slots == 1
    again = submit(lab, tuple(seeing.job.prompt), 5)
    lab.settle()
    assert again.is_over
    assert stream.is_over


def test_a_cancel_within_a_slice_does_so_too(lab: EngineLab) -> None:
    _, seeing, slot = in_an_image(lab)
    # Two decodes a turn, the stream's first.
    lab.interrupt(lambda: lab.interrupt(lambda: lab.cancel(seeing)))
    lab.turn()
    lab.turn()
    assert slot.choice is None
    assert lab.engine.busy_slots == 1


@pytest.mark.parametrize("result", [DecodeResult.FAILED, DecodeResult.NO_SPACE])
def test_a_slice_that_fails_costs_its_request_and_no_other(
    lab: EngineLab, result: DecodeResult
) -> None:
    stream, seeing, slot = in_an_image(lab)
    lab.break_next(slot.index, result)
    lab.turn()
    assert seeing.failure is not None
    assert slot.choice is None
    lab.settle()
    assert stream.failure is None


def test_choices_of_a_prompt_that_ends_with_an_image(lab: EngineLab) -> None:
    seeing = submit(lab, (*words(500, 8), *lab.bench.gallery.ids[1]), 4, choices=5)
    lab.settle()
    assert len(seeing.finished) == 5
