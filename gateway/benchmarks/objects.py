"""Runs as the API tells them, and the schemas of the answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from kronk.gateway.dialects.schemas import (
    COUNT,
    NUMBER,
    TEXT,
    TRUTH,
    Schema,
    array,
    closed,
    listed,
    nullable,
)
from kronk.shared.benchmark.compare import as_row, differences, other
from kronk.shared.benchmark.plan import Plan
from kronk.shared.benchmark.report import Report, to_record

from .records import Run, State

_NO = nullable(TEXT)
_PLAN = closed(
    {
        "prompt_sizes": array(COUNT),
        "concurrency": array(COUNT),
        "max_tokens": COUNT,
        "shared_prefix": COUNT,
        "repetitions": COUNT,
        "warm_up": COUNT,
    }
)
_STEP = closed(
    {
        "phase": TEXT,
        "target": TEXT,
        "cell": nullable(closed({"prompt_tokens": COUNT, "concurrency": COUNT})),
        "done": COUNT,
        "total": COUNT,
    }
)
_SUMMARY: dict[str, Schema] = {
    "object": {"const": "kronk.benchmark.run"},
    "id": TEXT,
    "state": {"enum": [state.value for state in State]},
    "model": TEXT,
    "url": _NO,
    "targets": array(TEXT),
    "preset": _NO,
    "plan": _PLAN,
    "cold": TRUTH,
    "created": NUMBER,
    "ended": nullable(NUMBER),
    "progress": nullable(_STEP),
    "error": nullable(closed({"code": TEXT, "message": TEXT})),
    "failures": COUNT,
    "tokens_per_second": nullable(NUMBER),
}
SUMMARY = closed(_SUMMARY)
RUN = closed(
    {
        **_SUMMARY,
        "seed": _NO,
        "kronk": _NO,
        # The latest one before it that asked the same of the same.
        "previous": _NO,
        "host": nullable({"type": "object"}),
        "measured": array({"type": "object"}),
        "results": array({"type": "object"}),
        "notes": array(TEXT),
    }
)
DELETED = closed(
    {"id": TEXT, "object": {"const": "kronk.benchmark.run"}, "deleted": {"const": True}}
)
PRESETS = listed(
    closed({"name": TEXT, "plan": _PLAN, "requests": COUNT}),
    limits={"type": "object", "additionalProperties": COUNT},
)
_DIFFERENCE = closed(
    {
        "target": TEXT,
        "prompt_tokens": COUNT,
        "concurrency": COUNT,
        "metric": TEXT,
        "before": NUMBER,
        "after": NUMBER,
        "change": NUMBER,
        "verdict": {"enum": ["better", "worse", "noise", "unknown"]},
    }
)
COMPARISON = closed(
    {
        "object": {"const": "kronk.benchmark.comparison"},
        "runs": array(SUMMARY),
        "comparisons": array(
            closed(
                {"id": TEXT, "with": TEXT, "differences": array(_DIFFERENCE), "other": array(TEXT)}
            )
        ),
    }
)
STATISTICS = closed(
    {
        "object": {"const": "kronk.benchmark.statistics"},
        "runs": COUNT,
        "running": _NO,
        "requests": COUNT,
        "failures": COUNT,
        "tokens": COUNT,
        "models": array(
            closed(
                {
                    "model": TEXT,
                    "runs": COUNT,
                    "last": NUMBER,
                    "best": nullable(closed({"id": TEXT, "tokens_per_second": NUMBER})),
                }
            )
        ),
    }
)


def of_run(run: Run) -> dict[str, Any]:
    """One that has no report, or not yet."""
    progress = None if run.step is None or run.state is not State.RUNNING else dict(run.step)
    return _summary(run.id, run.state, run.model, run.plan) | {
        "url": run.url,
        "targets": [],
        "preset": run.preset,
        "cold": run.cold,
        "created": run.created,
        "ended": run.ended,
        "progress": progress,
        "error": None if run.error is None else asdict(run.error),
        "tokens_per_second": _best(each["values"] for each in run.results),
        "failures": sum(sum(each["failed"].values()) for each in run.results),
    }


def of_report(report: Report) -> dict[str, Any]:
    """One that was measured, here or by a command."""
    first = report.targets[0]
    return _summary(report.id, State(report.state), first.model, report.plan) | {
        "url": first.url,
        "targets": [target.name for target in report.targets],
        "preset": report.preset,
        "cold": any(target.cold_seconds is not None for target in report.targets),
        "created": report.started,
        "ended": report.started + report.took,
        "progress": None,
        "error": None,
        "tokens_per_second": _best(each.values for each in report.results),
        "failures": report.failures,
    }


def whole_run(run: Run) -> dict[str, Any]:
    """With all that is known of it so far."""
    known: dict[str, Any] = {"seed": None, "kronk": None, "previous": None, "host": None}
    known |= {"measured": [], "notes": []}
    return of_run(run) | known | {"results": [dict(each) for each in run.results]}


def whole_report(report: Report, before: str | None) -> dict[str, Any]:
    """With all figures, and the id of the run that it is best compared with."""
    record = to_record(report)
    told = {name: record[name] for name in ("seed", "kronk", "host", "results", "notes")}
    return of_report(report) | told | {"measured": record["targets"], "previous": before}


def comparison_object(reports: Sequence[Report]) -> dict[str, Any]:
    """Each with the first."""
    first, *others = reports
    return {
        "object": "kronk.benchmark.comparison",
        "runs": [of_report(report) for report in reports],
        "comparisons": [_compared(first, report) for report in others],
    }


def statistics_object(reports: Sequence[Report], running: str | None) -> dict[str, Any]:
    """Of all that were measured, the latest first."""
    by_model: dict[str, list[Report]] = {}
    for report in reports:
        by_model.setdefault(report.targets[0].model, []).append(report)
    results = [result for report in reports for result in report.results]
    return {
        "object": "kronk.benchmark.statistics",
        "runs": len(reports),
        "running": running,
        "requests": sum(result.requests for result in results),
        "failures": sum(report.failures for report in reports),
        "tokens": sum(result.tokens for result in results),
        "models": [_of_model(model, own) for model, own in by_model.items()],
    }


def _summary(run_id: str, state: State, model: str, plan: Plan) -> dict[str, Any]:
    return {
        "object": "kronk.benchmark.run",
        "id": run_id,
        "state": state.value,
        "model": model,
        "plan": asdict(plan),
    }


def _best(values: Iterable[Mapping[str, float]]) -> float | None:
    return max((each.get("tokens_per_second", 0.0) for each in values), default=None)


def _compared(before: Report, after: Report) -> dict[str, Any]:
    unlike = list(other(before, after))
    was, now = before.targets[0], after.targets[0]
    if len(before.targets) == len(after.targets) == 1 and was.identity != now.identity:
        # Two models side by side are what many want to know, and `other` says that they are two.
        unlike = [f"measured was {_place(was.model, was.url)}, now {_place(now.model, now.url)}"]
        alike = replace(was, model=now.model, url=now.url)
        before = replace(before, targets=(alike,))
    return {
        "id": after.id,
        "with": before.id,
        "differences": [as_row(each) for each in differences(before, after)],
        "other": unlike,
    }


def _place(model: str, url: str | None) -> str:
    return model if url is None else f"{model} at {url}"


def _of_model(model: str, reports: Sequence[Report]) -> dict[str, Any]:
    speeds = [(_best(each.values for each in report.results), report.id) for report in reports]
    known = [(speed, run_id) for speed, run_id in speeds if speed]
    best = max(known, default=None)
    return {
        "model": model,
        "runs": len(reports),
        "last": reports[0].started,
        "best": None if best is None else {"tokens_per_second": best[0], "id": best[1]},
    }
