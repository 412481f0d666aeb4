"""The fleet: leases, loads, room, crashes and the spare, played without processes or a clock."""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest

from kronk.shared.errors import InvalidArgument, KronkError, ModelFailed, NotFound
from kronk.shared.load_spec import load_spec
from kronk.shared.model_config import ModelConfig
from kronk.shared.wire.loading import Fitted, LoadSpec
from kronk.shared.wire.status import ModelStatus, WorkerStats
from kronk.shared.wire.to_supervisor import LeaseRequest, Manage
from kronk.shared.wire.values import Priority, Purpose, Want
from kronk.supervisor.actions import (
    AbortWorker,
    Action,
    Grant,
    KillWorker,
    Note,
    Refuse,
    Remember,
    Resolve,
    SendLoad,
    Spawn,
    StopWorker,
    TellWorkerLost,
)
from kronk.supervisor.cause import Exit
from kronk.supervisor.events import apply
from kronk.supervisor.fleet import Fleet, Policy
from kronk.supervisor.health import FROZEN_AFTER, STUCK_AFTER, limits
from kronk.supervisor.leases import Claim
from kronk.supervisor.model import (
    LOAD_WITHIN,
    MOST_BATCH,
    MOST_WAITING,
    REJECTION_LASTS,
    ROOM_PATIENCE,
)
from kronk.supervisor.pool import ABORT_GRACE, KILL_AGAIN, STOP_GRACE
from kronk.supervisor.workers import HELLO_WITHIN

T = TypeVar("T")

SLOTS, QUEUE = 2, 1
FITTED = Fitted(8192, SLOTS, QUEUE, 2, 100, 1000, "llama", "model")


# Seconds that requests of the model "timed" may wait for a slot.
PATIENCE = 5.0


def spec(model: str) -> LoadSpec:
    config = ModelConfig(queue_timeout=PATIENCE if model == "timed" else None)
    return load_spec(model, Path(f"/models/{model}.gguf"), config)


class House:
    """A fleet, a clock that is set by hand, and everything the fleet has asked for."""

    def __init__(self, models_in_cache: int = 3, ttl: float = 300.0, spare: bool = False) -> None:
        self.now = 0.0
        self.done: list[Action] = []
        self.fleet = Fleet(Policy(models_in_cache, ttl, spare), itertools.count(1).__next__)
        self.lease = itertools.count(1)

    def do(self, event: str, *arguments: Any) -> list[Action]:
        actions = getattr(self.fleet, event)(self.now, *arguments) or []
        self.done += actions
        counts = asdict(self.fleet.view.leases)
        # Whatever happens, no lease is in two places, and none gets lost.
        assert counts.pop("asked") == sum(counts.values()), self.fleet.view.leases
        return list(actions)

    def all(self, kind: type[T]) -> list[T]:
        return [action for action in self.done if isinstance(action, kind)]

    def ask(
        self,
        name: str,
        ttl: float | None = None,
        priority: Priority = "interactive",
        purpose: Purpose = "answer",
        *,
        known_as: str | None = None,
    ) -> int:
        """A lease request; its look-up, if there is one, succeeds at once."""
        lease = next(self.lease)
        claim = Claim(lease, ttl, priority, purpose)
        for action in self.do("lease_requested", claim, name):
            if isinstance(action, Resolve):
                self.do("resolved", name, spec(known_as or name))
        return lease

    def worker_of(self, model: str) -> int:
        generation = self.row(model).generation
        assert generation is not None
        return generation

    def make_ready(self, model: str) -> int:
        """The worker at this model's load reports success."""
        generation = self.worker_of(model)
        self.do("hello", generation)
        self.do("ready", generation, FITTED)
        return generation

    def load(self, model: str) -> int:
        """One request for the model, served and ended."""
        lease = self.ask(model)
        generation = self.make_ready(model)
        self.do("lease_returned", lease)
        return generation

    def row(self, model: str) -> ModelStatus:
        (row,) = [row for row in self.rows() if row.model == model]
        return row

    def rows(self) -> list[ModelStatus]:
        return self.fleet.view.status(self.now, {})

    def state(self, model: str) -> str:
        return next((row.state for row in self.rows() if row.model == model), "absent")

    def granted(self) -> list[int]:
        return [grant.lease for grant in self.all(Grant)]

    def refusal(self, lease: int) -> KronkError:
        (error,) = [refusal.error for refusal in self.all(Refuse) if refusal.lease == lease]
        return error

    def is_refused(self, lease: int) -> bool:
        return lease in [refusal.lease for refusal in self.all(Refuse)]

    def sleep(self, seconds: float) -> None:
        """Time passes with a tick each second and a heartbeat of every idle worker before it."""
        self._pass(seconds, beating=True)

    def silence(self, seconds: float) -> None:
        """Time passes without heartbeats."""
        self._pass(seconds, beating=False)

    def _pass(self, seconds: float, *, beating: bool) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now = min(self.now + 1.0, end)
            for row in self.rows() if beating else []:
                if row.generation is not None and row.state in ("ready", "draining"):
                    self.do("heartbeat", row.generation, 0, False, None)
            self.do("tick")


# Leases and loads.


def test_a_first_request_is_looked_up_loaded_and_granted() -> None:
    house = House()
    lease = house.ask("a")
    assert [type(action) for action in house.done if not isinstance(action, Note)] == [
        Resolve,
        Spawn,
    ]
    house.do("hello", 1)
    assert house.all(SendLoad) == [SendLoad(1, spec("a"))]
    assert house.do("ready", 1, FITTED)[-1] == Grant(lease, 1)


def test_requests_during_a_look_up_and_a_load_cause_one_of_each() -> None:
    house = House()
    leases = [next(house.lease) for _ in range(5)]
    for lease in leases:
        house.do("lease_requested", Claim(lease), "a")
    house.do("resolved", "a", spec("a"))
    leases.append(house.ask("a"))
    assert len(house.all(Resolve)) == len(house.all(Spawn)) == 1
    house.make_ready("a")
    assert house.granted() == leases[: SLOTS + QUEUE]


def test_a_loaded_model_is_granted_without_a_look_at_the_disk() -> None:
    house = House()
    house.load("a")
    before = len(house.all(Resolve))
    lease = house.ask("a")
    assert house.granted()[-1] == lease
    assert len(house.all(Resolve)) == before


