"""What each fault test measured, kept in a file, and the table of all of them."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

RESULTS = Path(os.environ.get("KRONK_FAULT_RESULTS", Path(__file__).parents[2] / "build/faults"))
# Set by the tests' own configuration: pytest's report gets the figures, too.
REPORT: list[Callable[[str, object], None]] = []


@dataclass(frozen=True, slots=True)
class Row:
    """One fault in one place. `held` says how it went, `figures` what was measured."""

    fault: str
    where: str
    held: str
    figures: dict[str, float]


def record(row: Row) -> None:
    """Keep the row, in place of an earlier one of the same fault and place."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    with (RESULTS / "matrix.jsonl").open("a") as file:
        file.write(json.dumps(dataclasses.asdict(row)) + "\n")
    for report in REPORT:
        for name, value in row.figures.items():
            report(f"{row.fault}, {row.where}: {name}", value)


def rows() -> list[Row]:
    """The latest of each fault and place, in the order they were first seen."""
    path = RESULTS / "matrix.jsonl"
    if not path.exists():
        return []
    latest = {}
    for line in path.read_text().splitlines():
        row = Row(**json.loads(line))
        latest[row.fault, row.where] = row
    return list(latest.values())


def table(found: Iterable[Row]) -> str:
    """As Markdown."""
    lines = ["| fault | where | what held | measured |", "| --- | --- | --- | --- |"]
    for row in found:
        figures = "; ".join(f"{name} {value:g}" for name, value in row.figures.items())
        lines.append(f"| {row.fault} | {row.where} | {row.held} | {figures or '-'} |")
    return "\n".join(lines)
