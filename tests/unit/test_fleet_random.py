"""Ten thousand short lives of a fleet, each a random order of events, bad moments among them: a
TTL that fires as a request comes, an unload during a load, a death in a drain, a lost gateway.

What must hold stands where the action is seen that could break it: every lease and every operator's
question ends exactly once, nothing is granted to a process that ends, a model has one process at a
time, a pinned model leaves only when it is told to, and the counts are right after every event.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from kronk.shared.errors import InvalidArgument, ModelFailed, NotFound
from kronk.shared.load_spec import load_spec
from kronk.shared.model_config import ModelConfig
from kronk.shared.wire.loading import Fitted
from kronk.shared.wire.to_supervisor import Manage, ManageAction
from kronk.shared.wire.values import Priority, Purpose
from kronk.supervisor.actions import (
    AbortWorker,
    Action,
    Grant,
    KillWorker,
    Refuse,
    Resolve,
    SendLoad,
    Spawn,
    StopWorker,
    TellManaged,
    TellWaiting,
    TellWorkerLost,
)
from kronk.supervisor.cause import Exit
from kronk.supervisor.fleet import Fleet, Policy
from kronk.supervisor.leases import Claim

RUNS = 10_000
SLOTS, QUEUE = 2, 1
FITTED = Fitted(1024, SLOTS, QUEUE, 1, 100, 1000, "llama", "model")
TTL = 2.0
CONFIGS = {
    "a": ModelConfig(),
    "b": ModelConfig(ttl=0.0),
    "c": ModelConfig(pin=True, preload=True),
}
SPECS = {name: load_spec(name, Path(f"/{name}.gguf"), it) for name, it in CONFIGS.items()}
# A request may use another name.
NAMES = {"a": "a", "b": "b", "c": "c", "gpt": "a"}
EXITS = (0, 1, -6, -9, -11)


class Life:
    """One fleet, and a world that does what it asks, at its own pace."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        # In half of the lives nothing goes wrong, so nothing may be refused.
        self.is_gentle = seed % 2 == 0
        spare = self.chance.random() < 0.3
        preload = ["c"] if self.chance.random() < 0.3 else []
        policy = Policy(2, TTL, spare)
        self.fleet = Fleet(policy, itertools.count(1).__next__, preload=preload)
        self.now = 0.0
        self.numbers = itertools.count(1)
        self.asked: list[str] = []
        # Open leases, with the process that has them.
        self.open: dict[int, int | None] = {}
        self.asks: dict[int, Manage] = {}
        # Processes that live, with the model each was told to load.
        self.alive: dict[int, str | None] = {}
        self.greeted: set[int] = set()
        self.ready: set[int] = set()
        self.ending: set[int] = set()
        self.rejected: set[int] = set()
        self.pinned = {"c"}
        self.is_draining = False

    # Events.

    def step(self) -> None:
        self.now += self.chance.choice((0.0, 0.0, 0.01, 1.0, TTL))
        usual = (self.request, self.request, self.give_back, self.report, self.report, self.tick)
        rare = (self.manage,) if self.is_gentle else (self.manage, self.die, self.lose_gateway)
        self.chance.choice((*usual, *rare, self.answer, self.exit_one))()

    def request(self) -> None:
        # More than this may find a full queue.
        if self.is_gentle and len(self.open) >= SLOTS:
            return
        lease = next(self.numbers)
        self.open[lease] = None
        purposes: tuple[Purpose, ...] = ("answer", "answer", "load", "inspect")
        priorities: tuple[Priority, ...] = ("interactive", "interactive", "batch")
        claim = Claim(
            lease,
            self.chance.choice((None, None, 0.0, TTL, math.inf)),
            self.chance.choice(priorities),
            self.chance.choice(purposes),
            alone=self.chance.random() < 0.1,
        )
        self.do(self.fleet.lease_requested(self.now, claim, self.chance.choice((*NAMES,))))

    def give_back(self) -> None:
        if self.open:
            # Granted or not: a client may leave at any time.
            lease = self.chance.choice((*self.open,))
            del self.open[lease]
            self.do(self.fleet.lease_returned(self.now, lease))

    def answer(self) -> None:
        if self.asked:
            name = self.asked.pop(0)
            if not self.is_gentle and self.chance.random() < 0.05:
                self.do(self.fleet.unresolved(self.now, name, NotFound("no such model")))
            else:
                self.do(self.fleet.resolved(self.now, name, SPECS[NAMES[name]]))

    def report(self) -> None:
        if not self.alive:
            return
        one = self.chance.choice((*self.alive,))
        if one not in self.greeted:
            self.greeted.add(one)
            self.do(self.fleet.hello(self.now, one))
        elif self.alive[one] is None or one in self.ready:
            self.fleet.heartbeat(self.now, one, 1, False, None)
        elif not self.is_gentle and self.chance.random() < 0.15:
            self.rejected.add(one)
            bad = self.chance.choice((InvalidArgument("bad"), ModelFailed("no memory")))
            self.do(self.fleet.load_failed(self.now, one, bad))
        elif self.chance.random() < 0.3:
            self.do(self.fleet.load_progress(self.now, one, "weights", self.chance.random()))
        else:
            self.get_ready(one)

    def get_ready(self, one: int) -> None:
        self.ready.add(one)
        self.do(self.fleet.ready(self.now, one, FITTED))

    def tick(self) -> None:
        self.do(self.fleet.tick(self.now))

    def manage(self) -> None:
        # In a gentle life an operator does nothing that ends a request.
        gentle: tuple[ManageAction, ...] = ("load", "pin", "unpin", "reset")
        action = self.chance.choice(gentle if self.is_gentle else (*gentle, "unload", "unload"))
        # Two that are pinned would leave no room for others.
        is_pin = action in ("pin", "unpin") and self.is_gentle
        model = "c" if is_pin else self.chance.choice("abc")
        self.manage_one(action, model, force=self.chance.random() < 0.3)

    def manage_one(self, action: ManageAction, model: str, *, force: bool = False) -> None:
        ask = next(self.numbers)
        order = Manage(ask, action, model, force)
        self.asks[ask] = order
        if action == "pin":
            self.pinned.add(model)
        elif action == "unpin":
            self.pinned.discard(model)
        self.do(self.fleet.manage(self.now, order))

    def die(self) -> None:
        if self.alive:
            self.exit(self.chance.choice((*self.alive,)))

    def exit_one(self) -> None:
        """One that was told to end does."""
        if self.ending:
            self.exit(self.chance.choice((*self.ending,)))

    def exit(self, one: int) -> None:
        del self.alive[one]
        self.ready.discard(one)
        self.ending.discard(one)
        held = {lease for lease, by in self.open.items() if by == one}
        self.do(self.fleet.exited(self.now, one, Exit(self.chance.choice(EXITS))))
        # Those that it had ended with it.
        assert not held & self.open.keys()

    def lose_gateway(self) -> None:
        self.open.clear()
        self.asks.clear()
        self.do(self.fleet.gateway_lost(self.now))

    def drain(self) -> None:
        self.is_draining = True
        self.do(self.fleet.drain(self.now))

    # What the fleet wants, and what must hold of it.

    def do(self, actions: list[Action]) -> None:
        for action in actions:
            self.obey(action)
        self.check_counts()

    def obey(self, action: Action) -> None:
        match action:
            case Resolve(name):
                self.asked.append(name)
            case Spawn(one):
                self.alive[one] = None
            case SendLoad(one, spec):
                others = [other for other, model in self.alive.items() if model == spec.model]
                assert not others, "two processes of a model"
                assert one in self.greeted - self.ending
                self.alive[one] = spec.model
            case StopWorker(one) | KillWorker(one) | AbortWorker(one):
                self.on_end(one)
            case Grant(lease, one):
                self.on_grant(lease, one)
            case Refuse(lease, _):
                assert not self.is_gentle, action
                assert self.open.pop(lease, 0) is None, "only what waits is refused, and once"
            case TellWorkerLost(one, _, _, _):
                for lease in [lease for lease, by in self.open.items() if by == one]:
                    del self.open[lease]
            case TellManaged(ask, _, _, _):
                order = self.asks.pop(ask)
                if order.action == "unload":
                    processes = [model for one, model in self.alive.items() if one in self.ready]
                    assert order.model not in processes, "answered before its memory was free"
            case TellWaiting(waiting):
                assert {self.open[lease] for lease in waiting.leases} == {None}

    def on_grant(self, lease: int, one: int | None) -> None:
        assert self.open[lease] is None, "granted twice"
        if one is None:
            # Nothing was to be sent: the gateway returns it at once.
            del self.open[lease]
            self.fleet.lease_returned(self.now, lease)
            return
        assert one in self.ready, "granted to a process that is not ready"
        assert one not in self.ending, "granted to a process that ends"
        model = self.alive[one]
        unloads = [it for it in self.asks.values() if (it.action, it.model) == ("unload", model)]
        assert not unloads, "granted while it is unloaded"
        self.open[lease] = one

    def on_end(self, one: int) -> None:
        model = self.alive[one]
        if one not in self.ending and model in self.pinned and one in self.ready:
            # It may have been asked for by a gateway that is gone by now.
            is_wanted = not self.is_gentle or self.is_draining
            assert is_wanted, f"{model} is pinned"
        self.ending.add(one)

    def check_counts(self) -> None:
        rows = self.fleet.view.status(self.now, {})
        assert sum(row.state in ("loading", "ready", "draining") for row in rows) <= 2
        held: dict[int | None, int] = {}
        for by in self.open.values():
            held[by] = held.get(by, 0) + 1
        for row in rows:
            granted = held.get(row.generation, 0) if row.generation is not None else 0
            assert row.active_streams == granted, row
            assert (row.state == "ready") <= (row.generation in self.ready - self.ending)
            assert row.pinned == (row.model in self.pinned)
        # The others wait for a look-up.
        assert sum(row.queued for row in rows) <= held.get(None, 0)

    def calm_down(self) -> None:
        """The world does all that was asked of it: everybody is served, everything is answered."""
        # Pinned models may be all that there is room for.
        for model in sorted(self.pinned):
            self.manage_one("unpin", model)
        for _ in range(400):
            if not self.open and not self.asks and not self.asked:
                return
            self.now += 1.0
            while self.asked:
                self.answer()
            for one in [one for one in self.alive if one in self.ending]:
                self.exit(one)
            for one in [one for one in self.alive if one not in self.greeted]:
                self.greeted.add(one)
                self.do(self.fleet.hello(self.now, one))
            for one, model in list(self.alive.items()):
                if model is not None and one not in self.ready | self.ending:
                    self.get_ready(one)
            for lease in [lease for lease, by in self.open.items() if by is not None]:
                del self.open[lease]
                self.do(self.fleet.lease_returned(self.now, lease))
            self.tick()
        raise AssertionError(f"left: leases {self.open}, questions {self.asks}")


