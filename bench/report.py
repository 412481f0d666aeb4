"""What a measurement comes to: ratios beside what they should be, on the screen and on disk."""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Ratio:
    """The figure of a measurement: the median of its rounds' ratios, and its target if any."""

    what: str
    rounds: Sequence[float]
    at_least: float | None = None
    at_most: float | None = None

    @property
    def median(self) -> float:
        """The figure to quote."""
        return statistics.median(self.rounds)

    @property
    def target(self) -> str:
        """In words; empty without one."""
        if self.at_least is not None:
            return f">= {self.at_least:g}"
        return f"<= {self.at_most:g}" if self.at_most is not None else ""

    @property
    def verdict(self) -> str:
        """Whether the target is met; empty without one."""
        if not self.target:
            return ""
        above = self.at_least is None or self.median >= self.at_least
        below = self.at_most is None or self.median <= self.at_most
        return "met" if above and below else "missed"


def head(what: str, model: Path, rounds: int, threads: int) -> None:
    """Say what is measured and how busy the machine is with other things."""
    load = os.getloadavg()[0]
    print(f"\n{what}\n{model.name}: {rounds} rounds, {threads} threads, load average {load:.2f}\n")


def table(ratios: Sequence[Ratio]) -> None:
    """One line for each ratio."""
    width = max(len(one.what) for one in ratios)
    print(f"\n{'ratio':<{width}}  median  (rounds)        target")
    for one in ratios:
        spread = f"{min(one.rounds):.3f} - {max(one.rounds):.3f}"
        line = f"{one.what:<{width}}  {one.median:6.3f}  {spread:<14}  {one.target:<8}"
        print(f"{line}{one.verdict}".rstrip(), flush=True)


def keep(name: str, ratios: Sequence[Ratio], details: dict[str, Any]) -> None:
    """Write it all to `bench/results/`."""
    results = Path(__file__).with_name("results")
    results.mkdir(exist_ok=True)
    path = results / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}.json"
    rows = [
        {"what": one.what, "median": one.median, "rounds": list(one.rounds), "target": one.target}
        for one in ratios
    ]
    load = os.getloadavg()
    path.write_text(json.dumps({"ratios": rows, "load_average": load, **details}, indent=1))
    print(f"\nwritten to {path}", flush=True)
