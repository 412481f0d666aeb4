"""What Python holds in this process, and which lines of code took it: sizes and places only."""

from __future__ import annotations

import gc
import sys
import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from .errors import Conflict
from .wire.debugging import Heap, HeapLine, HeapType

MOST_SECONDS = 300.0
_TOP = 40
# Between two looks at the objects other threads get their turn.
_OBJECTS_PER_TURN = 20_000

_measuring = threading.Lock()


def measure(seconds: float, sleep: Callable[[float], None] = time.sleep) -> Heap:
    """Follow Python's allocations for so many seconds. Blocks: call it in a thread.

    Meanwhile each allocation takes two to four times as long. `Conflict` while another one runs.
    """
    if not _measuring.acquire(blocking=False):
        raise Conflict("the heap of this process is being measured already; try again later")
    was_tracing = tracemalloc.is_tracing()
    try:
        if not was_tracing:
            tracemalloc.start(1)
        sleep(seconds / 2)
        half = tracemalloc.take_snapshot()
        sleep(seconds / 2)
        end = tracemalloc.take_snapshot()
        traced, peak = tracemalloc.get_traced_memory()
        own = tracemalloc.get_tracemalloc_memory()
    finally:
        if not was_tracing:
            tracemalloc.stop()
        _measuring.release()
    return Heap(
        seconds=seconds,
        traced=traced,
        peak=peak,
        tracing=own,
        lines=_by_size(end.statistics("lineno")),
        grown=_by_growth(end.compare_to(half, "lineno")),
        types=_types(),
        frozen=gc.get_freeze_count(),
        blocks=sys.getallocatedblocks(),
        collections=tuple(row["collections"] for row in gc.get_stats()),
    )


def _by_size(rows: Sequence[tracemalloc.Statistic]) -> tuple[HeapLine, ...]:
    return tuple(_line(row, 0) for row in rows[:_TOP])


def _by_growth(rows: Iterable[tracemalloc.StatisticDiff]) -> tuple[HeapLine, ...]:
    grown = sorted(
        (row for row in rows if row.size_diff > 0), key=lambda row: row.size_diff, reverse=True
    )
    return tuple(_line(row, row.size_diff) for row in grown[:_TOP])


def _line(row: tracemalloc.Statistic | tracemalloc.StatisticDiff, growth: int) -> HeapLine:
    frame = row.traceback[0]
    return HeapLine(f"{frame.filename}:{frame.lineno}", row.size, row.count, growth)


def _types() -> tuple[HeapType, ...]:
    """Containers that the garbage collector knows, by their type, and what each takes by itself."""
    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    objects = gc.get_objects()
    for number, one in enumerate(objects):
        kind = type(one)
        name = f"{kind.__module__}.{kind.__qualname__}"
        counts[name] += 1
        # An object's own word on its size is code of its class, and may not work.
        sizes[name] += object.__sizeof__(one) if kind.__module__ != "builtins" else _size(one)
        if number % _OBJECTS_PER_TURN == 0:
            time.sleep(0)
    top = sizes.most_common(_TOP)
    rest = sum(sizes.values()) - sum(size for _, size in top)
    named = [HeapType(name, counts[name], size) for name, size in top]
    others = sum(counts.values()) - sum(one.count for one in named)
    return (*named, HeapType("(others)", others, rest))


def _size(one: object) -> int:
    return sys.getsizeof(one, 0)