def live(seed: int, steps: int = 30) -> None:
    life = Life(seed)
    for _ in range(steps):
        life.step()
    if seed % 5 == 0 and not life.is_gentle:
        life.drain()
    life.calm_down()


BATCH = 1000


@pytest.mark.parametrize("first", range(0, RUNS, BATCH))
def test_in_any_order_of_events_every_lease_and_every_question_ends_once(first: int) -> None:
    for seed in range(first, first + BATCH):
        try:
            live(seed)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error


@pytest.mark.parametrize("order", ["request first", "clock first"])
def test_a_request_that_comes_as_the_ttl_fires_is_served(order: str) -> None:
    life = Life(0)
    life.fleet = Fleet(Policy(2, TTL, False), itertools.count(1).__next__)
    first = _ask(life)
    life.answer()
    (one,) = life.alive
    life.greeted.add(one)
    life.do(life.fleet.hello(life.now, one))
    life.get_ready(one)
    assert life.open == {first: one}
    del life.open[first]
    life.do(life.fleet.lease_returned(life.now, first))
    life.now += TTL
    events: list[Callable[[], object]] = [life.tick, lambda: _ask(life)]
    for event in events if order == "clock first" else reversed(events):
        event()
    life.calm_down()


def _ask(life: Life) -> int:
    lease = next(life.numbers)
    life.open[lease] = None
    life.do(life.fleet.lease_requested(life.now, Claim(lease), "a"))
    return lease