def test_two_names_of_one_model_share_its_owner() -> None:
    house = House()
    house.ask("a")
    house.ask("org/family/a", known_as="a")
    assert len(house.all(Spawn)) == 1
    house.make_ready("a")
    assert len(house.granted()) == 2
    house.ask("org/family/a")
    assert len(house.all(Resolve)) == 2


def test_a_name_that_means_nothing_is_refused_for_everybody_who_asked() -> None:
    house = House()
    for lease in (1, 2):
        house.do("lease_requested", Claim(lease), "nope")
    error = NotFound("no such model")
    house.do("unresolved", "nope", error)
    assert house.all(Refuse) == [Refuse(1, error), Refuse(2, error)]
    assert house.all(Spawn) == []


def test_a_load_goes_on_when_its_last_waiter_leaves() -> None:
    house = House()
    lease = house.ask("a")
    house.do("lease_returned", lease)
    house.make_ready("a")
    assert house.state("a") == "ready"
    assert house.granted() == []


def test_a_lease_returned_during_its_look_up_is_not_granted_later() -> None:
    house = House()
    house.do("lease_requested", Claim(1), "a")
    house.do("lease_returned", 1)
    house.do("resolved", "a", spec("a"))
    assert house.all(Spawn) == []
    assert house.rows() == []


def test_waiters_are_granted_first_in_first_out_and_never_beyond_capacity() -> None:
    house = House()
    leases = [house.ask("a") for _ in range(8)]
    house.make_ready("a")
    capacity = SLOTS + QUEUE
    assert house.granted() == leases[:capacity]
    assert house.row("a").queued == 8 - capacity
    house.do("lease_returned", leases[1])
    assert house.granted() == leases[: capacity + 1]
    # One that waits may leave as well.
    house.do("lease_returned", leases[4])
    house.do("lease_returned", leases[0])
    assert house.granted() == [*leases[:4], leases[5]]


def test_returning_a_lease_twice_or_one_never_asked_for_changes_nothing() -> None:
    house = House()
    leases = [house.ask("a") for _ in range(5)]
    house.make_ready("a")
    for lease in (leases[0], leases[0], 999):
        house.do("lease_returned", lease)
    assert house.granted() == leases[:4]


def test_the_same_lease_asked_for_twice_is_one_lease() -> None:
    house = House()
    house.do("lease_requested", Claim(1), "a")
    house.do("lease_requested", Claim(1), "a")
    house.do("resolved", "a", spec("a"))
    house.make_ready("a")
    assert house.granted() == [1]


def test_one_waiter_too_many_is_told_to_come_back() -> None:
    house = House()
    for _ in range(MOST_WAITING):
        house.ask("a")
    error = house.refusal(house.ask("a"))
    assert (error.code, error.retry_after) == ("overloaded", 2.0)


def test_a_ready_model_refuses_what_its_queue_has_no_place_for() -> None:
    house = House()
    house.load("a")
    leases = [house.ask("a") for _ in range(SLOTS + QUEUE)]
    late = house.ask("a")
    assert house.refusal(late).code == "overloaded"
    assert house.refusal(late).message == (
        "the queue of a is full: 2 running, 1 waiting (queue_depth)"
    )
    house.do("lease_returned", leases[0])
    assert not house.is_refused(house.ask("a"))


def test_requests_that_waited_for_a_load_are_served_however_many() -> None:
    house = House()
    leases = [house.ask("a") for _ in range(SLOTS + QUEUE + 5)]
    house.make_ready("a")
    assert house.is_refused(house.ask("a"))
    for lease in leases:
        house.do("lease_returned", lease)
    assert house.granted() == leases


def test_with_a_time_limit_the_queue_stands_where_it_can_be_refused() -> None:
    house = House()
    house.load("timed")
    leases = [house.ask("timed") for _ in range(SLOTS + QUEUE)]
    assert house.granted()[1:] == leases[:SLOTS]
    assert house.row("timed").queued == QUEUE
    assert house.is_refused(house.ask("timed"))
    assert house.fleet.deadline() == house.now + PATIENCE
    house.sleep(PATIENCE - 1)
    assert not house.is_refused(leases[SLOTS])
    house.sleep(1)
    assert house.refusal(leases[SLOTS]).message == (
        "no slot of timed became free within 5 s (queue_timeout)"
    )
    assert house.row("timed").queued == 0


def test_a_request_that_lost_its_process_is_not_refused_for_the_queues_sake() -> None:
    house = House()
    house.load("timed")
    leases = [house.ask("timed") for _ in range(SLOTS + QUEUE)]
    house.sleep(PATIENCE - 1)
    child: Any = SimpleNamespace(generation=1)
    request = LeaseRequest(101, "timed", again=True)
    house.done += apply(house.fleet, house.now, child, request)
    assert not house.is_refused(101)
    house.sleep(PATIENCE)
    assert house.is_refused(leases[SLOTS])
    assert not house.is_refused(101)
    assert house.row("timed").queued == 1
    # Nobody looks at its time any more.
    deadline = house.fleet.deadline()
    assert deadline is None or deadline > house.now
    house.do("lease_returned", leases[0])
    assert house.granted()[-1] == 101


def test_a_load_is_no_wait_for_a_slot() -> None:
    house = House()
    leases = [house.ask("timed") for _ in range(SLOTS + 1)]
    house.sleep(2 * PATIENCE)
    house.make_ready("timed")
    house.sleep(PATIENCE - 1)
    assert not house.is_refused(leases[SLOTS])
    house.sleep(1)
    assert house.is_refused(leases[SLOTS])


def test_the_death_of_the_gateway_voids_every_lease_but_no_load() -> None:
    house = House()
    house.load("a")
    for _ in range(3):
        house.ask("a")
    house.ask("b")
    house.do("lease_requested", Claim(77), "c")
    house.do("gateway_lost")
    assert (house.row("a").active_streams, house.row("a").queued) == (0, 0)
    house.make_ready("b")
    assert house.state("b") == "ready"
    house.do("resolved", "c", spec("c"))
    assert house.state("c") == "absent"
    # Lease numbers start anew with the next gateway.
    assert house.do("lease_requested", Claim(1), "a")[-1] == Grant(1, house.worker_of("a"))


