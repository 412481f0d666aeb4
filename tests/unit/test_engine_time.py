"""Where a worker's time goes: decodes, all else of ours, and waiting, which is nobody's."""

from __future__ import annotations

import threading
import time

from kronk.worker.engine_time import EngineTime
from kronk.worker.processor_time import ProcessorTime
from kronk.worker.thread_times import ThreadTimes, thread_ids


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now

    def after(self, seconds: float) -> None:
        self.now += seconds


def test_only_what_lies_between_decodes_is_ours_and_waiting_is_nobodys() -> None:
    clock = Clock()
    engine = EngineTime(clock)
    engine.wakes()
    clock.after(1)
    engine.begins()
    clock.after(10)
    engine.ends()
    clock.after(2)
    engine.rests()
    clock.after(1000)
    engine.wakes()
    clock.after(4)
    engine.rests()
    assert engine.read() == (10, 7)


def test_a_load_counts_for_nothing() -> None:
    clock = Clock()
    engine = EngineTime(clock)
    engine.begins()
    clock.after(5)
    engine.ends()
    clock.after(5)
    engine.wakes()
    assert engine.read() == (0, 0)


def test_what_lasts_is_counted_before_it_ends() -> None:
    clock = Clock()
    engine = EngineTime(clock)
    engine.wakes()
    clock.after(3)
    assert engine.read() == (0, 3)
    engine.begins()
    clock.after(60)
    assert engine.read() == (60, 3)


class Threads:
    """Processor time as a test says it."""

    engine = 0.0
    others = 0.0


def test_processor_time_of_the_engine_is_shared_out_as_the_time_by_the_wall_was() -> None:
    clock, threads = Clock(), Threads()
    engine = EngineTime(clock)
    times = ProcessorTime(lambda: threads.engine, lambda: threads.others, engine)
    engine.wakes()
    clock.after(2)
    engine.begins()
    clock.after(6)
    engine.ends()
    engine.rests()
    # It had half of a core.
    threads.engine, threads.others = 4.0, 0.5
    times.look()
    assert (times.decode, times.overhead) == (3.0, 1.5)
    # Waiting, it did next to nothing.
    threads.engine = 4.25
    clock.after(100)
    times.look()
    assert (times.decode, times.overhead) == (3.0, 1.75)


def test_neither_ever_falls() -> None:
    clock, threads = Clock(), Threads()
    engine = EngineTime(clock)
    times = ProcessorTime(lambda: threads.engine, lambda: threads.others, engine)
    engine.wakes()
    seen = []
    for step in range(20):
        engine.begins()
        clock.after(step % 3)
        engine.ends()
        clock.after(step % 2)
        threads.engine += 0.5
        times.look()
        seen.append((times.decode, times.overhead))
    assert [one[0] for one in seen] == sorted(one[0] for one in seen)
    assert [one[1] for one in seen] == sorted(one[1] for one in seen)
    assert sum(seen[-1]) == 10.0


def _spin(seconds: float) -> None:
    """Until this thread has computed for so long."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def test_a_thread_counts_with_what_it_computed_while_it_lives_and_after_that() -> None:
    go_on, spun = threading.Event(), threading.Event()
    times = ThreadTimes(lambda name: name != "other")
    before = times.total()

    def work() -> None:
        _spin(0.02)
        spun.set()
        go_on.wait()

    thread = threading.Thread(target=work)
    thread.start()
    spun.wait()
    during = times.total()
    go_on.set()
    thread.join()
    assert during - before >= 0.02
    assert times.total() >= during


def test_threads_are_chosen_by_their_names() -> None:
    spun, go_on = threading.Event(), threading.Event()

    def work() -> None:
        _spin(0.05)
        spun.set()
        go_on.wait()

    with_it = ThreadTimes(lambda name: True)
    without = ThreadTimes(lambda name: name != "engine")
    before = with_it.total() - without.total()
    thread = threading.Thread(target=work, name="engine")
    thread.start()
    spun.wait()
    engines = with_it.total() - without.total() - before
    go_on.set()
    thread.join()
    assert engines >= 0.04


def test_threads_that_are_not_pythons_are_known_by_their_number() -> None:
    assert threading.get_native_id() in thread_ids()
    # None of this process has that number.
    assert ThreadTimes(lambda name: False, [2**22 - 1]).total() == 0
