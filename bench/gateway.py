"""What everything but the model costs: the gateway, the wire, and a worker's messages.

    python bench/gateway.py [--seconds 2] [--streams 1,4,8,16,64] [--beside OTHER/.venv/bin/python]

The real gateway, with workers that know their answers (`canned.py`) on the real wire. Costs are CPU
time by thread, so a busy machine distorts them little; latencies are by the clock. With `--beside`
the gateway and the wire of another checkout, found by its interpreter, take turns with ours.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from canned_world import Cost, World, worlds
from client import chat
from open_loop import Crowd, Visits
from proc import memory
from report import Ratio, keep, table
from rounds import in_turns, percentile, quotients

# The targets: microseconds a token, milliseconds a request, memory of all.
TOKEN_MICROSECONDS = 40.0
P50_MS, P99_MS = 1.0, 5.0
GIGABYTE, MOST_GIGABYTES = 1e9, 1.0
# Of which no answer sees the end.
_LONG = 1_000_000
_MODEL = "canned"
# Of the load that latency is measured at: requests of so many tokens, at so many a second.
_VISIT_TOKENS, _VISIT_RATE = 32, 40
_HALF = 0.5
# Requests a second that hardly meet.
_ALONE = 25.0
_SETTLE_SECONDS = 0.5


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
    the end; and what they cost."""

    ttft: list[float]
    whole: list[float]
    cost: Cost


def visited(world: World, tokens: int, per_second: float, seconds: float) -> Added:
    """Short requests that come at their times, however slow others are."""
    visits = Visits(world.port, body(tokens, f"{_VISIT_RATE} words"), per_second)
    # Whoever was hung up on has been forgotten by then.
    time.sleep(_SETTLE_SECONDS)
    before = world.spent()
    streams = visits.run(seconds)
    cost = world.spent().since(before)
    ttft = [1e3 * one.ttft - one.timings["prefill_ms"] for one in streams]
    whole = [
        1e3 * (one.ended - one.started) - one.timings["prefill_ms"] - one.timings["decode_ms"]
        for one in streams
    ]
    return Added(ttft, whole, cost)


def half_load(world: World, seconds: float) -> Added:
    """At the rate of requests that keeps the gateway half busy."""
    per_second = 20.0
    trial = visited(world, _VISIT_TOKENS, per_second, 2.0)
    return visited(world, _VISIT_TOKENS, per_second * _HALF / trial.cost.busy, seconds)


def one_by_one(world: World, seconds: float) -> Added:
    """Of one token, and hardly ever two at once: what a token costs here is what a request does."""
    return visited(world, 1, _ALONE, seconds)


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
            core = 1e6 / middle(some, "gateway")
            print(f"{streams:>3} streams, {pace:<12}{side:<8}{parts}   {core:7.0f} a core's second")
    return found


def _streaming(world: World, streams: int, rate: float, options: argparse.Namespace) -> Cost:
    return streaming(world, streams, rate, options.seconds)


def latencies(sides: dict[str, World], options: argparse.Namespace) -> dict[str, Any]:
    """What the gateway adds to a request: to one that comes alone, and while it is half busy."""
    print("\nadded to a request, ms     first token p50      p99   whole p50      p99   busy")
    loads = {"alone": one_by_one, "at half load": half_load}
    found = {}
    for load, measure in loads.items():
        runs = taken(sides, options.rounds, partial(measure, seconds=2 * options.seconds))
        found[load] = runs
        for side, some in runs.items():
            ttft, whole = (
                [x for one in some for x in getattr(one, of)] for of in ("ttft", "whole")
            )
            figures = [percentile(of, share) for of in (ttft, whole) for share in (0.5, 0.99)]
            row = "{:>16.2f}{:>9.2f}{:>12.2f}{:>9.2f}".format(*figures)
            spent = [one.cost for one in some]
            print(f"{len(ttft):>5} {load:<14}{side:<8}{row}   {middle(spent, 'busy'):4.0%}")
    for side, some in found["alone"].items():
        spent = [one.cost for one in some]
        print(f"CPU of a request, gateway {side:<8}{middle(spent, 'gateway'):>8.0f} us")
    return found


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
    pythons = {"ours": sys.executable} | ({"beside": options.beside} if options.beside else {})
    print(f"\nThe gateway and the wire, load average {os.getloadavg()[0]:.2f}\n")
    with worlds(pythons) as sides:
        for world in sides.values():
            streaming(world, 4, 50, 0.5)
        spent = costs(sides, options)
        added = latencies(sides, options)
        crowd = crowds(sides, options)
    rows = targets(spent, added, crowd)
    if options.beside:
        rows += comparisons(spent, added)
    keep("gateway", rows, {"costs": _plain(spent), "added": _plain(added), "held": _plain(crowd)})
    return rows


def targets(spent: dict[str, Any], added: dict[str, Any], crowd: dict[str, Any]) -> list[Ratio]:
    """Ours, next to what they should be."""
    rows = [
        Ratio(
            f"CPU us a token, {name}",
            [cost.whole for cost in runs["ours"]],
            at_most=TOKEN_MICROSECONDS,
        )
        for name, runs in spent.items()
    ]
    for load, runs in added.items():
        for share, most in ((0.5, P50_MS), (0.99, P99_MS)):
            rounds = [percentile(one.ttft, share) for one in runs["ours"]]
            what = f"ms to the first token {load}, p{share * 100:g}"
            rows.append(Ratio(what, rounds, at_most=most))
    (one,) = crowd["ours"]
    rows.append(
        Ratio(f"GB with {one.streams} streams", [one.during / GIGABYTE], at_most=MOST_GIGABYTES)
    )
    return rows


def comparisons(spent: dict[str, Any], added: dict[str, Any]) -> list[Ratio]:
    """Ours / the other side's."""
    rows = [
        Ratio(
            f"CPU a token, ours / beside, {name}",
            quotients(*([cost.whole for cost in runs[side]] for side in ("ours", "beside"))),
        )
        for name, runs in spent.items()
    ]
    alone = [[one.cost.gateway for one in added["alone"][side]] for side in ("ours", "beside")]
    return [*rows, Ratio("CPU a request, ours / beside, gateway", quotients(*alone))]


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