# Room.


def test_loading_ready_and_draining_models_all_take_a_place() -> None:
    house = House(models_in_cache=2)
    house.load("a")
    house.ask("b")
    house.ask("c")
    assert [house.state(name) for name in "abc"] == ["draining", "loading", "absent"]
    # Not before the reap.
    assert len(house.all(Spawn)) == 2
    house.do("exited", 1, Exit(0))
    assert [house.state(name) for name in "abc"] == ["absent", "loading", "loading"]


def test_the_least_recently_used_idle_model_makes_room() -> None:
    house = House(models_in_cache=2)
    for name in ("a", "b"):
        house.now += 1
        house.load(name)
    house.now += 1
    house.do("lease_returned", house.ask("a"))
    house.ask("c")
    assert [house.state(name) for name in "abc"] == ["ready", "draining", "absent"]
    assert house.all(StopWorker) == [StopWorker(2)]


def test_a_model_with_leases_is_never_unloaded_for_another() -> None:
    house = House(models_in_cache=1)
    held = house.ask("a")
    house.make_ready("a")
    waits = house.ask("b")
    assert house.state("a") == "ready"
    house.do("lease_returned", held)
    assert house.state("a") == "draining"
    house.do("exited", 1, Exit(0))
    house.make_ready("b")
    assert house.granted() == [held, waits]


def test_waiting_for_room_ends_after_a_minute() -> None:
    house = House(models_in_cache=1)
    house.ask("a")
    house.make_ready("a")
    waits = house.ask("b")
    house.sleep(ROOM_PATIENCE - 1)
    assert not house.is_refused(waits)
    assert house.fleet.deadline() == ROOM_PATIENCE
    house.sleep(1)
    error = house.refusal(waits)
    assert error.code == "overloaded"
    assert "--models-in-cache" in error.message


def test_two_models_that_want_room_evict_two_and_no_more() -> None:
    house = House(models_in_cache=3)
    for name in ("a", "b", "c"):
        house.now += 1
        house.load(name)
    house.ask("d")
    house.ask("e")
    house.sleep(2)
    assert [house.state(name) for name in "abc"] == ["draining", "draining", "ready"]


def test_a_request_for_a_draining_model_waits_for_its_next_process() -> None:
    house = House(models_in_cache=1)
    first = house.load("a")
    b = house.ask("b")
    house.now += 1
    a = house.ask("a")
    house.do("exited", first, Exit(0))
    house.make_ready("b")
    assert house.granted()[-1] == b
    house.do("lease_returned", b)
    house.do("exited", house.worker_of("b"), Exit(0))
    house.make_ready("a")
    assert house.granted()[-1] == a


def test_a_worker_that_does_not_stop_is_killed_and_the_place_is_free_only_after_the_reap() -> None:
    house = House(models_in_cache=1)
    house.load("a")
    house.ask("b")
    assert house.fleet.deadline() == STOP_GRACE
    house.sleep(STOP_GRACE)
    assert house.all(KillWorker) == [KillWorker(1)]
    assert house.state("b") == "absent"
    house.sleep(KILL_AGAIN)
    assert house.all(KillWorker) == [KillWorker(1), KillWorker(1)]
    house.do("exited", 1, Exit(-9))
    assert house.state("b") == "loading"
    assert house.state("a") == "absent"


# Time.


def test_an_idle_model_is_unloaded_when_its_ttl_is_over() -> None:
    house = House(ttl=10.0)
    house.load("a")
    assert house.row("a").expires_in == 10.0
    assert house.fleet.deadline() == 10.0
    house.sleep(9.5)
    assert house.state("a") == "ready"
    house.sleep(0.5)
    assert house.state("a") == "draining"
    house.do("exited", 1, Exit(0))
    assert house.rows() == []


def test_a_busy_model_does_not_expire_and_its_idle_time_starts_at_the_return() -> None:
    house = House(ttl=10.0)
    lease = house.ask("a")
    house.make_ready("a")
    house.sleep(100)
    assert house.row("a").expires_in is None
    house.do("lease_returned", lease)
    assert (house.row("a").idle_seconds, house.row("a").expires_in) == (0.0, 10.0)
    house.sleep(9)
    assert house.state("a") == "ready"


def test_a_ttl_of_zero_is_for_ever() -> None:
    house = House(ttl=0.0)
    house.load("a")
    house.sleep(5000)
    assert house.state("a") == "ready"
    assert house.row("a").expires_in is None


# What requests say of how long a model stays.


@pytest.mark.parametrize(
    ("server", "said", "expires_in"),
    [
        (300.0, [None], 300.0),
        (300.0, [60.0], 60.0),
        (300.0, [math.inf], None),
        (0.0, [60.0], 60.0),
        # The last one rules, and saying nothing changes nothing.
        (300.0, [math.inf, 60.0], 60.0),
        (300.0, [60.0, math.inf, None], None),
        (300.0, [60.0, None], 60.0),
    ],
)
def test_the_last_request_that_says_a_ttl_rules(
    server: float, said: list[float | None], expires_in: float | None
) -> None:
    house = House(ttl=server)
    house.load("a")
    for ttl in said:
        house.do("lease_returned", house.ask("a", ttl))
    assert house.row("a").expires_in == expires_in
    if expires_in is not None:
        assert house.fleet.deadline() == expires_in
        house.sleep(expires_in - 1)
        assert house.state("a") == "ready"
        house.sleep(1)
    else:
        house.sleep(5000)
    assert house.state("a") == ("ready" if expires_in is None else "draining")


def test_a_ttl_of_zero_in_a_request_unloads_when_nobody_uses_the_model() -> None:
    house = House()
    house.load("a")
    busy = house.ask("a")
    house.do("lease_returned", house.ask("a", 0.0))
    assert house.state("a") == "ready"
    assert house.do("lease_returned", busy)[-1] == StopWorker(1)
    assert house.state("a") == "draining"


def test_the_ttl_of_a_request_holds_for_the_load_it_waits_for() -> None:
    house = House()
    lease = house.ask("a", math.inf)
    house.make_ready("a")
    house.do("lease_returned", lease)
    assert house.row("a").expires_in is None


