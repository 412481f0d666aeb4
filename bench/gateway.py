"""What everything but the model costs: the gateway, the wire, and a worker's messages.

    python bench/gateway.py [--seconds 2] [--streams 1,4,8,16,64] [--beside OTHER/.venv/bin/python]

The real gateway, with workers that know their answers (`canned.py`) on the real wire. Costs are CPU
time by thread, so a busy machine distorts them little; latencies are by the clock. With `--beside`
the gateway and the wire of another checkout, found by its interpreter, take turns with ours.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from client import chat
from open_loop import Crowd, Visits
from proc import cpu_by_thread, memory
from report import Ratio, keep, table
from rounds import in_turns, percentile, quotients

# The targets: microseconds a token, milliseconds a request, bytes of all.
TOKEN_MICROSECONDS = 40.0
P50_MS, P99_MS = 1.0, 5.0
GIGABYTE = 1e9
# Of which no answer sees the end.
_LONG = 1_000_000
_MODEL = "canned"
# Of the load that latency is measured at: requests of so many tokens, at so many a second.
_VISIT_TOKENS, _VISIT_RATE = 32, 40
_HALF = 0.5


class World:
    """A gateway and its canned workers, run by one interpreter."""

    def __init__(self, python: str, folder: Path) -> None:
        script = Path(__file__).with_name("canned.py")
        self._process = subprocess.Popen(
            [python, "-P", str(script), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        facts = self._read()
        self.port: int = facts["port"]
        self.gateway: int = facts["gateway"]
        self._worker: int = facts["worker"]

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        facts: dict[str, Any] = json.loads(self._process.stdout.readline())
        return facts

    def order(self, **what: float) -> dict[str, Any]:
        """Tell the workers; returns what they have done so far."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        return self._read()

    def spent(self) -> Spent:
        """So far."""
        done = self.order()
        ours, theirs = cpu_by_thread(self.gateway), cpu_by_thread(self._worker)
        wire = [seconds for side in (ours, theirs) for name, seconds in side.items() if is_io(name)]
        gateway = sum(seconds for name, seconds in ours.items() if not is_io(name))
        # The thread that hears credit, and what the other took to send.
        worker = done["spent"] + theirs.get(Path(sys.executable).name, 0.0)
        return Spent(gateway, sum(wire), worker, done["deltas"], time.monotonic())

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)


def is_io(thread: str) -> bool:
    """Whether it is one of ZeroMQ's."""
    return thread.startswith("ZMQbg")


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of CPU, and tokens, up to a moment."""

    gateway: float
    wire: float
    worker: float
    tokens: int
    at: float

    def since(self, before: Spent) -> Cost:
        tokens = self.tokens - before.tokens
        parts = (
            1e6 * (getattr(self, part) - getattr(before, part)) / tokens
            for part in ("gateway", "wire", "worker")
        )
        seconds = self.at - before.at
        return Cost(*parts, tokens / seconds, (self.gateway - before.gateway) / seconds)


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds of CPU a token, and what it was at; `busy` is the gateway's share of a core."""

    gateway: float
    wire: float
    worker: float
    tokens_per_second: float
    busy: float

    @property
    def whole(self) -> float:
        return self.gateway + self.wire + self.worker


def body(tokens: int, content: str = "Tell me a story.") -> dict[str, Any]:
    return chat(_MODEL, content, tokens)


def streaming(world: World, streams: int, rate: float, seconds: float) -> Cost:
    """What tokens cost while so many streams run, at so many tokens a second each."""
    world.order(rate=rate or 20)
    with contextlib.closing(Crowd(world.port, [body(_LONG)] * streams)) as crowd:
        crowd.until_all_have_begun()
        world.order(rate=rate)
        crowd.read_for(0.2)
        before = world.spent()
        crowd.read_for(seconds)
        return world.spent().since(before)


