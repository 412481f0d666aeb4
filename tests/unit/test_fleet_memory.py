"""The fleet under a memory budget: who is loaded, who makes way, and what callers are told."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any, TypeVar

import pytest

from kronk.shared.errors import InsufficientMemory, ModelFailed, Overloaded
from kronk.shared.load_spec import load_spec
from kronk.shared.model_config import parse
from kronk.shared.sizing.facts import Layer, ModelFacts, ModelFiles
from kronk.shared.sizing.learned import Learned
from kronk.shared.sizing.predict import Machine
from kronk.shared.sizing.promise import CACHE_SHARE
from kronk.shared.sizing.shape import Host
from kronk.shared.wire.loading import Fitted, LoadSpec, Taken
from kronk.shared.wire.status import ModelStatus
from kronk.supervisor.actions import (
    Action,
    Grant,
    KillWorker,
    Note,
    Refuse,
    Resolve,
    SendLoad,
    Spawn,
    StopWorker,
)
from kronk.supervisor.admission import FAIR_AFTER
from kronk.supervisor.cause import Exit
from kronk.supervisor.fleet import Fleet, Policy
from kronk.supervisor.leases import Claim
from kronk.supervisor.model import ROOM_PATIENCE
from kronk.supervisor.needs import Needs
from kronk.supervisor.sizes import Sized, Sizes

T = TypeVar("T")
GIB = 2**30
BUDGET = 10 * GIB
FITTED = Fitted(8192, 2, 1, 2, 100, 1000, "llama", "model")
# GiB of the file, by the first letter of the model's name; the process takes less than another.
WEIGHTS = {"s": 1, "m": 4, "n": 5, "l": 8, "x": 20}


class Shelf(Sizes):
    """Models of sizes that their names say."""

    def __init__(self) -> None:
        pass

    def of(self, spec: LoadSpec) -> Sized | None:
        if spec.model.startswith("unknown"):
            return None
        layers = (Layer(keys=1024, values=1024),) * 32
        facts = ModelFacts(
            "llama", layers, WEIGHTS[spec.model[0]] * GIB, 0, 0, (), 32_000, 4096, 32, 11_008
        )
        return Sized(ModelFiles(facts), spec.model)


class House:
    """A fleet with a budget, and a clock that is set by hand."""

    def __init__(self, *, models_in_cache: int = 9, **keys: Any) -> None:
        self.now = 0.0
        self.done: list[Action] = []
        self.keys = {"n_seq_max": 1, "context_window": 1024, "prefix_cache": False} | keys
        self.learned = Learned()
        machine = Machine(Host(2, 16 * GIB))
        needs = Needs(Shelf(), self.learned, machine, {"host": BUDGET})
        policy = Policy(models_in_cache, 300.0, False, budgets={"host": BUDGET})
        self.fleet = Fleet(policy, itertools.count(1).__next__, needs=needs)
        self.lease = itertools.count(1)

    def do(self, event: str, *arguments: Any) -> list[Action]:
        actions = getattr(self.fleet, event)(self.now, *arguments) or []
        self.done += actions
        # What is promised never exceeds the budget, whatever happens.
        assert self.fleet.view.reserved.get("host", 0) <= BUDGET
        return list(actions)

    def all(self, kind: type[T]) -> list[T]:
        return [action for action in self.done if isinstance(action, kind)]

    def spec(self, name: str) -> LoadSpec:
        return load_spec(name, Path(f"/models/{name}.gguf"), parse(self.keys, "test"))

    def ask(self, name: str, **claim: Any) -> int:
        lease = next(self.lease)
        for action in self.do("lease_requested", Claim(lease, **claim), name):
            if isinstance(action, Resolve):
                self.do("resolved", name, self.spec(name))
        return lease

    def row(self, model: str) -> ModelStatus:
        (row,) = [row for row in self.fleet.view.status(self.now, {}) if row.model == model]
        return row

    def ready(self, model: str, taken: Taken | None = None) -> None:
        generation = self.row(model).generation
        self.do("hello", generation)
        self.do("ready", generation, FITTED, taken)

    def load(self, model: str) -> None:
        """One request for the model, served and ended."""
        lease = self.ask(model)
        self.ready(model)
        self.do("lease_returned", lease)

    def reap(self, model: str, exit: Exit | None = None) -> None:
        self.do("exited", self.row(model).generation, exit or Exit(0))

    def pass_time(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now = min(self.now + 1.0, end)
            self.do("tick")

    def granted(self) -> set[int]:
        return {grant.lease for grant in self.all(Grant)}

    def stopping(self) -> int:
        return len(self.all(StopWorker))

    def error(self, lease: int) -> Any:
        return next(refusal.error for refusal in self.all(Refuse) if refusal.lease == lease)


def test_models_are_loaded_together_while_there_is_memory_for_them() -> None:
    house = House()
    for model in ("m1", "m2"):
        house.load(model)
    assert house.stopping() == 0
    assert house.row("m1").state == house.row("m2").state == "ready"
    assert 8 * GIB < house.fleet.view.reserved["host"] < BUDGET


def test_the_next_one_is_loaded_only_when_the_memory_of_the_last_one_is_free() -> None:
    house = House()
    house.load("m1")
    house.now += 1
    house.load("m2")
    house.ask("m3")
    # One of them is enough.
    assert [house.row(model).state for model in ("m1", "m2")] == ["draining", "ready"]
    assert house.row("m3").generation is None
    house.pass_time(3)
    assert house.row("m3").generation is None
    house.reap("m1")
    assert house.row("m3").state == "loading"
    assert house.stopping() == 1


def test_one_large_model_goes_rather_than_several_small_ones() -> None:
    house = House()
    for model in ("s1", "s2", "m1"):
        house.load(model)
        house.now += 1
    house.load("s1")
    house.ask("n1")
    assert house.row("m1").state == "draining"
    assert house.row("s1").state == house.row("s2").state == "ready"


def test_what_never_fits_is_refused_at_once_with_the_numbers_and_what_helps() -> None:
    house = House()
    house.load("s1")
    house.keys["context_window"] = 131_072
    lease = house.ask("m1")
    error = house.error(lease)
    assert isinstance(error, InsufficientMemory)
    assert (error.status, error.param) == (507, "model")
    words = error.message
    assert words.startswith("m1 does not fit: it needs 20 GiB of the 10 GiB that models may take")
    assert "KV cache 16 GiB (1 slot of 131072 tokens)" in words
    assert "--memory-budget" in words
    assert "context_window: " in words
    # Nobody was unloaded for it, and no process was started.
    assert house.row("s1").state == "ready"
    assert len(house.all(Spawn)) == 1
    advised = int(words.split("context_window: ")[1].split(";")[0].split(".")[0])
    assert advised % 256 == 0
    smaller = House(context_window=advised)
    smaller.load("m1")
    larger = House(context_window=advised + 256)
    assert isinstance(larger.error(larger.ask("m1")), InsufficientMemory)


@pytest.mark.parametrize(
    ("model", "keys", "said", "unsaid"),
    [
        ("m1", {"n_seq_max": 8, "context_window": 16_384}, "n_seq_max: 2", "No smaller"),
        (
            "m1",
            {"context_window": 65_536},
            "cache_type_k and cache_type_v: q8_0",
            "n_seq_max: ",
        ),
        ("x1", {}, "smaller quantization", "context_window: "),
    ],
)
def test_only_what_helps_is_advised(
    model: str, keys: dict[str, Any], said: str, unsaid: str
) -> None:
    house = House(**keys)
    message = house.error(house.ask(model)).message
    assert said in message
    assert unsaid not in message


def test_a_model_of_unknown_size_is_left_to_its_worker() -> None:
    house = House()
    house.ask("unknown")
    assert len(house.all(Spawn)) == 1


def test_a_pinned_model_is_never_in_question_and_is_named() -> None:
    house = House(pin=True)
    house.load("l1")
    house.keys["pin"] = False
    error = house.error(house.ask("m1"))
    assert isinstance(error, Overloaded)
    assert "pinned have it: l1" in error.message
    assert house.stopping() == 0


def test_a_wait_for_busy_models_ends_and_says_who_was_in_the_way() -> None:
    house = House()
    busy = house.ask("l1")
    house.ready("l1")
    lease = house.ask("m1")
    house.pass_time(ROOM_PATIENCE + 1)
    error = house.error(lease)
    assert isinstance(error, Overloaded)
    assert "m1" in error.message
    assert "in use are l1 (8.3 GiB)" in error.message
    assert house.row("l1").active_streams == 1
    house.do("lease_returned", busy)


def test_small_models_may_pass_one_that_waits_but_not_for_long() -> None:
    house = House()
    house.ask("m1")
    house.ready("m1")
    large = house.ask("l1")
    house.pass_time(1)
    # There is room for it, and the large one cannot use it yet.
    house.ask("s1")
    assert house.row("s1").state == "loading"
    house.ready("s1")
    house.pass_time(FAIR_AFTER + 1)
    house.ask("s2")
    house.pass_time(1)
    assert house.row("s2").generation is None
    assert large not in house.granted()


def test_who_has_waited_long_enough_gets_the_place_of_a_model_that_is_never_idle() -> None:
    house = House()
    running = house.ask("l1")
    house.ready("l1")
    house.pass_time(FAIR_AFTER)
    wants = house.ask("l2")
    # Requests overlap: the model is never without one.
    for _ in range(int(FAIR_AFTER) + 2):
        following = house.ask("l1")
        house.do("lease_returned", running)
        running = following
        house.pass_time(1)
    assert running not in house.granted()
    assert house.row("l1").state == "draining"
    house.reap("l1")
    # The one that came first, and not the one whose requests wait too now.
    assert house.row("l2").state == "loading"
    house.ready("l2")
    assert wants in house.granted()
    # And then the other one again.
    house.do("lease_returned", wants)
    house.pass_time(1)
    house.reap("l2")
    house.ready("l1")
    assert running in house.granted()


def test_a_model_that_was_just_loaded_serves_whom_it_was_loaded_for() -> None:
    house = House()
    first, second = house.ask("l1"), house.ask("l2")
    house.pass_time(FAIR_AFTER + 5)
    assert house.row("l1").state == "loading"
    house.ready("l1")
    assert first in house.granted()
    assert house.row("l1").state == "ready"
    house.do("lease_returned", first)
    house.reap("l1")
    house.ready("l2")
    assert second in house.granted()


def test_a_batch_displaces_nobody() -> None:
    house = House()
    house.ask("l1")
    house.ready("l1")
    house.ask("l2", priority="batch")
    house.pass_time(3 * FAIR_AFTER)
    later = house.ask("l1")
    assert later in house.granted()


def test_what_was_measured_is_held_and_expected_the_next_time() -> None:
    house = House()
    house.ask("m1")
    before = house.fleet.view.reserved["host"]
    house.ready("m1", Taken(3 * GIB, 2 * GIB, {}, untouched_bytes=GIB // 2))
    assert house.fleet.view.reserved["host"] == 5 * GIB + GIB // 2 != before
    row = house.row("m1")
    assert (row.predicted_bytes, row.measured_bytes) == (5 * GIB + GIB // 2, 5 * GIB)


def test_idle_models_pay_for_one_that_took_more_than_was_expected() -> None:
    house = House()
    house.load("m1")
    house.ask("m2")
    generation = house.row("m2").generation
    house.do("hello", generation)
    actions = house.fleet.ready(house.now, generation, FITTED, Taken(7 * GIB, GIB, {}))
    assert [
        a.fields["reason"] for a in actions if isinstance(a, Note) and "reason" in a.fields
    ] == ["models take more memory than was expected"]
    assert house.row("m1").state == "draining"
    assert house.row("m2").state == "ready"


@pytest.mark.parametrize(
    "exit",
    [
        Exit(-9, out_of_memory="cgroup"),
        Exit(4),
        Exit(-6, ("terminate called after throwing an instance of 'std::bad_alloc'",)),
    ],
)
def test_a_load_that_ran_out_of_memory_gets_more_the_next_time(exit: Exit) -> None:
    house = House()
    house.ask("m1")
    first = house.fleet.view.reserved["host"]
    house.reap("m1", exit)
    house.pass_time(1)
    if house.row("m1").state != "loading":
        # What killed it says all, and was told to those that waited.
        house.pass_time(2)
        house.ask("m1")
    assert house.fleet.view.reserved["host"] == int(first * 1.25)
    # In the end it gets everything there is, and what works is what counts.
    for _ in range(5):
        house.reap("m1", exit)
        house.pass_time(700)
        house.ask("m1")
    assert house.fleet.view.reserved["host"] <= BUDGET


def test_a_worker_that_says_it_has_no_memory_is_answered_with_507() -> None:
    house = House()
    lease = house.ask("m1")
    generation = house.row("m1").generation
    house.do("hello", generation)
    house.do("load_failed", generation, InsufficientMemory("cannot allocate"))
    assert house.error(lease).status == 507
    house.do("load_failed", generation, ModelFailed("again"))


def test_the_cache_has_a_part_of_the_budget_at_most_and_is_told_so() -> None:
    house = House(prefix_cache=True, cache_ram=100 * GIB)
    house.ask("s1")
    generation = house.row("s1").generation
    house.do("hello", generation)
    (sent,) = house.all(SendLoad)
    assert sent.spec.cache.ram_bytes == BUDGET // CACHE_SHARE
    house = House(prefix_cache=True, cache_ram=GIB // 4)
    house.ask("s1")
    house.do("hello", house.row("s1").generation)
    (sent,) = house.all(SendLoad)
    assert sent.spec.cache.ram_bytes == GIB // 4


class Storm:
    """Requests, loads, ends and ticks in any order."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.house = House()
        # Leases that are not returned and not refused.
        self.held: set[int] = set()

    def event(self) -> None:
        self.house.now += self.chance.random() * 2
        steps = [self.ask, self.ask, self.give_back, self.ready, self.tick]
        self.chance.choice(steps)()
        self.held -= {refusal.lease for refusal in self.house.all(Refuse)}

    def ask(self) -> None:
        self.held.add(self.house.ask(self.chance.choice(["s1", "s2", "m1", "m2", "l1", "x1"])))

    def give_back(self, most: int = 1) -> None:
        for lease in sorted(self.held & self.house.granted())[:most]:
            self.held.discard(lease)
            self.house.do("lease_returned", lease)

    def ready(self) -> None:
        for row in self.rows("loading"):
            self.house.ready(row.model)

    def tick(self) -> None:
        self.house.do("tick")
        for row in self.rows("draining"):
            self.house.reap(row.model)

    def rows(self, state: str) -> list[ModelStatus]:
        return [
            row for row in self.house.fleet.view.status(self.house.now, {}) if row.state == state
        ]

    def calm_down(self) -> None:
        """Nothing new comes; what has begun ends."""
        self.house.now += 1
        self.tick()
        self.ready()
        self.give_back(1000)
        self.held -= {refusal.lease for refusal in self.house.all(Refuse)}


@pytest.mark.parametrize("seed", range(8))
def test_whatever_happens_the_books_are_right_and_all_are_served(seed: int) -> None:
    storm = Storm(seed)
    for _ in range(400):
        storm.event()
    for _ in range(400):
        storm.calm_down()
    # Within its patience everybody was served, or told why not.
    assert not storm.held
    assert not storm.house.all(KillWorker)
    errors = [refusal.error for refusal in storm.house.all(Refuse)]
    assert all(isinstance(error, InsufficientMemory | Overloaded) for error in errors)