def test_what_a_request_said_ends_with_the_load_it_was_for() -> None:
    house = House(ttl=300.0)
    house.load("a")
    house.do("lease_returned", house.ask("a", 0.0))
    house.do("exited", 1, Exit(0))
    house.load("a")
    assert house.row("a").expires_in == 300.0
    # And when the next request comes before the process is gone.
    house.do("lease_returned", house.ask("a", 0.0))
    lease = house.ask("a")
    house.do("exited", 2, Exit(0))
    house.make_ready("a")
    house.do("lease_returned", lease)
    assert house.row("a").expires_in == 300.0


def test_what_a_request_said_outlives_a_crash() -> None:
    house = House()
    house.load("a")
    house.do("lease_returned", house.ask("a", math.inf))
    house.do("exited", 1, Exit(-9))
    lease = house.ask("a")
    house.sleep(1)
    house.make_ready("a")
    house.do("lease_returned", lease)
    assert house.row("a").expires_in is None


def test_a_model_that_stays_for_ever_makes_room_all_the_same() -> None:
    house = House(models_in_cache=1)
    house.load("a")
    house.do("lease_returned", house.ask("a", math.inf))
    house.ask("b")
    assert house.state("a") == "draining"


def test_a_refused_request_changes_no_ttl() -> None:
    house = House(ttl=300.0)
    house.load("a")
    leases = [house.ask("a") for _ in range(SLOTS + QUEUE)]
    assert house.is_refused(house.ask("a", 0.0))
    for lease in leases:
        house.do("lease_returned", lease)
    assert house.row("a").expires_in == 300.0


# Requests that only want a model loaded, or let go.


def test_a_request_for_a_load_waits_for_it_and_one_for_a_loaded_model_does_not() -> None:
    house = House()
    first = house.ask("a", purpose="load")
    assert house.granted() == []
    house.make_ready("a")
    assert house.all(Grant) == [Grant(first, 1)]
    house.do("lease_returned", first)
    again = house.ask("a", purpose="load")
    assert house.all(Grant)[1:] == [Grant(again, None)]
    assert house.row("a").active_streams == 0


def test_a_request_for_a_load_begins_the_models_idle_time_anew() -> None:
    house = House(ttl=10.0)
    house.load("a")
    house.sleep(8)
    house.do("lease_returned", house.ask("a", purpose="load"))
    assert house.row("a").expires_in == 10.0
    house.do("lease_returned", house.ask("a", 60.0, purpose="load"))
    assert house.row("a").expires_in == 60.0


def test_a_full_queue_is_nothing_to_a_request_that_lets_the_model_go() -> None:
    house = House()
    house.load("a")
    leases = [house.ask("a") for _ in range(SLOTS + QUEUE)]
    assert house.is_refused(house.ask("a"))
    unload = house.ask("a", 0.0, purpose="load")
    assert house.granted()[-1] == unload
    assert house.state("a") == "ready"
    for lease in leases:
        house.do("lease_returned", lease)
    assert house.state("a") == "draining"


def test_letting_a_model_go_that_is_not_loaded_loads_nothing() -> None:
    house = House()
    lease = house.ask("a", 0.0, purpose="load")
    assert house.all(Grant) == [Grant(lease, None)]
    assert house.all(Spawn) == []
    assert house.rows() == []
    # What it said was said of nothing.
    house.load("a")
    assert house.row("a").expires_in == 300.0


def test_letting_a_model_go_that_is_being_loaded_ends_it_when_it_was_used() -> None:
    house = House()
    waits = house.ask("a")
    unload = house.ask("a", 0.0, purpose="load")
    assert house.granted() == [unload]
    house.make_ready("a")
    assert house.granted() == [unload, waits]
    house.do("lease_returned", waits)
    assert house.state("a") == "draining"


def test_letting_a_model_go_that_has_failed_is_no_error() -> None:
    house = House()
    house.ask("a")
    house.do("hello", 1)
    house.do("load_failed", 1, ModelFailed("not enough memory"))
    house.do("exited", 1, Exit(4))
    assert house.is_refused(house.ask("a", purpose="load"))
    assert not house.is_refused(house.ask("a", 0.0, purpose="load"))


def test_nothing_can_be_let_go_of_a_model_that_is_not_there() -> None:
    house = House()
    house.do("lease_requested", Claim(99, 0.0, purpose="load"), "nope")
    house.do("unresolved", "nope", NotFound("no such model"))
    assert house.refusal(99).code == "not_found"


def test_what_a_model_cannot_do_starts_no_process_and_others_are_served() -> None:
    house = House()
    lease = next(house.lease)
    house.do("lease_requested", Claim(lease, wants=(Want("embedding"),)), "a")
    house.do("resolved", "a", replace(spec("a"), abilities=("text",)))
    assert house.refusal(lease).code == "invalid_argument"
    assert "it does not make embeddings" in house.refusal(lease).message
    assert house.all(Spawn) == []
    blind, seeing = next(house.lease), next(house.lease)
    image = Want("image", "messages[1].content[0]")
    house.do("lease_requested", Claim(seeing, wants=(Want("text"),)), "a")
    house.do("lease_requested", Claim(blind, wants=(Want("text"), image)), "a")
    house.do("resolved", "a", replace(spec("a"), abilities=("text",)))
    assert house.refusal(blind).param == "messages[1].content[0]"
    house.make_ready("a")
    assert house.granted() == [seeing]


# Batches.


def fitted(slots: int) -> Fitted:
    return replace(FITTED, slots=slots)


@pytest.mark.parametrize(
    ("slots", "interactive", "batches"),
    [
        # How many of five batch requests are granted beside so many interactive ones.
        (1, 0, 1),
        (1, 1, 0),
        (2, 0, 1),
        (2, 1, 0),
        (4, 0, 3),
        (4, 1, 2),
        (4, 2, 1),
        (4, 3, 0),
        (4, 4, 0),
        (4, 5, 0),
    ],
)
def test_batches_leave_a_slot_free(slots: int, interactive: int, batches: int) -> None:
    house = House()
    asked = [house.ask("a") for _ in range(interactive)]
    waiting = [house.ask("a", priority="batch") for _ in range(5)]
    house.do("hello", 1)
    house.do("ready", 1, fitted(slots))
    assert house.granted() == asked + waiting[:batches]
    assert house.row("a").queued == 5 - batches
    for lease in asked:
        house.do("lease_returned", lease)
    assert len(house.granted()) == interactive + max(slots - 1, 1)


