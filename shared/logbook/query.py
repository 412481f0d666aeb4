"""Which lines of the log somebody wants to see."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from kronk.shared.errors import InvalidArgument
from kronk.shared.log import LEVELS, in_iso
from kronk.shared.units import parse_duration

PROCESSES = ("supervisor", "gateway", "worker", "job")
# Lines of different processes may be a little out of order.
_SLACK = timedelta(seconds=5)
# Of what was asked for, in an error message.
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Query:
    """A line has to be all of what is said here."""

    # Any of these names of a model.
    models: frozenset[str] = frozenset()
    # From this one up, by its number.
    level: int = 0
    # The request's id, or the one that its answer had.
    request: str | None = None
    process: str | None = None
    # As lines have it; what is older than `long_before` ends a search back.
    since: str = ""
    long_before: str = ""

    def takes(self, line: str) -> bool:
        """Whether it is one of them. What is no record has nothing that could be asked for."""
        if not (self.models or self.level or self.request or self.process or self.since):
            return True
        if self.request is not None and self.request not in line:
            return False
        found = record(line)
        return found is not None and self._takes(found)

    def is_long_before(self, line: str) -> bool:
        """Nothing that was written before this line can be wanted."""
        if not self.long_before:
            return False
        found = record(line)
        return found is not None and str(found.get("timestamp", "~")) < self.long_before

    def _takes(self, found: Mapping[str, Any]) -> bool:
        return (
            LEVELS.get(str(found.get("level")), LEVELS["info"]) >= self.level
            and (not self.models or found.get("model") in self.models)
            and self.request in (None, found.get("request_id"), found.get("answer_id"))
            and self.process in (None, found.get("process"))
            and str(found.get("timestamp", "")) >= self.since
        )


def parse(asked: Mapping[str, str | None], now: datetime, prefix: str = "") -> Query:
    """A query by the texts of `model`, `level`, `request`, `process` and `since`, as far as they
    are there. `InvalidArgument` names what is wrong, with `prefix` before its name, and what would
    be right."""
    given = {name: text for name, text in asked.items() if text is not None}

    def one_of(name: str, choices: tuple[str, ...]) -> str | None:
        text = given.get(name)
        if text is not None and text not in choices:
            *most, last = choices
            raise _wrong(prefix, name, f"{', '.join(most)} or {last}", text)
        return text

    level = one_of("level", tuple(LEVELS))
    process = one_of("process", PROCESSES)
    for name in ("model", "request"):
        if given.get(name) == "":
            raise _wrong(prefix, name, "a name" if name == "model" else "an id", "")
    since = _moment(given["since"], now, prefix) if "since" in given else None
    return Query(
        models=frozenset({given["model"]}) if "model" in given else frozenset(),
        level=LEVELS[level] if level is not None else 0,
        request=given.get("request"),
        process=process,
        since=in_iso(since) if since is not None else "",
        long_before=in_iso(since - _SLACK) if since is not None else "",
    )


def record(line: str) -> dict[str, Any] | None:
    """What a line says, where it is a record as ours are."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _moment(text: str, now: datetime, prefix: str) -> datetime:
    try:
        return now - timedelta(seconds=parse_duration(text))
    except (ValueError, OverflowError):
        pass
    try:
        # Without a zone it is the time of this machine.
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        expected = "a duration such as 30s, 10m or 1h30m, or a time such as 2026-01-31T12:00"
        raise _wrong(prefix, "since", expected, text) from error


def _wrong(prefix: str, name: str, expected: str, got: str) -> InvalidArgument:
    shown = got if len(got) <= _SHOWN else got[:_SHOWN] + "..."
    field_name = f"{prefix}{name}" if prefix else f"'{name}'"
    return InvalidArgument(f"{field_name}: expected {expected}, got {shown!r}", param=name)
