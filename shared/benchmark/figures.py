"""What answers come to: rates, waits, and how they are spread."""

from __future__ import annotations

import itertools
import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .plan import Cell
from .replies import Failure, Reply

# A figure of a round by its name. Rates are per second, times are seconds.
Values = dict[str, float]


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure that each round has; of a rate more is better, of a time less."""

    name: str
    label: str
    unit: str
    is_rate: bool


METRICS = (
    Metric("tokens_per_second", "tokens/s", "tok/s", is_rate=True),
    Metric("stream_tokens_per_second", "tokens/s of a stream", "tok/s", is_rate=True),
    Metric("prompt_tokens_per_second", "prompt tokens/s", "tok/s", is_rate=True),
    Metric("ttft", "first token", "s", is_rate=False),
    Metric("itl", "between tokens", "s", is_rate=False),
    Metric("seconds", "whole answer", "s", is_rate=False),
)


@dataclass(frozen=True, slots=True)
class Round:
    """What one round came to: all streams of a cell, once, on one target."""

    values: Values
    ttft: tuple[float, ...] = ()
    itl: tuple[float, ...] = field(default=(), repr=False)
    seconds: tuple[float, ...] = ()
    prompt_tokens: tuple[int, ...] = ()
    tokens: int = 0
    cached_tokens: int | None = None
    failures: tuple[Failure, ...] = ()
    # Of a core, that measuring took.
    client_share: float = 0.0
    # The server counts tokens; else pieces are what is counted.
    is_exact: bool = True


@dataclass(frozen=True, slots=True)
class Spread:
    """Of all requests of a cell, in seconds."""

    p50: float
    p90: float
    p99: float


@dataclass(frozen=True, slots=True)
class Result:
    """What a cell came to on one target. JSON of it is kept and printed."""

    target: str
    cell: Cell
    requests: int
    # Requests that failed, by the code of the failure, and what was said of the first of each.
    failed: dict[str, int]
    messages: dict[str, str]
    # The median prompt as the server counted it; None where it does not.
    prompt_tokens: int | None
    tokens: int
    cached_tokens: int | None
    # The median round's.
    values: Values
    # Each figure's, round by round.
    rounds: dict[str, list[float | None]]
    ttft: Spread | None
    itl: Spread | None
    seconds: Spread | None
    client_share: float
    is_exact: bool
    # The median of the rounds' ratios to the first target.
    ratios: Values | None = None


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which that share of the values lies, between the two nearest."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def spread(values: Sequence[float]) -> Spread | None:
    """None of nothing."""
    if not values:
        return None
    return Spread(*(percentile(values, share) for share in (0.5, 0.9, 0.99)))


def figures(replies: Sequence[Reply], client_share: float = 0.0) -> Round:
    """What the answers of one round came to. Those that failed count as failures alone: half an
    answer is no answer, and a fast one if it is short."""
    good = [each for each in replies if each.failure is None and each.pieces]
    failures = tuple(map(_failure, (each for each in replies if each not in good)))
    cached = [each.cached_tokens for each in good if each.cached_tokens is not None]
    gaps = [b - a for each in good for a, b in itertools.pairwise(each.pieces)]
    return Round(
        _values(good, gaps) if good else {},
        tuple(each.pieces[0] - each.started for each in good),
        tuple(gaps),
        tuple(each.ended - each.started for each in good),
        tuple(each.prompt_tokens for each in good if each.prompt_tokens is not None),
        sum(each.tokens for each in good),
        sum(cached) if cached else None,
        failures,
        client_share,
        is_exact=all(each.completion_tokens is not None for each in good),
    )


def _failure(each: Reply) -> Failure:
    return each.failure or Failure("empty", "an answer without any text")


def _values(good: Sequence[Reply], gaps: Sequence[float]) -> Values:
    began = min(each.started for each in good)
    took = max(each.pieces[-1] for each in good) - began
    reading = max(each.pieces[0] for each in good) - began
    # What a cache had needed no reading.
    counts = [(each.prompt_tokens, each.cached_tokens or 0) for each in good]
    read = [prompt - cached for prompt, cached in counts if prompt is not None]
    speeds = [
        (each.tokens - 1) / (each.pieces[-1] - each.pieces[0])
        for each in good
        if each.pieces[-1] > each.pieces[0] and each.tokens > 1
    ]
    found = {
        "tokens_per_second": _rate(sum(each.tokens for each in good), took),
        "stream_tokens_per_second": statistics.median(speeds) if speeds else None,
        "prompt_tokens_per_second": _rate(sum(read), reading) if any(read) else None,
        "ttft": statistics.median(each.pieces[0] - each.started for each in good),
        "itl": statistics.median(gaps) if gaps else None,
        "seconds": statistics.median(each.ended - each.started for each in good),
    }
    return {name: value for name, value in found.items() if value is not None}


def _rate(count: int, seconds: float) -> float | None:
    return count / seconds if seconds > 0 else None


def result(target: str, cell: Cell, rounds: Sequence[Round]) -> Result:
    """What all rounds of a cell came to together."""
    failures = [failure for each in rounds for failure in each.failures]
    counted = [tokens for each in rounds for tokens in each.prompt_tokens]
    cached = [each.cached_tokens for each in rounds if each.cached_tokens is not None]
    by_round = {
        metric.name: [each.values.get(metric.name) for each in rounds] for metric in METRICS
    }
    return Result(
        target,
        cell,
        requests=sum(len(each.ttft) + len(each.failures) for each in rounds),
        failed=dict(Counter(failure.code for failure in failures)),
        messages={failure.code: failure.message for failure in reversed(failures)},
        prompt_tokens=round(statistics.median(counted)) if counted else None,
        tokens=sum(each.tokens for each in rounds),
        cached_tokens=sum(cached) if cached else None,
        values=_medians(by_round),
        rounds=by_round,
        ttft=spread([value for each in rounds for value in each.ttft]),
        itl=spread([value for each in rounds for value in each.itl]),
        seconds=spread([value for each in rounds for value in each.seconds]),
        client_share=max((each.client_share for each in rounds), default=0.0),
        is_exact=all(each.is_exact for each in rounds),
    )


def ratios(of: Mapping[str, Sequence[float | None]], to: Mapping[str, Sequence[Any]]) -> Values:
    """Of two targets' rounds that took turns: the median of each figure's ratios, round by round,
    so that a machine whose speed drifts is the same machine for both."""
    pairs = {
        name: [a / b for a, b in zip(values, to.get(name, ()), strict=False) if a and b]
        for name, values in of.items()
    }
    return {name: statistics.median(found) for name, found in pairs.items() if found}


def _medians(by_round: Mapping[str, Sequence[float | None]]) -> Values:
    known = {
        name: [value for value in values if value is not None] for name, values in by_round.items()
    }
    return {name: statistics.median(values) for name, values in known.items() if values}
