"""What a worker says of its slots and caches, and what a machine says of itself."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kronk.gateway.live.machine import Machine
from kronk.shared.wire.loading import Fitted
from kronk.shared.wire.status import CacheStats, SlotStats
from kronk.worker.cache.memory import State
from kronk.worker.cache.stats import Caches, cache_stats
from kronk.worker.cache.store import Store
from kronk.worker.engine.slot import Slot
from kronk.worker.engine.slot_stats import slot_stats

FITTED = Fitted(
    n_ctx=100,
    slots=4,
    queue=2,
    n_threads=1,
    parameters=1,
    weights_bytes=1,
    architecture="llama",
    template="model",
    kv_bytes=4000,
)


def choice(prompt: int, *, generated: int = 0, may_generate: bool = True) -> Any:
    """As much of a choice as a slot looks at."""
    job = SimpleNamespace(name="req-1", submitted=0.0, marks=(), spans=())
    request = SimpleNamespace(job=job, may_generate=may_generate)
    return SimpleNamespace(rows=[5] * prompt, generated=generated, request=request)


def slot(held: int, running: Any = None, read: int = 0) -> Slot:
    one = Slot(3)
    one.keep([5] * held, "")
    if running is not None:
        one.begin(running)
    one.read = read
    return one


@pytest.mark.parametrize(
    ("one", "stats"),
    [
        (slot(0), SlotStats(3, "idle", 0)),
        # A free slot keeps what its last choice left.
        (slot(40), SlotStats(3, "idle", 40)),
        (slot(4, choice(10)), SlotStats(3, "prefill", 4, 10, 4, 0, "req-1")),
        (slot(4, choice(10), read=2), SlotStats(3, "reading", 4, 10, 4, 0, "req-1")),
        (
            slot(15, choice(10, generated=6)),
            SlotStats(3, "generating", 15, 10, 10, 6, "req-1"),
        ),
        (
            slot(15, choice(10, generated=6, may_generate=False)),
            SlotStats(3, "paused", 15, 10, 10, 6, "req-1"),
        ),
    ],
    ids=lambda one: one.phase if isinstance(one, SlotStats) else "",
)
def test_a_slot_says_what_it_is_at(one: Slot, stats: SlotStats) -> None:
    assert slot_stats(one) == stats


def stored(tokens: int) -> tuple[Any, State]:
    return np.arange(tokens, dtype=np.int32), State(np.zeros(tokens, np.uint8), tokens, 0)


def test_caches_say_what_they_hold_and_when_it_was_last_used() -> None:
    store = Store(1000, 2)
    tokens, state = stored(20)
    store.put(tokens, state, now=5.0, pin="session")
    store.put(tokens[::-1].copy(), state, now=7.0)
    found = cache_stats(Caches((0, 30, 20, 0), store), FITTED, now=10.0)
    assert found == (
        CacheStats("slots", 2, 500, 4000),
        CacheStats("ram", 1, 100, 1000, 3.0),
        CacheStats("pinned", 1, 100, 1000, 5.0),
    )


def test_what_keeps_nothing_is_not_there() -> None:
    assert cache_stats(Caches(), FITTED, now=1.0) == ()
    found = cache_stats(Caches((0,), Store(0, 2)), FITTED, now=1.0)
    assert found == (CacheStats("slots", 0, 0, 4000),)


def test_reading_goes_on_while_the_engine_changes_what_is_read() -> None:
    store, over = Store(400, 2), threading.Event()
    one = slot(4, choice(10))

    def change() -> None:
        try:
            for number in range(300):
                tokens = np.full(8, number % 500, np.int32)
                store.put(tokens, State(np.zeros(8, np.uint8), 8, 0), now=float(number))
                one.leave(0.0)
                one.keep([1] * (number % 50), "")
                one.begin(choice(10))
        finally:
            over.set()

    thread = threading.Thread(target=change)
    thread.start()
    looks = 0
    while not over.is_set():
        stats = slot_stats(one)
        assert 0 <= stats.prompt_done <= max(stats.prompt, stats.rows)
        for cache in cache_stats(Caches((one.position,), store), FITTED, now=0.0):
            assert cache.bytes <= 4000
        looks += 1
    thread.join()
    assert looks


# The machine.


def test_a_machine_tells_of_itself_and_of_those_who_live(tmp_path: Path) -> None:
    clock = iter([0.0, 1.0, 2.0])
    machine = Machine(tmp_path, clock=lambda: next(clock))
    gone = os.fork()
    if gone == 0:
        os._exit(0)
    os.waitpid(gone, 0)
    first = machine.read([os.getpid(), gone])
    assert set(first.processes) == {os.getpid()}
    assert first.processes[os.getpid()].cpu_percent is None
    second = machine.read([os.getpid()])
    mine = second.processes[os.getpid()]
    assert mine.cpu_percent is not None
    assert mine.cpu_percent >= 0
    assert mine.threads is not None
    assert mine.threads >= threading.active_count()
    assert mine.rss_bytes
    assert second.system["core_count"] == len(second.system["cores"])
    assert all(0 <= share <= 100 for share in second.system["cores"])
    assert second.system["disk"]["free_bytes"] > 0
    # Who is not asked about is forgotten.
    assert machine.read([]).processes == {}


def test_a_folder_that_is_gone_has_no_disk(tmp_path: Path) -> None:
    assert Machine(tmp_path / "nope").read([]).system["disk"] is None
