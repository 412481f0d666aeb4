"""What an operator wants of models, loads that nobody waits for, and what waiters are told."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from kronk.shared.errors import InvalidArgument, KronkError, ModelFailed, NotFound
from kronk.shared.load_spec import load_spec
from kronk.shared.model_config import ModelConfig
from kronk.shared.wire.loading import Fitted, LoadSpec
from kronk.shared.wire.status import ModelStatus
from kronk.shared.wire.to_gateway import Waiting
from kronk.shared.wire.to_supervisor import Manage, ManageAction
from kronk.shared.wire.values import Purpose
from kronk.supervisor.actions import (
    Action,
    Grant,
    KeepLoadTimes,
    KillWorker,
    Note,
    Refuse,
    Resolve,
    Spawn,
    StopWorker,
    TellManaged,
    TellWaiting,
    TellWorkerLost,
)
from kronk.supervisor.cause import Exit
from kronk.supervisor.fleet import Fleet, Policy
from kronk.supervisor.leases import Claim
from kronk.supervisor.load_times import LoadTime, LoadTimes, parse
from kronk.supervisor.model import MOST_WAITING, ROOM_PATIENCE
from kronk.supervisor.reload import Found

T = TypeVar("T")

SLOTS, QUEUE = 2, 1
FITTED = Fitted(8192, SLOTS, QUEUE, 2, 100, 1000, "llama", "model")
CONFIGS = {
    "pinned": ModelConfig(pin=True),
    "brief": ModelConfig(ttl=5.0),
    "ever": ModelConfig(ttl=math.inf),
    "never": ModelConfig(ttl=0.0),
}


def spec(model: str) -> LoadSpec:
    return load_spec(model, Path(f"/models/{model}.gguf"), CONFIGS.get(model, ModelConfig()))


def found(changed: LoadSpec) -> Found:
    return Found(frozenset({changed.model}), {changed.model: changed}, frozenset())


class House:
    """A fleet, a clock that is set by hand, and everything the fleet has asked for."""

    def __init__(
        self,
        models_in_cache: int = 3,
        ttl: float = 300.0,
        preload: Sequence[str] = (),
        load_times: LoadTimes | None = None,
    ) -> None:
        self.now = 0.0
        self.done: list[Action] = []
        self.fleet = Fleet(
            Policy(models_in_cache, ttl, False),
            itertools.count(1).__next__,
            preload=preload,
            load_times=load_times,
        )
        self.numbers = itertools.count(1)
        self.missing: dict[str, KronkError] = {}

    def do(self, event: str, *arguments: Any) -> None:
        actions = getattr(self.fleet, event)(self.now, *arguments) or []
        self.done += actions
        for action in actions:
            if isinstance(action, Resolve):
                if error := self.missing.get(action.name):
                    self.do("unresolved", action.name, error)
                else:
                    self.do("resolved", action.name, spec(action.name))

    def all(self, kind: type[T]) -> list[T]:
        return [action for action in self.done if isinstance(action, kind)]

    def ask(self, name: str, ttl: float | None = None, purpose: Purpose = "answer") -> int:
        lease = next(self.numbers)
        self.do("lease_requested", Claim(lease, ttl, "interactive", purpose), name)
        return lease

    def give_back(self, lease: int) -> None:
        self.do("lease_returned", lease)

    def manage(
        self, action: ManageAction, model: str, *, force: bool = False, ttl: float | None = None
    ) -> int:
        ask = next(self.numbers)
        self.do("manage", Manage(ask, action, model, force, ttl))
        return ask

    def answer(self, ask: int) -> TellManaged | None:
        """What came of it, once it has."""
        told = [told for told in self.all(TellManaged) if told.ask == ask]
        assert len(told) <= 1
        return told[0] if told else None

    def make_ready(self, model: str) -> int:
        generation = self.row(model).generation
        assert generation is not None
        self.do("hello", generation)
        self.do("ready", generation, FITTED)
        return generation

    def load(self, model: str) -> int:
        lease = self.ask(model)
        generation = self.make_ready(model)
        self.give_back(lease)
        return generation

    def exit(self, model: str, code: int = 0) -> None:
        self.do("exited", self.row(model).generation, Exit(code))

    def row(self, model: str) -> ModelStatus:
        (row,) = [row for row in self.fleet.view.status(self.now, {}) if row.model == model]
        return row

    def state(self, model: str) -> str:
        rows = self.fleet.view.status(self.now, {})
        return next((row.state for row in rows if row.model == model), "absent")

    def refusal(self, lease: int) -> KronkError:
        (error,) = [refusal.error for refusal in self.all(Refuse) if refusal.lease == lease]
        return error

    def sleep(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now = min(self.now + 1.0, end)
            for row in self.fleet.view.status(self.now, {}):
                if row.generation is not None and row.state in ("ready", "draining"):
                    self.do("heartbeat", row.generation, 0, False, None)
            self.do("tick")


# Unloading.


def test_an_idle_model_is_stopped_and_the_answer_comes_with_the_reap() -> None:
    house = House()
    generation = house.load("a")
    ask = house.manage("unload", "a")
    assert house.all(StopWorker) == [StopWorker(generation)]
    assert house.answer(ask) is None
    house.exit("a")
    assert house.answer(ask) == TellManaged(ask, "ready", "absent")


def test_a_busy_model_serves_who_it_serves_and_nobody_else() -> None:
    house = House()
    running = house.ask("a")
    generation = house.make_ready("a")
    ask = house.manage("unload", "a")
    assert (house.state("a"), house.all(StopWorker)) == ("draining", [])
    late = house.ask("a")
    look = house.ask("a", purpose="inspect")
    assert [grant.lease for grant in house.all(Grant)] == [running]
    # Nothing presses: not even after an hour.
    house.sleep(100)
    assert house.all(KillWorker) == []
    house.give_back(running)
    assert house.all(StopWorker) == [StopWorker(generation)]
    house.exit("a")
    assert house.answer(ask) == TellManaged(ask, "ready", "absent")
    assert house.state("a") == "loading"
    house.make_ready("a")
    assert [grant.lease for grant in house.all(Grant)][1:] == [look, late]


def test_two_who_unload_it_are_both_answered() -> None:
    house = House()
    running = house.ask("a")
    house.make_ready("a")
    asks = [house.manage("unload", "a") for _ in range(2)]
    house.give_back(running)
    house.exit("a")
    assert [house.answer(ask) for ask in asks] == [
        TellManaged(asks[0], "ready", "absent"),
        TellManaged(asks[1], "draining", "absent"),
    ]


@pytest.mark.parametrize("is_drained", [False, True])
def test_force_kills_and_says_whose_will_it_was(is_drained: bool) -> None:
    house = House()
    running = [house.ask("a") for _ in range(SLOTS + QUEUE)]
    generation = house.make_ready("a")
    if is_drained:
        house.manage("unload", "a")
    ask = house.manage("unload", "a", force=True)
    assert house.all(KillWorker) == [KillWorker(generation)]
    assert house.all(Note)[-1].level == "info"
    house.exit("a", -9)
    (lost,) = house.all(TellWorkerLost)
    assert (lost.generation, lost.how) == (generation, "unloaded")
    told = house.answer(ask)
    assert told is not None
    assert told.state == "absent"
    # No crash: it is tried at once.
    for lease in running:
        house.give_back(lease)
    house.ask("a")
    assert (house.state("a"), house.row("a").restarts) == ("loading", 0)


@pytest.mark.parametrize("force", [False, True])
def test_a_load_is_stopped_and_those_who_wait_are_told(force: bool) -> None:
    house = House()
    waits = [house.ask("a") for _ in range(3)]
    ask = house.manage("unload", "a", force=force)
    assert house.all(KillWorker if force else StopWorker)
    for lease in waits:
        error = house.refusal(lease)
        assert (error.code, error.message) == (
            "model_unloaded",
            "a was unloaded: an operator wanted it",
        )
    # One that comes while it ends waits for the next load.
    late = house.ask("a")
    house.exit("a")
    assert house.answer(ask) == TellManaged(ask, "loading", "absent")
    house.make_ready("a")
    assert house.all(Grant)[-1].lease == late


def test_a_model_that_is_not_there_is_no_error() -> None:
    house = House()
    for _ in range(2):
        ask = house.manage("unload", "a")
        assert house.answer(ask) == TellManaged(ask, "absent", "absent")
        house.load("a")
        house.manage("unload", "a")
        house.exit("a")


def test_one_that_waits_for_room_or_for_a_retry_is_not_loaded() -> None:
    house = House(models_in_cache=1)
    house.ask("a")
    house.make_ready("a")
    waits = house.ask("b")
    ask = house.manage("unload", "b")
    assert house.refusal(waits).code == "model_unloaded"
    assert house.answer(ask) == TellManaged(ask, "absent", "absent")

    house.exit("a", -9)
    waits = house.ask("a")
    ask = house.manage("unload", "a")
    assert house.refusal(waits).code == "model_unloaded"
    assert house.answer(ask) == TellManaged(ask, "backoff", "absent")
    house.sleep(10)
    assert len(house.all(Spawn)) == 1


def test_one_that_dies_while_it_is_drained_is_gone_too() -> None:
    house = House()
    house.ask("a")
    house.make_ready("a")
    ask = house.manage("unload", "a")
    house.exit("a", -11)
    assert house.answer(ask) == TellManaged(ask, "ready", "backoff")
    assert house.all(TellWorkerLost)[0].how == "crashed"


def test_a_new_gateway_hears_no_answers_to_the_old_one() -> None:
    house = House()
    house.ask("a")
    house.make_ready("a")
    ask = house.manage("unload", "a")
    house.do("gateway_lost")
    # Its requests are gone with it, so the drain is over.
    assert len(house.all(StopWorker)) == 1
    house.exit("a")
    assert house.answer(ask) is None


def test_a_drained_model_makes_no_room_until_its_requests_have_ended() -> None:
    house = House(models_in_cache=2)
    running = house.ask("a")
    house.make_ready("a")
    house.load("b")
    house.manage("unload", "a")
    # It could take long: the idle one goes.
    house.ask("c")
    assert house.state("b") == "draining"
    house.give_back(running)
    assert [house.state(name) for name in "ab"] == ["draining", "draining"]


# Pins.


def test_a_pinned_model_neither_expires_nor_makes_room() -> None:
    house = House(models_in_cache=2, ttl=10.0)
    house.load("pinned")
    house.load("a")
    house.give_back(house.ask("pinned", 0.0))
    house.sleep(5)
    house.ask("b")
    assert (house.state("pinned"), house.state("a")) == ("ready", "draining")
    house.exit("a")
    house.sleep(1000)
    row = house.row("pinned")
    assert (row.state, row.pinned, row.expires_in) == ("ready", True, None)


def test_a_pin_by_command_holds_for_a_model_that_is_not_loaded_yet() -> None:
    house = House(ttl=10.0)
    ask = house.manage("pin", "a")
    assert house.answer(ask) == TellManaged(ask, "absent", "absent")
    house.load("a")
    house.sleep(100)
    assert house.row("a").pinned
    ask = house.manage("unpin", "a")
    assert house.answer(ask) == TellManaged(ask, "ready", "ready")
    # Its idle time begins now.
    assert house.row("a").expires_in == 10.0
    house.sleep(10)
    assert house.state("a") == "draining"


def test_a_command_goes_before_the_configuration_and_outlives_the_process() -> None:
    house = House(ttl=10.0)
    house.load("pinned")
    house.manage("unpin", "pinned")
    house.sleep(10)
    house.exit("pinned")
    house.load("pinned")
    assert not house.row("pinned").pinned
    house.manage("pin", "pinned")
    assert house.row("pinned").pinned


def test_a_pinned_model_is_loaded_again_after_a_crash() -> None:
    house = House()
    house.load("pinned")
    house.exit("pinned", -9)
    assert (house.state("pinned"), house.row("pinned").retry_in) == ("backoff", 1.0)
    house.sleep(1)
    assert house.state("pinned") == "loading"
    # A load that dies too.
    house.exit("pinned", -9)
    house.sleep(2)
    house.make_ready("pinned")
    assert house.row("pinned").restarts == 2


def test_a_pinned_model_that_failed_too_often_is_probed_when_its_time_is_over() -> None:
    house = House()
    house.load("pinned")
    for delay in (1, 2, 4, 8, 0):
        house.exit("pinned", 1)
        house.sleep(delay)
    assert (house.state("pinned"), house.row("pinned").retry_in) == ("failed", 60.0)
    assert house.fleet.deadline() == house.now + 60.0
    house.sleep(60)
    assert house.state("pinned") == "loading"


def test_a_pinned_model_that_is_unloaded_by_command_stays_away() -> None:
    house = House()
    house.load("pinned")
    house.manage("unload", "pinned")
    house.exit("pinned")
    house.sleep(1000)
    assert house.state("pinned") == "absent"
    house.load("pinned")
    assert house.row("pinned").pinned


def test_a_pinned_model_that_finds_only_pinned_ones_in_its_place_is_refused_once() -> None:
    house = House(models_in_cache=1)
    house.load("pinned")
    house.exit("pinned", -9)
    house.manage("pin", "b")
    house.load("b")
    house.sleep(100)
    assert (house.state("pinned"), house.state("b")) == ("absent", "ready")
    warnings = [note.event for note in house.all(Note) if note.level == "warning"]
    assert warnings == ["model not loaded"]
    error = house.refusal(house.ask("pinned"))
    assert error.code == "overloaded"
    assert error.message == (
        "no room for pinned: the 1 models that may be loaded at a time are all pinned"
        " (--models-in-cache): b"
    )


def test_while_the_server_stops_nothing_recovers() -> None:
    house = House()
    house.load("pinned")
    house.do("drain")
    house.exit("pinned", -9)
    house.sleep(100)
    assert len(house.all(Spawn)) == 1


# TTLs of the configuration.


@pytest.mark.parametrize(
    ("model", "said", "expires_in"),
    [
        ("a", None, 300.0),
        ("brief", None, 5.0),
        ("ever", None, None),
        ("brief", 60.0, 60.0),
        ("ever", 60.0, 60.0),
        ("brief", math.inf, None),
    ],
)
def test_the_models_own_ttl_goes_before_the_servers_and_a_requests_before_both(
    model: str, said: float | None, expires_in: float | None
) -> None:
    house = House()
    house.load(model)
    house.give_back(house.ask(model, said))
    assert house.row(model).expires_in == expires_in
    # What was said ends with the load.
    house.manage("unload", model)
    house.exit(model)
    house.load(model)
    own = CONFIGS[model].ttl if model in CONFIGS else 300.0
    assert house.row(model).expires_in == (None if own == math.inf else own)


def test_a_ttl_of_zero_unloads_right_after_the_last_request() -> None:
    house = House()
    lease = house.ask("never")
    house.make_ready("never")
    assert house.state("never") == "ready"
    house.give_back(lease)
    assert house.state("never") == "draining"


def test_a_changed_configuration_changes_the_ttl_of_a_loaded_model() -> None:
    house = House()
    house.load("brief")
    changed = replace(spec("brief"), residency=replace(spec("brief").residency, ttl=50.0))
    house.fleet.reconfigured(house.now, found(changed))
    assert (house.state("brief"), house.row("brief").expires_in) == ("ready", 50.0)
    # But not what a request said.
    house.give_back(house.ask("brief", 9.0))
    house.fleet.reconfigured(house.now, found(spec("brief")))
    assert house.row("brief").expires_in == 9.0


# Loads that nobody waits for.


def test_models_are_loaded_at_the_start_one_after_the_other() -> None:
    house = House(preload=["a", "gone", "b"])
    house.missing["gone"] = NotFound("no such model")
    house.do("tick")
    assert [house.state(name) for name in "ab"] == ["loading", "absent"]
    house.make_ready("a")
    assert [house.state(name) for name in "ab"] == ["ready", "loading"]
    house.make_ready("b")
    (note,) = [note for note in house.all(Note) if note.level == "error"]
    assert note.fields == {"model": "gone", "cause": "no such model"}


def test_a_load_at_the_start_takes_no_room_from_others() -> None:
    house = House(models_in_cache=1, preload=["a", "b", "c"])
    house.do("tick")
    house.make_ready("a")
    assert [house.state(name) for name in "abc"] == ["ready", "absent", "absent"]
    failed = [note.fields["model"] for note in house.all(Note) if note.level == "error"]
    assert failed == ["b", "c"]
    assert house.all(StopWorker) == []


def test_a_load_at_the_start_that_cannot_be_is_no_reason_to_stop() -> None:
    house = House(preload=["a", "b", "c"])
    house.do("tick")
    house.do("hello", 1)
    house.do("load_failed", 1, InvalidArgument("a: not a GGUF file"))
    house.do("exited", 1, Exit(3))
    assert house.state("b") == "loading"
    for delay in (1, 2, 4, 8, 0):
        house.exit("b", 1)
        house.sleep(delay)
    assert (house.state("b"), house.state("c")) == ("failed", "loading")


def test_a_load_at_the_start_that_somebody_waits_for_is_theirs() -> None:
    house = House(preload=["a"])
    house.do("tick")
    lease = house.ask("a")
    house.make_ready("a")
    assert [grant.lease for grant in house.all(Grant)] == [lease]
    assert len(house.all(Spawn)) == 1


def test_an_operators_load_goes_on_without_a_waiter_and_makes_room() -> None:
    house = House(models_in_cache=1)
    house.load("a")
    ask = house.manage("load", "b", ttl=60.0)
    assert house.answer(ask) == TellManaged(ask, "absent", "absent")
    assert house.state("a") == "draining"
    house.exit("a")
    assert house.state("b") == "loading"
    house.make_ready("b")
    assert house.row("b").expires_in == 60.0
    again = house.manage("load", "b", ttl=90.0)
    assert house.answer(again) == TellManaged(again, "ready", "ready")
    assert house.row("b").expires_in == 90.0


def test_an_operators_load_is_told_what_is_known_to_be_wrong() -> None:
    house = House()
    house.missing["nope"] = NotFound("no such model")
    told = house.answer(house.manage("load", "nope"))
    assert told is not None
    assert told.error is house.missing["nope"]
    house.ask("a")
    house.do("hello", 1)
    house.do("load_failed", 1, ModelFailed("not enough memory"))
    house.exit("a", 4)
    told = house.answer(house.manage("load", "a"))
    assert told is not None
    assert told.error is not None
    assert (told.error.message, told.error.retry_after) == ("not enough memory", 1.0)
    house.do("drain")
    told = house.answer(house.manage("load", "b"))
    assert told is not None
    assert told.error is not None
    assert told.error.message == "the server is stopping"


def test_an_operators_load_is_given_up_when_it_finds_no_room() -> None:
    house = House(models_in_cache=1)
    house.ask("a")
    house.make_ready("a")
    house.manage("load", "b")
    house.sleep(ROOM_PATIENCE)
    assert house.fleet.view.status(house.now, {})[-1].model == "a"
    # A wish of long ago is no reason to give the next one up.
    house.sleep(100)
    house.manage("load", "b")
    house.sleep(ROOM_PATIENCE - 1)
    assert house.state("b") == "absent"
    assert house.row("b").queued == 0


def test_reset_forgets_the_failures() -> None:
    house = House()
    house.ask("a")
    for delay in (1, 2, 4, 8, 0):
        house.exit("a", 1)
        house.sleep(delay)
    ask = house.manage("reset", "a")
    assert house.answer(ask) == TellManaged(ask, "failed", "absent")
    house.ask("a")
    assert house.state("a") == "loading"


# Those who wait.


def test_who_waits_is_told_when_something_changes_and_once_a_second_at_most() -> None:
    house = House(load_times=LoadTimes({"a": [LoadTime(10.0, 1.0)]}))
    leases = tuple(house.ask("a") for _ in range(3))
    assert house.all(TellWaiting) == []
    house.do("hello", 1)
    house.do("tick")
    house.do("load_progress", 1, "weights", 0.449)
    for _ in range(5):
        house.now += 0.1
        house.do("tick")
    house.now += 0.5
    house.do("tick")
    assert [told.waiting for told in house.all(TellWaiting)] == [
        Waiting(leases, "loading", eta=10.0),
        Waiting(leases, "loading", "weights", 0.45, 9.0),
    ]
    house.give_back(leases[0])
    house.sleep(1)
    assert house.all(TellWaiting)[-1].waiting.leases == leases[1:]
    house.exit("a", -9)
    house.now += 0.001
    house.sleep(0.9)
    assert house.all(TellWaiting)[-1].waiting == Waiting(leases[1:], "backoff", retry_in=1.0)
    house.sleep(1)
    house.make_ready("a")
    before = len(house.all(TellWaiting))
    house.sleep(5)
    assert len(house.all(TellWaiting)) == before


def test_a_new_gateway_is_told_anew() -> None:
    house = House()
    house.ask("a")
    house.do("tick")
    house.do("gateway_lost")
    house.do("lease_requested", Claim(1), "a")
    house.now += 0.1
    house.do("tick")
    assert [told.waiting.leases for told in house.all(TellWaiting)] == [(1,), (1,)]


def test_what_a_load_took_is_learnt_and_kept() -> None:
    house = House()
    house.ask("a")
    house.do("hello", 1)
    house.do("load_progress", 1, "weights", 0.5)
    house.now += 6
    house.do("load_progress", 1, "context", 0.0)
    house.now += 2
    house.make_ready("a")
    (kept,) = house.all(KeepLoadTimes)
    assert parse(kept.data).of("a") == (LoadTime(8.0, 2.0),)
    house.manage("unload", "a", force=True)
    house.exit("a", -9)
    house.ask("a")
    row = house.row("a")
    assert (row.state, row.eta, row.phase, row.fraction) == ("loading", 8.0, None, None)
    house.now += 3
    row = house.row("a")
    assert (row.eta, row.state_seconds) == (5.0, 3.0)


# When to come back.


def test_a_full_queue_says_when_a_slot_may_be_had() -> None:
    house = House()
    house.load("a")
    for lease in [house.ask("a") for _ in range(SLOTS)]:
        house.now += 5
        house.give_back(lease)
    running = [house.ask("a") for _ in range(SLOTS + QUEUE)]
    # The mean of 0, 5 and 10 seconds, by their weights; one waits already, for two slots.
    again = house.refusal(house.ask("a")).retry_after
    assert again == pytest.approx(2.8 * (1 + QUEUE) / SLOTS)
    for lease in running:
        house.give_back(lease)


def test_a_full_house_before_a_load_says_when_that_is_complete() -> None:
    house = House(load_times=LoadTimes({"a": [LoadTime(30.0, 1.0)]}))
    for _ in range(MOST_WAITING):
        house.ask("a")
    house.now += 10
    assert house.refusal(house.ask("a")).retry_after == 20.0
    house.exit("a", -9)
    assert house.refusal(house.ask("a")).retry_after == 1.0