def test_an_interactive_request_goes_before_every_batch() -> None:
    house = House()
    batches = [house.ask("timed", priority="batch") for _ in range(2)]
    asked = [house.ask("timed") for _ in range(SLOTS + 1)]
    house.make_ready("timed")
    assert house.granted() == asked[:SLOTS]
    house.do("lease_returned", asked[0])
    assert house.granted() == asked
    house.do("lease_returned", asked[1])
    assert house.granted() == asked
    house.do("lease_returned", asked[2])
    assert house.granted() == [*asked, batches[0]]


def test_batches_take_no_places_of_the_queue_and_have_a_bound_of_their_own() -> None:
    house = House()
    house.load("a")
    for _ in range(MOST_BATCH):
        house.ask("a", priority="batch")
    # One of them runs.
    assert not house.is_refused(house.ask("a", priority="batch"))
    assert "batch" in house.refusal(house.ask("a", priority="batch")).message
    leases = [house.ask("a") for _ in range(SLOTS + QUEUE - 1)]
    assert house.granted()[2:] == leases


@pytest.mark.parametrize("model", ["a", "timed"])
def test_what_needs_no_slot_waits_for_none(model: str) -> None:
    house = House()
    house.load(model)
    asked = [house.ask(model) for _ in range(SLOTS + QUEUE)]
    assert house.is_refused(house.ask(model))
    seen = house.granted()
    looks = [house.ask(model, purpose="inspect") for _ in range(50)]
    assert house.granted() == seen + looks
    # And takes none from those who do.
    house.do("lease_returned", asked[0])
    again = house.ask(model)
    assert not house.is_refused(again)
    assert again in house.granted() or model == "timed"


def test_what_needs_no_slot_waits_for_the_load_and_keeps_the_model() -> None:
    house = House(ttl=10.0)
    look, batch = house.ask("a", purpose="inspect"), house.ask("a", None, "batch", "inspect")
    assert house.granted() == []
    house.make_ready("a")
    assert house.granted() == [look, batch]
    house.sleep(100)
    assert house.state("a") == "ready"
    house.do("lease_returned", look)
    house.do("exited", 1, Exit(-9))
    house.do("lease_returned", batch)
    assert house.row("a").active_streams == 0


def test_a_batch_waits_for_a_slot_and_for_room_as_long_as_it_takes() -> None:
    house = House(models_in_cache=1)
    held = [house.ask("timed") for _ in range(SLOTS)]
    house.make_ready("timed")
    for name in ("timed", "b"):
        house.ask(name, priority="batch")
    house.sleep(10 * ROOM_PATIENCE)
    assert house.all(Refuse) == []
    for lease in held:
        house.do("lease_returned", lease)
    assert house.granted() == [*held, held[-1] + 1]


def test_a_batch_loads_its_model_after_those_that_people_wait_for() -> None:
    house = House(models_in_cache=1)
    held = house.ask("a")
    house.make_ready("a")
    house.ask("b", priority="batch")
    house.ask("c")
    house.do("lease_returned", held)
    house.do("exited", 1, Exit(0))
    assert (house.state("b"), house.state("c")) == ("absent", "loading")


def test_a_batch_keeps_its_model_loaded_and_hears_of_a_failed_load() -> None:
    house = House(ttl=10.0)
    held = [house.ask("a") for _ in range(SLOTS)]
    house.make_ready("a")
    waits = house.ask("a", priority="batch")
    house.sleep(100)
    house.do("exited", 1, Exit(-9))
    house.do("lease_returned", held[0])
    house.sleep(1)
    house.do("load_failed", house.worker_of("a"), InvalidArgument("bad"))
    assert house.refusal(waits).message == "bad"


def test_batches_do_not_hold_up_a_stop() -> None:
    house = House()
    house.load("a")
    running = house.ask("a", priority="batch")
    waiting = house.ask("a", priority="batch")
    house.do("lease_requested", Claim(98, priority="batch"), "c")
    house.do("drain")
    house.do("resolved", "c", spec("c"))
    assert house.refusal(waiting).message == "the server is stopping"
    assert house.is_refused(98)
    assert not house.is_refused(running)


def test_a_beat_that_tells_nothing_leaves_what_the_last_one_told() -> None:
    house = House()
    house.load("a")
    house.do("heartbeat", 1, 5, True, WorkerStats(3, 0, 7.5, 4, 90))
    house.do("heartbeat", 1, 6, True, None)
    assert house.row("a").slots_busy == 3


@pytest.mark.parametrize(
    ("busy", "limit", "word"), [(False, FROZEN_AFTER, "frozen"), (True, STUCK_AFTER, "stuck")]
)
def test_a_worker_without_signs_of_life_is_killed(busy: bool, limit: float, word: str) -> None:
    house = House()
    house.load("a")
    house.do("heartbeat", 1, 5, busy, None)
    for _ in range(int(limit)):
        house.silence(1)
        if busy:
            house.do("heartbeat", 1, 5, busy, None)
    assert house.all(AbortWorker) == []
    house.silence(1)
    if busy:
        # That it is stuck is what its next word says.
        assert house.all(AbortWorker) == []
        house.do("heartbeat", 1, 5, busy, None)
        house.silence(0.1)
    assert house.all(AbortWorker) == [AbortWorker(1)]
    assert house.state("a") == "draining"
    house.do("exited", 1, Exit(-6, stack=("Thread 0x1",)))
    assert word in house.all(TellWorkerLost)[0].cause
    assert house.state("a") == "backoff"
    assert word in (house.row("a").last_exit or "")
    (end,) = house.all(Remember)
    assert (end.outcome, end.exit.stack) == ("killed", ("Thread 0x1",))
    assert word in end.cause
    assert "SIGABRT" in end.cause
    assert house.all(KillWorker) == []


def test_a_worker_that_does_not_end_at_sigabrt_is_killed_and_again() -> None:
    house = House()
    house.load("a")
    house.do("heartbeat", 1, 5, False, None)
    house.silence(FROZEN_AFTER + 1)
    assert house.all(AbortWorker) == [AbortWorker(1)]
    assert house.all(KillWorker) == []
    # What it says meanwhile changes nothing.
    house.do("heartbeat", 1, 6, False, None)
    house.silence(ABORT_GRACE)
    assert house.all(KillWorker) == [KillWorker(1)]
    house.silence(KILL_AGAIN)
    assert house.all(KillWorker) == [KillWorker(1), KillWorker(1)]
    assert house.all(AbortWorker) == [AbortWorker(1)]


