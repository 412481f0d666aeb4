"""The statistics of models in the database, for a server's routes and for commands without one.

Every function waits for the disk.
"""

from __future__ import annotations

import time
from typing import Any

from kronk.shared.database import Table
from kronk.shared.errors import NotFound

from .statistics import Statistics, from_record, to_record, told

TABLE = "statistics"


def everything(table: Table) -> list[dict[str, Any]]:
    """As they are told, by model."""
    found = ((name, from_record(record)) for name, record in table.items())
    return [told(name, one) for name, one in found if not one.is_blank]


def one_of(table: Table, model: str) -> dict[str, Any]:
    """The same of one model; `NotFound` where nothing is known of it."""
    record = table.get(model)
    if record is None:
        raise not_found(model)
    return told(model, from_record(record))


def reset(table: Table, model: str | None) -> int:
    """Forget what is known of a model, or of every one; how many there were. `NotFound` as above.
    What a running server has counted so far is not put into the record again."""
    names = [name for name, _ in table.items()] if model is None else [model]
    changed = [table.change(name, _forgotten) for name in names]
    if model is not None and changed == [None]:
        raise not_found(model)
    return len([one for one in changed if one is not None])


def not_found(model: str) -> NotFound:
    """Nothing is known of the model."""
    return NotFound(f"there are no statistics of a model {model[:200]!r}", param="model")


def _forgotten(record: dict[str, Any]) -> dict[str, Any]:
    before = from_record(record)
    return to_record(Statistics(since=time.time(), server=before.server, seen=before.seen))
