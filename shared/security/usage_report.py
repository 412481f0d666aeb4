"""What subjects have used, as the API and `kronk security usage` tell it."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

from .counters import DATA, Counters
from .rows import Used
from .windows import windows_at

MOST_SUBJECTS = 1000
_ALL = 10**9


def report(
    counters: Counters | None,
    now: float,
    subject: str | None = None,
    *,
    limit: int = MOST_SUBJECTS,
    after: str = "",
) -> dict[str, Any]:
    """Calls and tokens in the day, month and year of `now`, of up to `limit` subjects that come
    behind `after`; of one subject that is named also each day that is kept. Without counters
    nothing was used."""
    windows = windows_at(now)
    rows = [] if counters is None else counters.usage(now, subject)
    groups = [list(group) for _, group in groupby(rows, lambda row: row.subject)]
    groups = [group for group in groups if group[0].subject > after]
    told: dict[str, Any] = {
        "object": "list",
        "day": windows.day.key,
        "month": windows.month.key,
        "year": windows.year.key,
        "data": [
            {
                "subject": row.subject,
                "endpoint": row.endpoint,
                "day": _amounts(row.day),
                "month": _amounts(row.month),
                "year": _amounts(row.year),
            }
            for group in groups[:limit]
            for row in group
        ],
        "has_more": len(groups) > limit,
    }
    if subject is not None:
        days = [] if counters is None else counters.days(subject)
        told["days"] = [
            {"day": day, "endpoint": endpoint, **_amounts(used)} for day, endpoint, used in days
        ]
    return told


def local_report(folder: Path, now: float, subject: str | None = None) -> dict[str, Any]:
    """The same of the counters in that folder, opened for it. `ServerError` when they cannot be
    read."""
    if not (folder / DATA).exists():
        return report(None, now, subject, limit=_ALL)
    counters = Counters(folder, writable=False)
    try:
        return report(counters, now, subject, limit=_ALL)
    finally:
        counters.close()


def _amounts(used: Used) -> dict[str, int]:
    return {
        "calls": used.calls,
        "prompt_tokens": used.prompt_tokens,
        "completion_tokens": used.completion_tokens,
    }