@dataclass(frozen=True, slots=True)
class Added:
    """Milliseconds that requests took beside what the worker took: to the first token, and to
    the end; and how busy the gateway was with it, as a share of a core."""

    ttft: list[float]
    whole: list[float]
    busy: float


def visited(world: World, per_second: float, seconds: float) -> Added:
    """Short requests that come at their times, however slow others are."""
    visits = Visits(world.port, body(_VISIT_TOKENS, f"{_VISIT_RATE} words"), per_second)
    before = world.spent()
    streams = visits.run(seconds)
    busy = world.spent().since(before).busy
    ttft = [1e3 * one.ttft - one.timings["prefill_ms"] for one in streams]
    whole = [
        1e3 * (one.ended - one.started) - one.timings["prefill_ms"] - one.timings["decode_ms"]
        for one in streams
    ]
    return Added(ttft, whole, busy)


def half_load(world: World, seconds: float) -> Added:
    """At the rate of requests that keeps the gateway half busy."""
    per_second = 20.0
    trial = visited(world, per_second, 2.0)
    return visited(world, per_second * _HALF / trial.busy, seconds)


@dataclass(frozen=True, slots=True)
class Held:
    """Streams that one gateway has at once, and its resident bytes before and with them."""

    streams: int
    before: int
    during: int
    cost: Cost


def held(world: World, streams: int, rate: float, seconds: float) -> Held:
    """All of them get tokens all the time."""
    world.order(rate=rate)
    before, _ = memory(world.gateway)
    with contextlib.closing(Crowd(world.port, [body(_LONG)] * streams)) as crowd:
        crowd.until_all_have_begun()
        began = world.spent()
        crowd.read_for(seconds)
        cost = world.spent().since(began)
        during, _ = memory(world.gateway)
        assert crowd.open == streams, f"{streams - crowd.open} streams were lost"
    return Held(streams, before, during, cost)


@contextlib.contextmanager
def worlds(pythons: dict[str, str]) -> Iterator[dict[str, World]]:
    with contextlib.ExitStack() as stack:
        found = {}
        for name, python in pythons.items():
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kronk-")))
            found[name] = stack.enter_context(contextlib.closing(World(python, folder)))
        yield found


def taken(
    sides: dict[str, World], rounds: int, what: Callable[[World], Any]
) -> dict[str, list[Any]]:
    """What each side did, in turns."""
    return in_turns(rounds, {name: partial(what, world) for name, world in sides.items()}, 0)


def middle(costs: Sequence[Cost], part: str) -> float:
    return statistics.median(getattr(cost, part) for cost in costs)


def costs(sides: dict[str, World], options: argparse.Namespace) -> dict[str, Any]:
    """By number of streams and pace."""
    plan = [(streams, float(options.rate)) for streams in numbers(options.streams)]
    plan += [(streams, 0.0) for streams in numbers(options.flat_out)]
    print(f"CPU microseconds a token   {'gateway':>14}{'wire':>9}{'worker':>9}{'all':>9}")
    found: dict[str, Any] = {}
    for streams, rate in plan:
        pace = f"{rate:g}/s each" if rate else "flat out"
        runs = taken(
            sides, options.rounds, partial(_streaming, streams=streams, rate=rate, options=options)
        )
        found[f"{streams} streams, {pace}"] = runs
        for side, some in runs.items():
            parts = "".join(
                f"{middle(some, part):>9.1f}" for part in ("gateway", "wire", "worker", "whole")
            )
            speed = middle(some, "tokens_per_second")
            print(f"{streams:>3} streams, {pace:<12}{side:<8}{parts}   {speed:7.0f} tokens/s")
    return found


def _streaming(world: World, streams: int, rate: float, options: argparse.Namespace) -> Cost:
    return streaming(world, streams, rate, options.seconds)