def test_limits_are_those_of_the_policy() -> None:
    house = House()
    policy = Policy(3, 300.0, False, limits(5.0))
    house.fleet = Fleet(policy, itertools.count(1).__next__)
    house.load("a")
    house.do("heartbeat", 1, 5, True, None)
    house.silence(5)
    assert house.all(AbortWorker) == []
    house.silence(1)
    assert house.all(AbortWorker) == [AbortWorker(1)]


def test_every_end_of_a_models_process_is_remembered() -> None:
    house = House(ttl=10.0)
    house.now = 5.0
    house.ask("a")
    house.now = 7.0
    house.make_ready("a")
    house.ask("a")
    house.now = 20.0
    house.do("exited", 1, Exit(-11, ("boom",)))
    (crash,) = house.all(Remember)
    assert (crash.model, crash.generation, crash.outcome) == ("a", 1, "crashed")
    assert (crash.started, crash.ready, crash.ended) == (5.0, 7.0, 20.0)
    assert (crash.requests, crash.cause, crash.exit.last_lines) == (2, "SIGSEGV", ("boom",))
    house.sleep(60)
    house.load("b")
    house.sleep(60)
    house.do("exited", house.worker_of("b"), Exit(0))
    unloaded = house.all(Remember)[-1]
    assert (unloaded.outcome, unloaded.requests) == ("unloaded", 0)
    assert "TTL" in unloaded.cause


def test_the_end_of_a_spare_is_in_no_history() -> None:
    house = House(spare=True)
    house.do("tick")
    house.do("exited", 1, Exit(-9))
    assert house.all(Remember) == []


def test_a_load_without_progress_is_killed_and_one_with_progress_is_not() -> None:
    house = House()
    house.ask("a")
    house.ask("b")
    for generation in (1, 2):
        house.do("hello", generation)
    for step in range(100):
        house.do("heartbeat", 1, step, True, None)
        house.do("heartbeat", 2, 0, True, None)
        house.sleep(1)
    assert house.all(AbortWorker)[0] == AbortWorker(2)
    assert house.state("a") == "loading"


def test_a_load_has_a_last_deadline_whatever_progress_it_reports() -> None:
    house = House()
    house.ask("a")
    house.do("hello", 1)
    for step in range(int(LOAD_WITHIN)):
        house.do("heartbeat", 1, step, True, None)
        house.sleep(1)
    assert house.all(AbortWorker) == [AbortWorker(1)]


def test_a_process_that_never_says_hello_is_killed() -> None:
    house = House()
    house.ask("a")
    house.sleep(HELLO_WITHIN)
    assert house.all(AbortWorker) == [AbortWorker(1)]


def test_after_a_standstill_of_the_supervisor_itself_nobody_is_killed() -> None:
    house = House(models_in_cache=9, ttl=0.0)
    house.load("a")
    house.do("heartbeat", 1, 5, True, None)
    house.ask("b")
    house.ask("c")
    house.do("hello", 2)
    house.sleep(1)
    house.now += 10_000
    house.do("tick")
    house.sleep(30)
    assert house.all(KillWorker) == []
    assert house.all(AbortWorker) == []


# Crashes.


def test_a_crash_voids_leases_tells_the_gateway_and_loads_again_after_the_back_off() -> None:
    house = House()
    house.load("a")
    held = house.ask("a")
    house.do("exited", 1, Exit(-9, ("the last line",)))
    (lost,) = house.all(TellWorkerLost)
    assert (lost.generation, lost.model) == (1, "a")
    assert lost.cause == "SIGKILL; its last words: the last line"
    assert house.state("a") == "backoff"
    house.do("lease_returned", held)
    waits = house.ask("a")
    assert house.fleet.deadline() == 1.0
    house.sleep(1)
    assert house.state("a") == "loading"
    house.make_ready("a")
    assert house.granted()[-1] == waits
    row = house.row("a")
    assert (row.restarts, row.last_exit) == (1, "SIGKILL (the last line)")


def test_after_a_crash_nobody_wants_repaired_the_model_is_absent_with_its_cause() -> None:
    house = House()
    house.load("a")
    house.do("exited", 1, Exit(-11))
    house.sleep(1)
    assert (house.state("a"), house.row("a").last_exit) == ("absent", "SIGSEGV")
    assert len(house.all(Spawn)) == 1
    house.ask("a")
    house.make_ready("a")
    assert house.row("a").restarts == 1


def test_waiters_of_a_crashed_load_are_served_by_the_next() -> None:
    house = House()
    lease = house.ask("a")
    house.do("hello", 1)
    house.do("exited", 1, Exit(1))
    assert house.all(TellWorkerLost) == []
    house.sleep(1)
    house.make_ready("a")
    assert house.granted() == [lease]


def test_five_crashes_make_the_model_failed_until_a_probe() -> None:
    house = House()
    waits = house.ask("a")
    for delay in (1, 2, 4, 8):
        house.do("exited", house.worker_of("a"), Exit(1))
        house.sleep(delay)
    house.do("exited", house.worker_of("a"), Exit(1, ("boom",)))
    error = house.refusal(waits)
    assert (error.code, error.retry_after) == ("model_failed", 60.0)
    assert "boom" in error.message
    assert house.state("a") == "failed"
    house.sleep(20)
    error = house.refusal(house.ask("a"))
    assert (error.code, error.retry_after) == ("model_failed", 40.0)
    assert len(house.all(Spawn)) == 5
    house.sleep(40)
    # Nothing by itself: the next request is the probe.
    assert house.state("a") == "failed"
    house.ask("a")
    assert house.state("a") == "loading"
    house.do("exited", house.worker_of("a"), Exit(1))
    assert house.state("a") == "failed"
    assert house.refusal(house.ask("a")).retry_after == 120.0


