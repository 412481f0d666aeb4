"""Random lives of several requests among dying workers: each ends once, and says what is true."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from fakes.exchange_world import JOB, World, finish
from kronk.gateway.exchange import ATTACH_SECONDS, LAST_WORDS_SECONDS
from kronk.gateway.recovery import Policy
from kronk.gateway.run import DELTA_TYPES, Run
from kronk.shared.errors import KronkError, ModelCrashed
from kronk.shared.wire.to_gateway import (
    Accepted,
    Attach,
    Delta,
    Done,
    Finished,
    Granted,
    ReasoningDelta,
    Refused,
    Silent,
    Started,
    WorkerLost,
)
from kronk.shared.wire.to_supervisor import LeaseRequest
from kronk.shared.wire.to_worker import Cancel, Credit, Submit

STEPS = 600


def truth(number: int) -> list[Any]:
    """What a model says to the request that came as this number."""
    said: list[Any] = [Started(0, 3, 0)]
    for token in range(40 + 17 * number):
        kind = ReasoningDelta if token < 10 else Delta
        if token % 7 == 3:
            said.append(Silent(0, 0, (1000 + token,)))
        else:
            said.append(kind(0, 0, f"{number}:{token} é👋 "[: 1 + token % 9], (token,)))
    return [*said, Finished(0, 0, "stop")]


def text(events: list[Any]) -> str:
    """With a mark where the thinking ends."""
    return "".join(
        event.text + ("~" if isinstance(event, ReasoningDelta) else "")
        for event in events
        if isinstance(event, Delta | ReasoningDelta)
    )


class Telling:
    """An attempt in a worker: what it still has to say, and its credit."""

    def __init__(self, worker: int, submit: Submit, said: list[Any]) -> None:
        self.worker = worker
        self.request = submit.request
        self.credit = submit.window
        known = tuple(token for one in said if hasattr(one, "tokens") for token in one.tokens)
        for one in submit.resumed:
            assert one.tokens == known[: len(one.tokens)], "what is known is what was said"
        self.left = [Accepted(0, 3), *said]


class Life:
    """Draws what happens next."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.world = World(Policy(request_crashes=100))
        self.runs: list[Run] = []
        self.heard: dict[Run, list[Any]] = {}
        self.tellings: list[Telling] = []
        self.dead: list[Telling] = []
        self.newest = 10
        self.attached = set[int]()
        self.waiting: list[LeaseRequest] = []
        self.seen = [0, 0]

    def play(self) -> None:
        acts = [self.begin, self.grant, self.die, self.come_back, self.read, self.leave]
        weights = [2, 6, 0.6, 0.2, 10, 0.05]
        for _ in range(STEPS):
            self.look()
            for _ in range(self.rng.randrange(6)):
                self.tell()
            self.rng.choices(acts, weights)[0]()
        while len(self.world.exchange):
            self.look()
            self.grant()
            self.tell()
            self.read()

    def look(self) -> None:
        """What the exchange has asked for since."""
        world = self.world
        asked, told = world.supervisor[self.seen[0] :], world.workers[self.seen[1] :]
        self.seen = [len(world.supervisor), len(world.workers)]
        self.waiting += [one for one in asked if isinstance(one, LeaseRequest)]
        for worker, message in told:
            match message:
                case Submit(request=request):
                    (number,) = [n for n, run in enumerate(self.runs) if run.id == request]
                    if worker == self.newest:
                        self.tellings.append(Telling(worker, message, truth(number)))
                case Credit(request, events):
                    for telling in self.tellings:
                        telling.credit += events if telling.request == request else 0
                case Cancel(request):
                    self.tellings = [one for one in self.tellings if one.request != request]

    def begin(self) -> None:
        if len(self.runs) < 5:
            run = self.world.begin(job=JOB)[1]
            self.runs.append(run)
            self.heard[run] = []

    def grant(self) -> None:
        if self.waiting:
            ask = self.waiting.pop(self.rng.randrange(len(self.waiting)))
            if self.rng.random() < 0.01:
                self.world.exchange.on_control(Refused(ask.lease, "overloaded", "no", None, None))
            else:
                self.world.exchange.on_control(Granted(ask.lease, self.newest))
        if self.newest not in self.attached:
            self.attached.add(self.newest)
            self.world.say(Attach(), worker=self.newest)

    def tell(self) -> None:
        """A worker says the next thing; the dead say what they would have said."""
        everybody = [one for one in (*self.tellings, *self.dead) if one.left]
        if not everybody:
            return
        telling = self.rng.choice(everybody)
        event = telling.left[0]
        if type(event) in DELTA_TYPES:
            if not telling.credit:
                return
            telling.credit -= 1
        del telling.left[0]
        self.world.say(replace(event, request=telling.request), worker=telling.worker)
        if not telling.left and (run := self.run_of(telling.request)) is not None:
            self.world.say(replace(finish(run), request=telling.request), worker=telling.worker)

    def run_of(self, request: int) -> Run | None:
        return next((run for run in self.runs if run.id == request), None)

    def die(self) -> None:
        self.dead += [one for one in self.tellings if one.worker == self.newest]
        self.tellings = []
        self.world.exchange.on_control(WorkerLost(self.newest, "org/tiny", "SIGKILL"))
        self.newest += 1
        self.world.fire(LAST_WORDS_SECONDS)

    def come_back(self) -> None:
        """The worker has lost its connection, and what it was asked."""
        if self.newest in self.attached:
            self.dead += self.tellings
            self.tellings = []
            self.world.say(Attach(), worker=self.newest)

    def read(self) -> None:
        for run in self.runs:
            if self.rng.random() < 0.5:
                self.heard[run] += run.take_now()
                self.world.exchange.repay(run)

    def leave(self) -> None:
        if self.runs:
            self.world.exchange.hang_up(self.rng.choice(self.runs))


@pytest.mark.parametrize("seed", range(25))
def test_every_request_ends_once_and_says_nothing_that_is_not_so(seed: int) -> None:
    life = Life(seed)
    life.play()
    world = life.world
    for number, run in enumerate(life.runs):
        heard = life.heard[run] + run.take_now()
        said = text(truth(number))
        assert said.startswith(text(heard))
        assert [type(one) for one in heard].count(Started) <= 1
        assert [type(one) for one in heard].count(Finished) <= 1
        assert not isinstance(run.ended, ModelCrashed), run.ended
        if isinstance(run.ended, Done):
            assert text(heard) == said
            assert isinstance(heard[-1], Finished)
        else:
            assert isinstance(run.ended, KronkError)
    asked = [one.lease for one in world.asked()]
    assert len(set(asked)) == len(asked)
    assert sorted(world.returned()) == sorted(asked)
    world.fire(ATTACH_SECONDS)
    assert len(world.exchange) == 0


def test_the_random_lives_do_meet_what_they_are_for() -> None:
    ends, attempts = list[bool](), list[int]()
    for seed in range(20):
        life = Life(seed)
        life.play()
        ends += [isinstance(run.ended, Done) for run in life.runs]
        attempts += [run.attempts for run in life.runs]
    assert sum(ends) > len(ends) / 3
    assert max(attempts) > 5
