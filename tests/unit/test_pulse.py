"""A worker gets on while all of it does: the engine, the preparation of requests, the loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import pytest

from kronk.shared.wire.status import SlotStats
from kronk.worker.cache.stats import Caches
from kronk.worker.pulse import Effort, Pulse


@dataclass
class Engine:
    is_working: bool = False
    tokens: int = 0
    requests: int = 0
    progress: int = 0
    busy_slots: int = 0
    queued: int = 0
    slots: tuple[SlotStats, ...] = ()
    caches: Caches = Caches()  # noqa: RUF009  # frozen


class Patient:
    """A pulse, and what it is taken of."""

    def __init__(self) -> None:
        self.preparing = 0
        self.disk = 0
        self.engine = Engine()
        self.pulse = Pulse(lambda: self.preparing, lambda: self.disk)
        self.now = 0.0
        self.last = -1

    def grows(self, *, turns: bool = True) -> bool:
        """Whether the counter of the next beat is another one than that of the last."""
        if turns:
            self.pulse.turned()
        self.now += 1.0
        before, self.last = self.last, self.pulse.beat(self.now).progress
        return self.last != before


@pytest.fixture
def patient() -> Patient:
    one = Patient()
    one.pulse.serve(one.engine)
    return one


def test_a_worker_with_nothing_to_do_gets_on_as_long_as_its_loop_turns(patient: Patient) -> None:
    assert all(patient.grows() for _ in range(5))
    assert not patient.grows(turns=False)


def test_an_engine_at_work_gets_on_by_its_own_counter(patient: Patient) -> None:
    patient.engine.is_working = True
    patient.grows()
    assert not patient.grows()
    patient.engine.progress += 1
    assert patient.grows()
    assert not patient.grows()


def test_what_the_disk_brings_is_progress(patient: Patient) -> None:
    patient.engine.is_working = True
    patient.grows()
    assert not patient.grows()
    patient.disk += 1
    assert patient.grows()


def test_a_preparation_that_hangs_is_not_hidden_by_an_engine_that_does_not(
    patient: Patient,
) -> None:
    patient.engine.is_working = True
    patient.preparing = 1
    patient.grows()
    for _ in range(5):
        patient.engine.progress += 1
        assert not patient.grows()
    patient.pulse.prepared += 1
    assert patient.grows()
    # With nothing to prepare it stands still by right.
    patient.preparing = 0
    patient.engine.progress += 1
    assert patient.grows()


def test_a_loop_that_hangs_is_not_hidden_by_an_engine_that_does_not(patient: Patient) -> None:
    patient.engine.is_working = True
    patient.grows()
    for _ in range(5):
        patient.engine.progress += 1
        assert not patient.grows(turns=False)
    assert patient.grows()


def test_a_load_gets_on_by_steps_or_by_bytes() -> None:
    patient = Patient()
    patient.pulse.loading = True
    patient.grows()
    assert not patient.grows()
    patient.pulse.load_steps += 1
    assert patient.grows()
    assert not patient.grows()
    patient.disk += 512
    assert patient.grows()


def test_parts_may_get_on_one_after_the_other() -> None:
    effort = Effort()
    effort.look({"a": (True, 1), "b": (True, 1)})
    assert effort.progress == 1
    effort.look({"a": (True, 2), "b": (True, 1)})
    assert effort.progress == 1
    effort.look({"a": (True, 2), "b": (True, 2)})
    assert effort.progress == 2


def test_a_beat_tells_of_the_engine_once_there_is_one(patient: Patient) -> None:
    assert Patient().pulse.beat(0.0).stats is None
    patient.pulse.beat(0.0)
    patient.engine.tokens, patient.engine.requests = 50, 2
    patient.engine.busy_slots, patient.engine.queued = 1, 3
    stats = patient.pulse.beat(2.0).stats
    assert stats is not None
    assert (stats.tokens_per_second, stats.requests, stats.tokens) == (25.0, 2, 50)
    assert (stats.slots_busy, stats.queued) == (1, 3)


def test_a_worker_beats_on_though_its_state_cannot_be_told(patient: Patient) -> None:
    patient.engine.tokens = cast("int", "many")
    assert all(patient.grows() for _ in range(3))
    assert patient.pulse.beat(10.0).stats is None
    patient.engine.tokens = 7
    assert all(patient.grows() for _ in range(5))
    assert patient.pulse.beat(20.0).stats is not None