def test_a_reset_lets_a_failed_model_start_at_once_with_a_clean_slate() -> None:
    house = House()
    house.ask("a")
    for delay in (1, 2, 4, 8, 0):
        house.do("exited", house.worker_of("a"), Exit(1))
        house.sleep(delay)
    assert house.state("a") == "failed"
    house.do("manage", Manage(1, "reset", "a"))
    assert house.state("a") == "absent"
    waits = house.ask("a")
    house.do("exited", house.worker_of("a"), Exit(1))
    assert house.state("a") == "backoff"
    house.sleep(1)
    house.make_ready("a")
    assert house.granted() == [waits]


def test_a_crash_loop_of_one_model_leaves_the_others_alone() -> None:
    house = House()
    house.load("b")
    house.ask("a")
    for delay in (1, 2, 4, 8, 0):
        house.do("exited", house.worker_of("a"), Exit(-11))
        house.sleep(delay)
    assert (house.state("a"), house.state("b")) == ("failed", "ready")


def test_a_file_that_cannot_be_loaded_is_refused_remembered_and_not_counted() -> None:
    house = House()
    waits = house.ask("a")
    house.do("hello", 1)
    bad = InvalidArgument("a: not a GGUF file", param="model")
    house.do("load_failed", 1, bad)
    assert house.refusal(waits) is bad
    early = house.ask("a")
    house.do("exited", 1, Exit(3))
    late = house.ask("a")
    for lease in (early, late):
        assert house.refusal(lease).message == bad.message
    assert len(house.all(Spawn)) == 1
    for _ in range(20):
        house.sleep(REJECTION_LASTS)
        house.ask("a")
        house.do("hello", house.worker_of("a"))
        house.do("load_failed", house.worker_of("a"), bad)
        house.do("exited", house.worker_of("a"), Exit(3))
        assert house.state("a") == "absent"


def test_a_load_that_fails_for_want_of_memory_is_told_at_once_and_counted() -> None:
    house = House()
    waits = house.ask("a")
    house.do("hello", 1)
    house.do("load_failed", 1, ModelFailed("not enough memory"))
    house.do("exited", 1, Exit(4))
    assert house.refusal(waits).message == "not enough memory"
    assert house.state("a") == "backoff"
    assert house.refusal(house.ask("a")).retry_after == 1.0


def test_a_death_in_the_first_decode_is_tried_once_more_without_special_kernels() -> None:
    house = House()
    lease = house.ask("a")
    house.do("hello", 1)
    house.do("load_progress", 1, "first_decode", 0.0)
    house.do("exited", 1, Exit(-4))
    assert house.state("a") == "loading"
    house.do("hello", 2)
    assert house.all(SendLoad)[-1] == SendLoad(2, replace(spec("a"), extra_buffers=False))
    house.do("ready", 2, FITTED)
    assert house.granted() == [lease]
    assert house.row("a").restarts == 1
    assert any("REPACK" in note.event for note in house.all(Note))


def test_what_was_learnt_of_the_special_kernels_outlives_the_process() -> None:
    house = House(ttl=10.0)
    house.do("lease_returned", house.ask("a"))
    house.do("hello", 1)
    house.do("load_progress", 1, "first_decode", 0.0)
    house.do("exited", 1, Exit(-4))
    house.make_ready("a")
    house.sleep(10)
    house.do("exited", 2, Exit(0))
    house.ask("a")
    house.make_ready("a")
    assert not house.all(SendLoad)[-1].spec.extra_buffers


def test_a_second_death_in_the_first_decode_fails_the_model_in_words() -> None:
    house = House()
    lease = house.ask("a")
    for generation in (1, 2):
        house.do("hello", generation)
        house.do("load_progress", generation, "first_decode", 0.0)
        house.do("exited", generation, Exit(-11))
    error = house.refusal(lease)
    assert error.code == "model_failed"
    assert "SIGSEGV in its first decode" in error.message
    assert "kronk doctor" in error.message
    assert house.state("a") == "failed"


def test_messages_of_a_worker_that_is_being_ended_change_nothing() -> None:
    house = House()
    house.ask("a")
    house.do("hello", 1)
    house.do("load_failed", 1, InvalidArgument("bad"))
    house.do("ready", 1, FITTED)
    house.do("load_failed", 1, InvalidArgument("bad"))
    assert house.state("a") == "draining"


# The spare.


def test_a_spare_is_kept_and_a_load_takes_it() -> None:
    house = House(spare=True)
    house.do("tick")
    assert house.fleet.view.spare == 1
    house.do("hello", 1)
    house.ask("a")
    assert house.all(SendLoad) == [SendLoad(1, spec("a"))]
    # Not while the load needs the cores.
    assert house.fleet.view.spare is None
    house.do("ready", 1, FITTED)
    assert house.fleet.view.spare == 2


def test_a_spare_that_is_about_to_say_hello_is_taken_too() -> None:
    house = House(spare=True)
    house.do("tick")
    house.ask("a")
    assert len(house.all(Spawn)) == 1
    house.do("hello", 1)
    assert house.all(SendLoad) == [SendLoad(1, spec("a"))]


def test_two_loads_at_a_time_take_the_spare_and_a_new_process() -> None:
    house = House(spare=True)
    house.do("tick")
    house.ask("a")
    house.ask("b")
    assert len(house.all(Spawn)) == 2
    assert {house.worker_of("a"), house.worker_of("b")} == {1, 2}


def test_spares_that_die_are_replaced_ever_more_slowly() -> None:
    house = House(spare=True)
    house.do("tick")
    for delay in (1, 2, 4, 8, 60):
        spare = house.fleet.view.spare
        assert spare is not None
        house.do("exited", spare, Exit(1))
        assert house.fleet.view.spare is None
        house.sleep(delay)
    assert house.fleet.view.spare == 6


# The end.


def test_draining_serves_those_who_wait_and_refuses_the_rest() -> None:
    house = House(spare=True)
    house.do("tick")
    waits = house.ask("a")
    house.do("drain")
    assert house.refusal(house.ask("a")).code == "overloaded"
    house.make_ready("a")
    assert house.granted() == [waits]
    assert house.fleet.view.spare is None


