"""What is known of a model over all of its life: a record that outlives servers.

Pure. A gateway collects what is new, and adds it to what the database has; so several gateways may
do that beside one another. What the supervisor counts begins anew with each server, and is told as
sums: `Seen` says how much of that is in the record already.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from kronk.shared.wire.status import ModelCounters

from .spread import Spread


@dataclass(slots=True)
class Statistics:
    """Of one model. Times are seconds of the Unix epoch; None is never."""

    since: float | None = None
    first_used: float | None = None
    last_used: float | None = None
    done: int = 0
    cancelled: int = 0
    # By the code of the error.
    errors: Counter[str] = field(default_factory=Counter)
    # `prompt`, of it `cached`; `completion`, of it `reasoning`.
    tokens: Counter[str] = field(default_factory=Counter)
    # Seconds to the first token; tokens a second of reading and of writing.
    ttft: Spread = field(default_factory=Spread)
    prefill: Spread = field(default_factory=Spread)
    decode: Spread = field(default_factory=Spread)
    # By the tokens that the context had at most: those written then, and the seconds they took.
    context_tokens: Counter[str] = field(default_factory=Counter)
    context_seconds: dict[str, float] = field(default_factory=dict)
    # Seconds of loads.
    loads: Spread = field(default_factory=Spread)
    # Ends of its processes: by reason where they were wanted, else by cause.
    evictions: Counter[str] = field(default_factory=Counter)
    crashes: Counter[str] = field(default_factory=Counter)
    peak_rss_bytes: int = 0
    # Of the counters of the server that started at `server`, what is in the above.
    server: float = 0.0
    seen: dict[str, Any] = field(default_factory=dict)

    @property
    def requests(self) -> int:
        """Everything it was asked."""
        return self.done + self.cancelled + self.errors.total()

    @property
    def is_blank(self) -> bool:
        """There is nothing to tell, and nothing to add to a record."""
        is_unused = self.first_used is None and not self.peak_rss_bytes
        return is_unused and not (self.loads.count or self.evictions or self.crashes)


def add(total: Statistics, new: Statistics) -> None:
    """Put what is new into what was; `server` and `seen` stay as they are."""
    total.done += new.done
    total.cancelled += new.cancelled
    for name in ("errors", "tokens", "context_tokens", "evictions", "crashes"):
        getattr(total, name).update(getattr(new, name))
    for name in ("ttft", "prefill", "decode", "loads"):
        getattr(total, name).merge(getattr(new, name))
    for context, seconds in new.context_seconds.items():
        total.context_seconds[context] = total.context_seconds.get(context, 0.0) + seconds
    total.peak_rss_bytes = max(total.peak_rss_bytes, new.peak_rss_bytes)
    total.since = _first(total.since, new.since)
    total.first_used = _first(total.first_used, new.first_used)
    total.last_used = max(filter(None, (total.last_used, new.last_used)), default=None)


def take_over(total: Statistics, counters: ModelCounters, server: float) -> None:
    """Put what the server that started at `server` has counted into the record, but for what is in
    it already. Idempotent."""
    seen = total.seen if total.server == server else {}
    loads = counters.loads - _whole(seen.get("loads"))
    if loads > 0:
        seconds = counters.load_seconds - _number(seen.get("load_seconds"))
        total.loads.merge(Spread(loads, seconds, counters.load_min, counters.load_max))
    for ends, now, before in (
        (total.evictions, counters.evictions, seen.get("evictions")),
        (total.crashes, counters.exits, seen.get("exits")),
    ):
        known = _counts(before)
        ends.update({why: count - known[why] for why, count in now.items() if count > known[why]})
    mark_seen(total, counters, server)


def mark_seen(total: Statistics, counters: ModelCounters, server: float) -> None:
    """Nothing that was counted so far is put into the record any more."""
    total.server = server
    total.seen = {
        "loads": counters.loads,
        "load_seconds": counters.load_seconds,
        "evictions": dict(counters.evictions),
        "exits": dict(counters.exits),
    }


def to_record(statistics: Statistics) -> dict[str, Any]:
    """As the database has it."""
    record: dict[str, Any] = {}
    for one in fields(statistics):
        value = getattr(statistics, one.name)
        if isinstance(value, Spread):
            value = [value.count, value.sum, value.low, value.high] if value.count else []
        record[one.name] = value
    return record


def from_record(record: Mapping[str, Any] | None) -> Statistics:
    """What a record says. What is damaged of it counts as nothing: it is no reason to have no
    statistics, let alone no server."""
    statistics, found = Statistics(), record or {}
    for one in fields(statistics):
        usual, said = getattr(statistics, one.name), found.get(one.name)
        match usual:
            case Spread():
                value: Any = _spread(said)
            case Counter():
                value = _counts(said)
            case dict() if one.name == "seen":
                value = said if isinstance(said, dict) else {}
            case dict():
                value = _numbers(said)
            case int() | float():
                value = type(usual)(_number(said))
            case _:
                value = _number(said) or None
        setattr(statistics, one.name, value)
    return statistics


def told(model: str, statistics: Statistics) -> dict[str, Any]:
    """As the API and commands tell it."""
    tokens = statistics.tokens
    return {
        "object": "kronk.statistics",
        "model": model,
        "since": statistics.since,
        "first_used": statistics.first_used,
        "last_used": statistics.last_used,
        "requests": statistics.requests,
        "done": statistics.done,
        "cancelled": statistics.cancelled,
        "errors": dict(statistics.errors),
        "prompt_tokens": tokens["prompt"],
        "cached_tokens": tokens["cached"],
        "completion_tokens": tokens["completion"],
        "reasoning_tokens": tokens["reasoning"],
        "ttft_seconds": _told(statistics.ttft),
        "prefill_tokens_per_second": _told(statistics.prefill),
        "decode_tokens_per_second": _told(statistics.decode),
        "contexts": [_context(statistics, name) for name in _in_order(statistics.context_tokens)],
        "load_seconds": _told(statistics.loads),
        "evictions": dict(statistics.evictions),
        "crashes": dict(statistics.crashes),
        "peak_rss_bytes": statistics.peak_rss_bytes or None,
    }


def _told(spread: Spread) -> dict[str, float | int | None]:
    has_any = spread.count > 0
    return {
        "count": spread.count,
        "avg": round(spread.mean, 4) if has_any else None,
        "min": round(spread.low, 4) if has_any else None,
        "max": round(spread.high, 4) if has_any else None,
    }


def _context(statistics: Statistics, name: str) -> dict[str, Any]:
    count, seconds = statistics.context_tokens[name], statistics.context_seconds.get(name, 0.0)
    rate = round(count / seconds, 2) if seconds > 0 else None
    # The last bucket has no bound.
    up_to = int(name) if name.isdecimal() else None
    return {"up_to": up_to, "tokens": count, "tokens_per_second": rate}


def _in_order(contexts: Counter[str]) -> list[str]:
    return sorted(contexts, key=lambda name: int(name) if name.isdecimal() else math.inf)


def _first(a: float | None, b: float | None) -> float | None:
    return min((time for time in (a, b) if time is not None), default=None)


def _number(value: Any) -> float:
    is_good = type(value) in (int, float) and math.isfinite(value) and value >= 0
    return value if is_good else 0.0


def _whole(value: Any) -> int:
    return int(_number(value))


def _numbers(value: Any) -> dict[str, float]:
    rows = value.items() if isinstance(value, dict) else ()
    return {name: _number(number) for name, number in rows}


def _counts(value: Any) -> Counter[str]:
    return Counter({name: int(number) for name, number in _numbers(value).items()})


def _spread(value: Any) -> Spread:
    is_good = isinstance(value, list) and len(value) == 4 and _whole(value[0])
    return Spread(_whole(value[0]), *map(_number, value[1:])) if is_good else Spread()
