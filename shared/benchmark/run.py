"""A benchmark from its plan to its report: targets take turns, round by round."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import kronk

from .figures import Result, Round, figures, ratios, result
from .machine import this_host
from .notes import notes
from .plan import Cell, Plan, fitting
from .replies import Failure
from .report import Report, State
from .server import Server, Stopped, Target
from .sizing import Sizer, counters
from .texts import Guess
from .wires import Stop

Phase = Literal["loading", "preparing", "warming up", "measuring"]


@dataclass(frozen=True, slots=True)
class Step:
    """What is being done now. `done` and `total` are rounds of all targets together."""

    phase: Phase
    target: str
    cell: Cell | None
    done: int
    total: int


Progress = Callable[[Step], None]
_Key = tuple[str, Cell]


@dataclass(frozen=True, slots=True)
class Order:
    """Everything that is asked for. Without a seed, prompts are such as never were before."""

    plan: Plan
    targets: tuple[Target, ...]
    preset: str | None = None
    seed: str | None = None
    # Leave out prompts that the first target's context has no room for.
    leave_out_too_long: bool = False
    # Unload the model first, and measure how long the first token takes then.
    cold: bool = False
    # What the run is called; None: by the time when it begins.
    id: str | None = None


class Benchmark:
    """One run. Not for a second time."""

    def __init__(self, order: Order, progress: Progress, stop: Stop) -> None:
        self._order = order
        self._plan = order.plan
        self._seed = order.seed if order.seed is not None else secrets.token_hex(4)
        self._progress = progress
        self._stop = stop
        self._servers = [Server(target, stop) for target in order.targets]
        self._cold: dict[str, float] = {}
        self._counters: list[Server | None] = [None] * len(self._servers)
        self._rounds: dict[_Key, list[Round]] = {}
        # Targets that are gone, and cells that a target refuses.
        self._skipped: set[str | _Key] = set()
        self._said: list[str] = []
        self._done = 0

    def run(self) -> Report:
        """Measure; what was measured by then, when it is stopped. `ServerError` or `NotFound` when
        a target does not serve the model."""
        started, began = time.time(), time.perf_counter()
        state: State = "complete"
        try:
            self._prepare()
            for cell in self._plan.cells():
                self._measure(cell)
        except Stopped:
            state = "incomplete"
        if self._skipped & {target.name for target in self._order.targets}:
            state = "incomplete"
        return self._report(started, time.perf_counter() - began, state)

    def result(self, target: str, cell: Cell) -> Result | None:
        """What a cell has come to so far; None before its first round has."""
        rounds = self._rounds.get((target, cell))
        if not rounds:
            return None
        found, first = result(target, cell, rounds), self._order.targets[0].name
        if target == first:
            return found
        of_first = self._rounds.get((first, cell))
        base = result(first, cell, of_first).rounds if of_first else {}
        return replace(found, ratios=ratios(found.rounds, base))

    def _prepare(self) -> None:
        for server in self._servers:
            self._tell("loading", server)
            self._load(server)
        if self._order.leave_out_too_long and (context := self._servers[0].context) is not None:
            self._plan, left_out = fitting(self._plan, context)
            if left_out:
                sizes = ", ".join(map(str, left_out))
                self._said.append(
                    f"prompts of {sizes} tokens were left out: the model's context has {context}"
                )
        for server in self._servers:
            self._tell("preparing", server)
        self._counters = counters(self._servers)
        self._sizers = [
            Sizer(
                self._plan,
                # The same server may be two targets, and must not know the prompts already.
                f"{self._seed}/{server.target.name}",
                counter,
                server.guess() if counter is None else Guess(),
            )
            for server, counter in zip(self._servers, self._counters, strict=True)
        ]

    def _load(self, server: Server) -> None:
        if self._order.cold:
            server.unload()
        answer = server.load()
        server.introduce()
        if not self._order.cold:
            return
        if server.is_kronk:
            # Its first tokens may be without any text.
            took = answer.ended - answer.started if answer.ttft is None else answer.ttft
            self._cold[server.target.name] = took
        else:
            self._said.append(
                f"{server.target.name} is no Kronk that could be told to unload its model: its "
                "load was not measured"
            )

    def _measure(self, cell: Cell) -> None:
        total = self._plan.warm_up + self._plan.repetitions
        for number in range(total):
            is_warm_up = number < self._plan.warm_up
            turns = list(zip(self._servers, self._sizers, strict=True))
            for server, sizer in turns if number % 2 else reversed(turns):
                name = server.target.name
                if not self._skipped & {name, (name, cell)}:
                    self._tell("warming up" if is_warm_up else "measuring", server, cell)
                    prompts = sizer.prompts(cell, str(number))
                    self._turn(server, cell, prompts, is_warm_up=is_warm_up)
                self._done += 1

    def _turn(self, server: Server, cell: Cell, prompts: list[str], *, is_warm_up: bool) -> None:
        name = server.target.name
        replies, cost = server.chats(prompts, self._plan.max_tokens)
        done = figures(replies, cost.share)
        is_lost = bool(done.failures) and not done.ttft
        if is_lost and all(failure.is_final for failure in done.failures):
            self._skipped.add((name, cell))
        elif is_lost and all(_is_gone(failure) for failure in done.failures):
            self._skipped.add(name)
            self._said.append(f"{name} went away: {done.failures[0].message}")
        elif is_warm_up:
            return
        self._rounds.setdefault((name, cell), []).append(done)

    def _tell(self, phase: Phase, server: Server, cell: Cell | None = None) -> None:
        total = self._plan.rounds * len(self._servers)
        self._progress(Step(phase, server.target.name, cell, self._done, total))

    def _report(self, started: float, took: float, state: State) -> Report:
        results = self._results()
        targets = tuple(
            server.facts(
                is_exact=counter is server, cold_seconds=self._cold.get(server.target.name)
            )
            for server, counter in zip(self._servers, self._counters, strict=True)
        )
        return Report(
            self._order.id or new_id(started),
            started,
            took,
            kronk.__version__,
            state,
            self._plan,
            self._seed,
            this_host(),
            targets,
            tuple(results),
            preset=self._order.preset,
            notes=(*self._said, *notes(self._plan, targets, results)),
        )

    def _results(self) -> list[Result]:
        pairs = ((target, cell) for cell in self._plan.cells() for target in self._order.targets)
        found = (self.result(target.name, cell) for target, cell in pairs)
        return [each for each in found if each is not None]


def new_id(started: float) -> str:
    """Of a run that began then, in UTC, to the second; two letters more keep two apart."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(started))}-{secrets.token_hex(2)}"


def _is_gone(failure: Failure) -> bool:
    return failure.code == "connection"


def measured(
    order: Order, progress: Progress = lambda step: None, stop: Stop = lambda: False
) -> Report:
    """Run a benchmark."""
    return Benchmark(order, progress, stop).run()
