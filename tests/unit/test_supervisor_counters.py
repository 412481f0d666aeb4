"""What becomes of models is counted: loads, evictions by reason, other ends by cause."""

from __future__ import annotations

import pytest

from kronk.shared import exits
from kronk.shared.errors import InsufficientMemory, KronkError, ModelFailed, NotFound
from kronk.shared.telemetry.buckets import LOAD_SECONDS
from kronk.supervisor.actions import Outbox
from kronk.supervisor.cause import Exit
from kronk.supervisor.counters import Counters, cause, eviction
from kronk.supervisor.leases import Leases
from kronk.supervisor.ledger import Holder, Room, lacks_a_place
from kronk.supervisor.load_times import Progress
from kronk.supervisor.verdict import Ending, Facts


def ended(exit: Exit, ending: Ending | None = None) -> Facts:
    return Facts("m", True, None, True, ending, exit)


@pytest.mark.parametrize(
    ("ending", "exit", "reason"),
    [
        (Ending("unused", "ttl", expected=True), Exit(0), "ttl"),
        # However it took it.
        (Ending("an operator wanted it", "operator", expected=True), Exit(-9), "operator"),
        (None, Exit(None, reason="its host is gone"), "host"),
        (Ending("no beat", "frozen"), Exit(-6), None),
        (None, Exit(-11), None),
    ],
)
def test_an_end_that_was_wanted_is_an_eviction_by_its_reason(
    ending: Ending | None, exit: Exit, reason: str | None
) -> None:
    assert eviction(ending, exit) == reason


@pytest.mark.parametrize(
    ("ending", "exit", "word"),
    [
        (None, Exit(-11), "SIGSEGV"),
        (None, Exit(-40), "signal_40"),
        (None, Exit(7), "exit_7"),
        (None, Exit(exits.BAD_MODEL), "load_failed"),
        (None, Exit(exits.NO_MEMORY), "out_of_memory"),
        (None, Exit(-9, out_of_memory="cgroup"), "out_of_memory"),
        (None, Exit(None), "not_started"),
        (Ending("no beat", "frozen"), Exit(-6), "frozen"),
        (Ending("no step", "stuck"), Exit(-6), "stuck"),
        (Ending("no Hello", "late"), Exit(-9), "late"),
        (Ending("bad", "failed", error=ModelFailed("bad")), Exit(3), "load_failed"),
        (Ending("full", "failed", error=InsufficientMemory("full")), Exit(4), "out_of_memory"),
    ],
)
def test_any_other_end_has_one_word_for_its_cause(
    ending: Ending | None, exit: Exit, word: str
) -> None:
    assert cause(ending, exit) == word


def test_loads_are_counted_with_how_long_they_took() -> None:
    counters = Counters()
    counters.loaded("m", Progress(10.0), 10.4)
    counters.loaded("m", Progress(20.0), 23.0)
    told = counters.told("m", restarts=2)
    assert (told.loads, told.load_seconds, told.restarts) == (2, pytest.approx(3.4), 2)
    assert (told.load_min, told.load_max) == (pytest.approx(0.4), pytest.approx(3.0))
    assert len(told.load_buckets) == len(LOAD_SECONDS) + 1
    assert sum(told.load_buckets) == 2
    assert told.projector_loads == 0


def test_a_projector_takes_what_is_left_of_a_load_from_its_first_report_on() -> None:
    counters, progress = Counters(), Progress(0.0)
    progress.report("weights", 0.5, 1.0)
    progress.report("projector", 0.0, 4.0)
    progress.report("projector", 1.0, 5.0)
    counters.loaded("m", progress, 6.0)
    told = counters.told("m", 0)
    assert (told.projector_loads, told.projector_seconds) == (1, 2.0)
    assert (told.projector_min, told.projector_max) == (2.0, 2.0)


def test_ends_are_counted_for_each_model_of_its_own() -> None:
    counters = Counters()
    counters.ended("m", ended(Exit(0), Ending("unused", "ttl", expected=True)))
    counters.ended("m", ended(Exit(-11)))
    counters.ended("m", ended(Exit(-11)))
    assert counters.told("m", 0).evictions == {"ttl": 1}
    assert counters.told("m", 0).exits == {"SIGSEGV": 2}
    assert counters.told("other", 0).exits == {}


def test_only_the_number_of_models_is_in_the_way_where_memory_would_do() -> None:
    room = Room({"host": 10}, places=1)
    holder = Holder("a", {"host": 4}, 0.0, "idle")
    assert lacks_a_place({"host": 5}, room, [holder])
    assert not lacks_a_place({"host": 7}, room, [holder])
    assert not lacks_a_place({"host": 7}, Room({"host": 10}, places=2), [holder])


@pytest.mark.parametrize("error", [NotFound("x"), InsufficientMemory("x")])
def test_refusals_have_the_code_of_their_error(error: KronkError) -> None:
    leases = Leases(Outbox(), lambda model, now: None)
    leases.refuse(1, error)
    assert leases.refusals == {error.code: 1}
