"""What has changed between two runs, and whether that is more than chance."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from kronk.shared.units import format_bytes

from .figures import METRICS, Metric, Result
from .plan import Cell
from .report import Report, TargetFacts

Verdict = Literal["better", "worse", "noise", "unknown"]

# Student's t, two-sided at 95 %, by degrees of freedom; from then on nearly 2.
_T = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18, 2.16, 2.14, 2.13)
_T_BEYOND = 2.1


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure of one cell, before and after. `change` is a share: 0.1 is 10 % more."""

    target: str
    cell: Cell
    metric: Metric
    before: float
    after: float
    verdict: Verdict

    @property
    def change(self) -> float:
        """Of the figure, whether more is better or not."""
        return self.after / self.before - 1


def differences(before: Report, after: Report) -> list[Difference]:
    """Of each figure that both have, in the order of the later run. Targets are matched by what
    they are, not by their names."""
    identities = {target.name: target.identity for target in before.targets}
    earlier = {(identities[each.target], each.cell): each for each in before.results}
    found: list[Difference] = []
    for target in after.targets:
        for each in after.results:
            known = earlier.get((target.identity, each.cell))
            if each.target == target.name and known is not None:
                found += _of_cell(known, each)
    return found


def other(before: Report, after: Report) -> Iterator[str]:
    """What is no more as it was, beside the figures."""
    if before.kronk != after.kronk:
        yield f"Kronk {before.kronk}, now {after.kronk}"
    if (before.host.name, before.host.cpu) != (after.host.name, after.host.cpu):
        yield f"the machine ({before.host.name}, {before.host.cpu})"
    was = {target.identity: target for target in before.targets}
    for target in after.targets:
        known = was.get(target.identity)
        if known is None:
            continue
        for label, old, new in (
            ("the model's file", known.digest, target.digest),
            ("the model's size", _bytes(known), _bytes(target)),
            ("llama.cpp", known.llama, target.llama),
            ("server", known.server, target.server),
        ):
            if old and new and old != new:
                yield f"{label} of {target.name} ({old[:24]}, now {new[:24]})"


def as_row(difference: Difference) -> dict[str, Any]:
    """As JSON."""
    return {
        "target": difference.target,
        **asdict(difference.cell),
        "metric": difference.metric.name,
        "before": difference.before,
        "after": difference.after,
        "change": difference.change,
        "verdict": difference.verdict,
    }


def verdict(metric: Metric, before: Sequence[float], after: Sequence[float]) -> Verdict:
    """Whether the rounds of two runs differ by more than rounds of one run do: Welch's test, at
    95 %. Unknown where a run has one round, which says nothing about its noise."""
    if min(len(before), len(after)) < 2:
        return "unknown"
    change = statistics.fmean(after) - statistics.fmean(before)
    if abs(change) <= _margin(before, after):
        return "noise"
    return "better" if (change > 0) == metric.is_rate else "worse"


def _margin(before: Sequence[float], after: Sequence[float]) -> float:
    a, b = (statistics.variance(rounds) / len(rounds) for rounds in (before, after))
    if a + b == 0:
        return 0.0
    freedom = (a + b) ** 2 / (a**2 / (len(before) - 1) + b**2 / (len(after) - 1))
    # The margin is a little wider than it must be, as degrees are rounded down.
    place = max(1, math.floor(freedom))
    return (_T[place - 1] if place <= len(_T) else _T_BEYOND) * math.sqrt(a + b)


def _of_cell(before: Result, after: Result) -> list[Difference]:
    found = []
    for metric in METRICS:
        was, now = before.values.get(metric.name), after.values.get(metric.name)
        if not was or now is None:
            continue
        rounds = (_known(each, metric) for each in (before, after))
        found.append(
            Difference(after.target, after.cell, metric, was, now, verdict(metric, *rounds))
        )
    return found


def _known(result: Result, metric: Metric) -> list[float]:
    return [value for value in result.rounds.get(metric.name, ()) if value is not None]


def _bytes(target: TargetFacts) -> str:
    return format_bytes(target.size_bytes) if target.size_bytes is not None else ""
