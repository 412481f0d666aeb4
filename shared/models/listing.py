"""The models on disk with all that is known of them without reading any."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from kronk.shared.model_config import ModelConfig
from kronk.shared.paths import BasePath

from . import facts, index
from .facts import Facts, Rows, State
from .headers import headers_of
from .index import ModelEntry
from .walk import Found

# The state of a model is the first of these that one of its files has.
_WORST_FIRST: tuple[State, ...] = ("damaged", "changed", "unknown", "verified")


def listing(base: BasePath, configs: Mapping[str, ModelConfig]) -> list[ModelEntry]:
    """All models; those whose headers or digests are known to be wrong cannot be loaded."""
    found = index.scan(base.models, configs)
    return headers_of(base).judged(with_integrity(found, facts.load(base.models)))


def with_integrity(entries: Iterable[ModelEntry], rows: Rows) -> list[ModelEntry]:
    """The entries, with what the index knows of their files."""
    return [_judged(entry, rows) for entry in entries]


def _judged(entry: ModelEntry, rows: Rows) -> ModelEntry:
    states = {file: state_of(file, rows) for file in entry.files}
    worst: State = next((one for one in _WORST_FIRST if one in states.values()), "unknown")
    file = next((file for file in entry.files if states[file] == worst), None)
    row = rows.get(file.name) if file is not None else None
    if file is None or row is None:
        return entry
    words = note(row, worst)
    if words is not None and len(entry.files) > 1:
        words = f"{file.path.name}: {words}"
    if worst == "damaged" and entry.validated:
        entry = replace(entry, validated=False, reason=words)
    return replace(entry, integrity=worst, note=words)


def state_of(file: Found, rows: Rows) -> State:
    """What the index says of a file."""
    return facts.state_of(rows.get(file.name), file.size_bytes, file.modified_ns)


def note(row: Facts, is_now: State) -> str | None:
    """The same in words, where there is something to say."""
    day = row.verified[:10]
    match is_now:
        case "changed":
            return f"changed since it was verified on {day}"
        case "damaged":
            return (
                f"damaged: its sha256 is {row.found}, expected {row.sha256}; remove it and fetch "
                "it again, or take it as it is with `kronk model verify --accept`"
            )
        case _:
            return None
