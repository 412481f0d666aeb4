"""A benchmark for programs: JSON and CSV."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kronk.shared.benchmark.compare import Difference, as_row
from kronk.shared.benchmark.figures import METRICS
from kronk.shared.benchmark.report import Report, to_record
from kronk.shared.errors import InvalidArgument
from kronk.shared.files import write_atomically

_SPREADS = ("ttft", "itl", "seconds")


def check(output: Path | None) -> None:
    """Refuse before anything is measured what could not be written after it."""
    if output is None:
        return
    if output.suffix.lower() not in (".json", ".csv"):
        raise InvalidArgument(
            f"--output: expected a name that ends in .json or .csv, got {output.name!r}",
            param="output",
        )
    if not output.absolute().parent.is_dir():
        raise InvalidArgument(f"--output: there is no folder {output.parent}", param="output")


def write(report: Report, output: Path) -> None:
    """As JSON or CSV, by the suffix."""
    is_csv = output.suffix.lower() == ".csv"
    text = as_csv(report) if is_csv else json.dumps(to_record(report), indent=2) + "\n"
    write_atomically(output, text.encode())


def as_csv(report: Report) -> str:
    """A row for each cell of each target."""
    rows = list(_rows(report))
    text = io.StringIO()
    writer = csv.DictWriter(text, _columns(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def comparison(before: Report, found: list[Difference]) -> dict[str, Any]:
    """As JSON."""
    rows = [as_row(each) for each in found]
    return {"with": before.id, "differences": rows}


def _columns() -> list[str]:
    return [
        "id", "target", "model", "prompt_tokens", "concurrency", "requests", "failed",
        "measured_prompt_tokens", "completion_tokens", "cached_tokens",
        *(metric.name for metric in METRICS[:3]),
        *(f"{name}_{share}" for name in _SPREADS for share in ("p50", "p90", "p99")),
        *(f"{metric.name}_ratio" for metric in METRICS),
    ]  # fmt: skip


def _rows(report: Report) -> Iterator[dict[str, Any]]:
    models = {target.name: target.model for target in report.targets}
    for each in report.results:
        row = {
            "id": report.id,
            "target": each.target,
            "model": models[each.target],
            "prompt_tokens": each.cell.prompt_tokens,
            "concurrency": each.cell.concurrency,
            "requests": each.requests,
            "failed": sum(each.failed.values()),
            "measured_prompt_tokens": each.prompt_tokens,
            "completion_tokens": each.tokens,
            "cached_tokens": each.cached_tokens,
        }
        row |= {metric.name: each.values.get(metric.name) for metric in METRICS[:3]}
        for name in _SPREADS:
            shares = getattr(each, name)
            found = dataclasses.asdict(shares) if shares is not None else {}
            row |= {f"{name}_{share}": value for share, value in found.items()}
        row |= {f"{name}_ratio": value for name, value in (each.ratios or {}).items()}
        yield row
