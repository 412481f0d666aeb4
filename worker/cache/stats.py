"""What is kept of prompts, and where; read by the heartbeat's thread while the engine works.

Nothing here waits for a lock. A list of a dict's values is made in one step; what is in it may be
gone by the time it is looked at, and is then counted once more than it should be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kronk.shared.wire.loading import Fitted
from kronk.shared.wire.status import CacheStats

from .disk import DiskStore
from .store import Entry, Store


@dataclass(frozen=True, slots=True)
class Caches:
    """All places of one engine. `rows` are what each slot of the context holds."""

    rows: tuple[int, ...] = ()
    store: Store | None = None
    disk: DiskStore | None = None


def cache_stats(caches: Caches, fitted: Fitted, now: float) -> tuple[CacheStats, ...]:
    """Those there are; a store that may hold nothing is none. `now` is monotonic seconds."""
    found = []
    if caches.rows:
        found.append(_slots(caches.rows, fitted))
    if caches.store is not None and caches.store.capacity:
        found += _stored(caches.store, now)
    if caches.disk is not None:
        entries = caches.disk.entries
        size = sum([entry.head.file_size for entry in entries])
        found.append(CacheStats("disk", len(entries), size, caches.disk.capacity))
    return tuple(found)


def _slots(rows: tuple[int, ...], fitted: Fitted) -> CacheStats:
    # Slots that share cells are each counted with them, and recurrent states have no rows: this is
    # what the rows would take alone.
    cells = fitted.n_ctx * fitted.slots
    row_bytes = fitted.kv_bytes / cells if cells else 0.0
    used = min(round(sum(rows) * row_bytes), fitted.kv_bytes)
    return CacheStats("slots", sum(1 for count in rows if count), used, fitted.kv_bytes)


def _stored(store: Store, now: float) -> list[CacheStats]:
    entries = store.unordered
    pinned = [entry for entry in entries if entry.pin is not None]
    others = [entry for entry in entries if entry.pin is None]
    found = [_of("ram", others, store.capacity, now)]
    return [*found, _of("pinned", pinned, store.capacity, now)] if pinned else found


def _of(
    kind: Literal["ram", "pinned"], entries: list[Entry], capacity: int, now: float
) -> CacheStats:
    last = max([entry.last_used for entry in entries], default=None)
    idle = None if last is None else max(round(now - last, 1), 0.0)
    return CacheStats(kind, len(entries), sum([entry.size for entry in entries]), capacity, idle)