def latencies(sides: dict[str, World], options: argparse.Namespace) -> dict[str, list[Added]]:
    """What the gateway adds to a request while it is half busy."""
    runs = taken(sides, options.rounds, lambda world: half_load(world, 2 * options.seconds))
    print("\nadded to a request, ms     first token p50      p99   whole p50      p99   busy")
    for side, some in runs.items():
        ttft, whole = ([x for one in some for x in getattr(one, of)] for of in ("ttft", "whole"))
        figures = [percentile(of, share) for of in (ttft, whole) for share in (0.5, 0.99)]
        busy = statistics.median(one.busy for one in some)
        row = "{:>20.2f}{:>9.2f}{:>12.2f}{:>9.2f}".format(*figures)
        print(f"{len(ttft):>6} requests    {side:<8}{row}   {busy:4.0%}")
    return runs


def crowds(sides: dict[str, World], options: argparse.Namespace) -> dict[str, list[Held]]:
    """How many a gateway holds."""
    runs = taken(sides, 1, lambda world: held(world, options.held, 2.0, 2 * options.seconds))
    print("\nheld at once               RSS, MB   of a stream, KiB   us a token")
    for side, (one,) in runs.items():
        each = (one.during - one.before) / one.streams / 1024
        print(
            f"{one.streams:>6} streams     {side:<8}{one.during / 1e6:>7.0f}{each:>19.0f}"
            f"{one.cost.whole:>13.1f}"
        )
    return runs


def ratios(options: argparse.Namespace) -> list[Ratio]:
    """Our figures next to their targets, and next to the other side's where there is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    pythons = {"ours": sys.executable}
    if options.beside:
        pythons["beside"] = options.beside
    print(f"\nThe gateway and the wire, load average {os.getloadavg()[0]:.2f}\n")
    with worlds(pythons) as sides:
        for world in sides.values():
            streaming(world, 4, 50, 0.5)
        spent = costs(sides, options)
        added = latencies(sides, options)
        crowd = crowds(sides, options)
    rows = [
        Ratio(f"CPU us a token, {name}", [cost.whole for cost in runs["ours"]], at_most=target)
        for name, runs in spent.items()
        for target in (TOKEN_MICROSECONDS,)
    ]
    ours = added["ours"]
    rows += [
        Ratio(
            f"ms added to the first token, p{share * 100:g}",
            [percentile(one.ttft, share) for one in ours],
            at_most=most_ms,
        )
        for share, most_ms in ((0.5, P50_MS), (0.99, P99_MS))
    ]
    rows.append(
        Ratio(
            f"GB of a gateway with {options.held} streams",
            [one.during / GIGABYTE for one in crowd["ours"]],
            at_most=1.0,
        )
    )
    if options.beside:
        rows += [
            Ratio(
                f"CPU a token, ours / beside, {name}",
                quotients(*([cost.whole for cost in runs[side]] for side in ("ours", "beside"))),
            )
            for name, runs in spent.items()
        ]
    keep("gateway", rows, {"costs": _plain(spent), "added": _plain(added), "held": _plain(crowd)})
    return rows


def _plain(runs: Any) -> Any:
    if isinstance(runs, dict):
        return {name: _plain(value) for name, value in runs.items()}
    if isinstance(runs, list):
        return [_plain(value) for value in runs]
    if hasattr(runs, "__slots__"):
        return {name: _plain(getattr(runs, name)) for name in runs.__slots__}
    return runs


def numbers(text: str) -> list[int]:
    """Separated by commas."""
    return [int(part) for part in text.split(",") if part]


def arguments() -> argparse.ArgumentParser:
    """What it can be told."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--streams", default="1,4,8,16,64", help="at a pace (%(default)s)")
    parser.add_argument("--flat-out", default="8,64", help="without one (%(default)s)")
    parser.add_argument("--rate", type=float, default=30, help="tokens a second (%(default)s)")
    parser.add_argument("--held", type=int, default=1000, help="streams at once (%(default)s)")
    parser.add_argument("--beside", help="the interpreter of another checkout")
    return parser


if __name__ == "__main__":
    table(ratios(arguments().parse_args()))
