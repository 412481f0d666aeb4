"""Which rows go into the next decode."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronk.worker.engine.plan import FIRST_PREFILL, Chunk, Plan, SlotView, make_plan, prefill_cap


def generating(slot: int) -> SlotView:
    return SlotView(slot, 0, 0, may_generate=True)


def waiting_for_client(slot: int) -> SlotView:
    return SlotView(slot, 0, 0, may_generate=False)


def prefilling(slot: int, left: int) -> SlotView:
    return SlotView(slot, left, left, may_generate=True)


def before_an_image(slot: int, left: int, until: int) -> SlotView:
    return SlotView(slot, left, until, may_generate=True)


@pytest.mark.parametrize(
    ("slots", "plan"),
    [
        ([], Plan((), ())),
        ([waiting_for_client(0)], Plan((), ())),
        ([generating(0), generating(2)], Plan((0, 2), ())),
        # Alone, a prompt gets every row.
        ([prefilling(1, 1000)], Plan((), (Chunk(1, 512, last=False),))),
        ([prefilling(1, 512)], Plan((), (Chunk(1, 512, last=True),))),
        # Beside a running stream it is capped, and the stream comes first.
        ([prefilling(1, 1000), generating(0)], Plan((0,), (Chunk(1, 64, last=False),))),
        # A stream that waits for its client does not cap anybody.
        ([waiting_for_client(0), prefilling(1, 300)], Plan((), (Chunk(1, 300, last=True),))),
        # Short prompts share a step in order of arrival.
        (
            [prefilling(3, 40), prefilling(1, 500), prefilling(0, 7)],
            Plan((), (Chunk(3, 40, last=True), Chunk(1, 472, last=False))),
        ),
        (
            [generating(2), prefilling(3, 40), prefilling(1, 500)],
            Plan((2,), (Chunk(3, 40, last=True), Chunk(1, 24, last=False))),
        ),
        # What comes before an image is read by itself, and the image not here.
        ([before_an_image(1, 100, 30)], Plan((), (Chunk(1, 30, last=False),))),
        ([before_an_image(1, 100, 0)], Plan((), ())),
        (
            [generating(2), before_an_image(1, 100, 0), prefilling(0, 9)],
            Plan((2,), (Chunk(0, 9, last=True),)),
        ),
    ],
)
def test_plan(slots: list[SlotView], plan: Plan) -> None:
    assert make_plan(slots, capacity=512, prefill_cap=64) == plan


def since(when: float, slot: SlotView) -> SlotView:
    return replace(slot, since=when)


@pytest.mark.parametrize(
    ("slots", "plan"),
    [
        # Who was there before any stream had begun is not kept waiting by them.
        (
            [since(1, prefilling(1, 300)), since(2, generating(0))],
            Plan((0,), (Chunk(1, 300, last=True),)),
        ),
        (
            [since(2, generating(0)), since(1, prefilling(1, 300)), since(1, prefilling(2, 300))],
            Plan((0,), (Chunk(1, 300, last=True), Chunk(2, 211, last=False))),
        ),
        # One that was not, is: also by those that began later.
        (
            [since(1, generating(0)), since(3, generating(2)), since(2, prefilling(1, 300))],
            Plan((0, 2), (Chunk(1, 64, last=False),)),
        ),
        # Streams do not stand still for a long prompt, whenever it came.
        (
            [since(1, prefilling(1, 513)), since(2, generating(0))],
            Plan((0,), (Chunk(1, 64, last=False),)),
        ),
        # Late ones get what is left of what they may have.
        (
            [since(1, prefilling(1, 40)), since(2, generating(0)), since(3, prefilling(2, 300))],
            Plan((0,), (Chunk(1, 40, last=True), Chunk(2, 24, last=False))),
        ),
        (
            [since(1, prefilling(1, 100)), since(2, generating(0)), since(3, prefilling(2, 300))],
            Plan((0,), (Chunk(1, 100, last=True),)),
        ),
    ],
)
def test_prompts_that_come_together_are_read_together(slots: list[SlotView], plan: Plan) -> None:
    assert make_plan(slots, capacity=512, prefill_cap=64) == plan


views = st.lists(
    st.builds(
        lambda slot, left, mark, may_generate, when: SlotView(
            slot, left, min(left, mark), may_generate, since=when
        ),
        st.integers(0, 63),
        st.integers(0, 2000),
        st.integers(1, 2500),
        st.booleans(),
        st.integers(0, 5),
    ),
    unique_by=lambda view: view.slot,
    max_size=32,
)


@given(slots=views, capacity=st.integers(1, 600), cap=st.integers(1, 600))
def test_every_plan_fits_and_serves_every_stream_it_can(
    slots: list[SlotView], capacity: int, cap: int
) -> None:
    plan = make_plan(slots, capacity, cap)
    ready = [s.slot for s in slots if not s.prompt_left and s.may_generate]
    left = {s.slot: s.prompt_left for s in slots}

    assert len(plan.generate) + plan.prefill_rows <= capacity
    assert list(plan.generate) == ready[:capacity]
    assert len(set(plan.slots)) == len(plan.slots)
    for chunk in plan.prefill:
        assert 1 <= chunk.count <= left[chunk.slot]
        assert chunk.last == (chunk.count == left[chunk.slot])
    began = min([s.since for s in slots if s.slot in plan.generate], default=math.inf)
    due = {s.slot for s in slots if s.since < began and s.prompt_left <= capacity}
    late = sum(chunk.count for chunk in plan.prefill if chunk.slot not in due)
    assert late <= cap or not plan.generate
    # Work is never left undone while there is room for it.
    assert not plan.is_empty or not (ready or any(left.values()))


def test_a_decode_ends_at_a_mark_and_never_samples_there() -> None:
    plan = make_plan([SlotView(1, 100, 30, may_generate=True)], 512, 64)
    assert plan == Plan((), (Chunk(1, 30, last=False),))


def test_proposed_tokens_take_room_and_what_has_none_waits() -> None:
    drafting = SlotView(1, 0, 0, may_generate=True, rows=9)
    plan = make_plan([drafting, drafting_too := SlotView(2, 0, 0, True, 9)], 16, 64)
    assert plan.generate == (1,)
    assert make_plan([drafting, drafting_too], 18, 64).generate == (1, 2)


@pytest.mark.parametrize(
    ("decode_seconds", "rate", "rows"),
    [
        (None, None, FIRST_PREFILL),
        (0.010, None, FIRST_PREFILL),
        # One and a half times the step's own time at 1600 rows a second is 24 rows.
        (0.010, 1600.0, 16),
        (0.100, 1000.0, 144),
        (0.010, 1000.0, 8),
        # Less is no progress.
        (0.010, 200.0, 8),
        (0.001, 100.0, 8),
        (1.0, 100_000.0, 512),
    ],
)
def test_prefill_beside_running_streams_is_capped_by_time(
    decode_seconds: float | None, rate: float | None, rows: int
) -> None:
    assert prefill_cap(decode_seconds, rate, capacity=512) == rows
