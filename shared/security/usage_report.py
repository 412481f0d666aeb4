"""What subjects have used, as the API and `kronk security usage` tell it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from itertools import groupby
from typing import Any

from kronk.shared.database import Database
from kronk.shared.paths import BasePath

from .counters import DATA, Counters
from .registry import Registry
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
    name_of: Callable[[str], str | None] = lambda subject: None,
) -> dict[str, Any]:
    """Calls and tokens in the day, month and year of `now`, of up to `limit` subjects that come
    behind `after`; of one subject that is asked for also each day that is kept. Without counters
    nothing was used. `name_of` knows what people call a subject."""
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
                "name": name_of(row.subject),
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


def local_report(base: BasePath, now: float, subject: str | None = None) -> dict[str, Any]:
    """The same of the files below that path, opened for it. `ServerError` when they cannot be
    read."""
    if not (base.counters / DATA).exists():
        return report(None, now, subject, limit=_ALL)
    with ExitStack() as stack:
        counters = stack.enter_context(closing(Counters(base.counters, writable=False)))
        name_of = _names(stack.enter_context(closing(Database(base.db))))
        return report(counters, now, subject, limit=_ALL, name_of=name_of)


def _names(database: Database) -> Callable[[str], str | None]:
    registry = Registry(database)

    def name_of(subject: str) -> str | None:
        found = registry.registration(subject)
        return None if found is None else found.name

    return name_of


def _amounts(used: Used) -> dict[str, int]:
    return {
        "calls": used.calls,
        "prompt_tokens": used.prompt_tokens,
        "completion_tokens": used.completion_tokens,
    }
