"""Where a worker's time goes: decodes, all else of ours, and waiting, which is nobody's."""

from __future__ import annotations

import threading
import time

from kronk.worker.engine_time import EngineTime
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
    assert (engine.computing, engine.between) == (10, 7)


def test_a_load_counts_for_nothing() -> None:
    clock = Clock()
    engine = EngineTime(clock)
    engine.begins()
    clock.after(5)
    engine.ends()
    clock.after(5)
    engine.wakes()
    assert (engine.computing, engine.between) == (0, 0)


def _spin(seconds: float) -> None:
    """Until this thread has computed for so long."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def test_a_thread_counts_with_what_it_computed_while_it_lives_and_after_that() -> None:
    go_on, spun = threading.Event(), threading.Event()
    times = ThreadTimes()
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


def test_the_engines_own_thread_is_left_out() -> None:
    spun, go_on = threading.Event(), threading.Event()

    def work() -> None:
        _spin(0.05)
        spun.set()
        go_on.wait()

    with_it, without = ThreadTimes(), ThreadTimes(but="engine")
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
    assert ThreadTimes([2**22 - 1], but=threading.current_thread().name).total() >= 0