def test_stopping_refuses_everybody_and_ends_every_worker_even_at_its_load() -> None:
    house = House(spare=True)
    house.load("a")
    loading = house.ask("b")
    house.do("lease_requested", Claim(99), "c")
    house.do("stop")
    assert house.is_refused(loading)
    assert house.is_refused(99)
    assert {stop.generation for stop in house.all(StopWorker)} == {
        spawn.generation for spawn in house.all(Spawn)
    }
    house.sleep(STOP_GRACE)
    assert len(house.all(KillWorker)) == len(house.all(Spawn))
    for spawn in house.all(Spawn):
        house.do("exited", spawn.generation, Exit(-9))
    house.sleep(100)
    assert len(house.all(Spawn)) == len(house.all(StopWorker))


# Everything at once.


class Storm:
    """Random events, and a world that obeys the fleet's actions most of the time."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        ttl, spare = self.chance.choice([0.0, 5.0]), self.chance.random() < 0.5
        self.house = House(models_in_cache=2, ttl=ttl, spare=spare)
        self.alive: set[int] = set()
        self.open: set[int] = set()
        self.batches: set[int] = set()
        self.slotless: set[int] = set()
        self.seen = 0

    def event(self) -> None:
        self.house.now += self.chance.choice([0.0, 0.01, 0.3, 1.0])
        choices = [self.request, self.request, self.give_back, self.report, self.tick]
        rare = [self.die, self.lose_gateway]
        self.chance.choice(rare if self.chance.random() < 0.02 else choices)()
        self.obey()

    def request(self) -> None:
        lease = next(self.house.lease)
        self.open.add(lease)
        priority = self.chance.choice(["interactive", "interactive", "batch"])
        purpose = self.chance.choice(["answer", "answer", "load", "inspect"])
        if purpose != "answer":
            self.slotless.add(lease)
        elif priority == "batch":
            self.batches.add(lease)
        ttl = self.chance.choice([None, None, 0.0, 3.0, math.inf])
        claim = Claim(lease, ttl, priority, purpose)
        self.house.do("lease_requested", claim, self.chance.choice("abcd"))

    def give_back(self) -> None:
        for lease in self.chance.sample(sorted(self.open), min(2, len(self.open))):
            self.open.discard(lease)
            self.house.do("lease_returned", lease)

    def report(self) -> None:
        for generation in self.chance.sample(sorted(self.alive), min(1, len(self.alive))):
            self.house.do("hello", generation)
            if self.chance.random() < 0.1:
                self.house.do("load_failed", generation, InvalidArgument("bad"))
            self.house.do("ready", generation, FITTED)

    def tick(self) -> None:
        self.house.do("tick")

    def die(self) -> None:
        for generation in self.chance.sample(sorted(self.alive), min(1, len(self.alive))):
            self.exit(generation, self.chance.choice([0, 1, 3, -9, -11]))

    def lose_gateway(self) -> None:
        self.open.clear()
        self.house.do("gateway_lost")

    def exit(self, generation: int, code: int) -> None:
        self.alive.discard(generation)
        # Until the fleet knows it, its leases are granted; then they are void.
        held = [lease for lease, by in self.granted().items() if by == generation]
        self.open.difference_update(held)
        self.house.do("exited", generation, Exit(code))

    def granted(self) -> dict[int, int | None]:
        grants = {grant.lease: grant.generation for grant in self.house.all(Grant)}
        return {lease: by for lease, by in grants.items() if lease in self.open}

    def obey(self) -> None:
        while self.seen < len(self.house.done):
            self.seen += 1
            match self.house.done[self.seen - 1]:
                case Resolve(name):
                    self.house.do("resolved", name, spec(name))
                case Spawn(generation):
                    self.alive.add(generation)
                case StopWorker(generation) | KillWorker(generation) | AbortWorker(generation):
                    if generation in self.alive and self.chance.random() < 0.9:
                        self.exit(generation, 0)
                case Refuse(lease, _):
                    assert lease in self.open
                    self.open.discard(lease)
                case Grant(lease, None):
                    assert lease in self.open
                    self.open.discard(lease)
                    self.house.do("lease_returned", lease)

    def check(self) -> None:
        rows = self.house.rows()
        resident = [row for row in rows if row.state in ("loading", "ready", "draining")]
        assert len(resident) <= 2
        assert sum(row.active_streams + row.queued for row in rows) == len(self.open)
        granted = self.granted()
        for row in rows:
            batches = [
                lease for lease in granted.keys() & self.batches if granted[lease] == row.generation
            ]
            assert len(batches) <= SLOTS - 1
            assert (row.generation is not None) == (row in resident)
            slotless = sum(granted.get(lease) == row.generation for lease in self.slotless)
            in_slots = row.active_streams - slotless
            assert in_slots <= SLOTS + QUEUE
            # What waits for a ready model are batches, once the last slot is to stay free.
            # A model that makes way for another one takes nobody.
            makes_way = self.house.fleet._models[row.model].yields
            assert row.state != "ready" or not row.queued or in_slots >= SLOTS - 1 or makes_way
            assert row.state in ("ready", "draining") or not row.active_streams

    def calm_down(self) -> None:
        """Every process does its work and every request ends: nobody may be left waiting."""
        for _ in range(3000):
            self.house.now += 1.0
            for generation in sorted(self.alive):
                self.house.do("hello", generation)
                self.house.do("ready", generation, FITTED)
            self.obey()
            for lease in self.granted():
                self.open.discard(lease)
                self.house.do("lease_returned", lease)
            self.house.do("tick")
            self.obey()


@pytest.mark.parametrize("seed", range(12))
def test_any_sequence_of_events_keeps_the_books_right_and_serves_everybody(seed: int) -> None:
    storm = Storm(seed)
    for _ in range(1000):
        storm.event()
        storm.check()
    storm.calm_down()
    storm.check()
    assert storm.open == set()


def test_the_gateways_word_for_it_reaches_the_model() -> None:
    house = House()
    first = house.ask("a")
    generation = house.make_ready("a")
    child: Any = SimpleNamespace(generation=1)
    for lease, alone in ((101, True), (102, False)):
        request = LeaseRequest(lease, "a", alone=alone)
        house.done += apply(house.fleet, house.now, child, request)
    assert house.granted() == [first]
    house.do("lease_returned", first)
    assert house.granted() == [first, 101]
    # Its process dies of it: it may be asked for again, and the other has its turn.
    house.do("exited", generation, Exit(-11))
    house.sleep(2)
    house.make_ready("a")
    assert house.granted() == [first, 101, 102]
