"""Frozen, stuck, or only slow: who is ended, and who must not be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack

from harness import proc
from harness.invariants import after_fault, milliseconds_since
from harness.server import Server
from harness.waiting import pause, wait_until


def test_a_worker_that_hangs_is_ended_and_its_stacks_are_kept(short: Server) -> None:
    with after_fault(short, "hang", "mid-stream", models=("Hung",)) as fault:
        others = fault.streams("Hung", 2)
        culprit = fault.stream("Hung", "hang at 5")
        culprit.wait_for_pieces(5)
        hung = time.monotonic()
        for asked in (*others, culprit):
            assert asked.end() == "error"
            assert asked.error is not None
            assert "stuck" in asked.error["message"]
        fault.figure("hang to error with a limit of 3 s, ms", milliseconds_since(hung))


def test_an_endless_loop_is_ended(short: Server) -> None:
    with after_fault(short, "endless loop", "mid-stream", models=("Looping",)) as fault:
        culprit = fault.stream("Looping", "spin at 5")
        assert culprit.end() == "error"
        assert culprit.error is not None
        assert "stuck" in culprit.error["message"]


def test_a_load_that_gets_nowhere_is_ended(short: Server) -> None:
    with after_fault(short, "hang", "during load") as fault:
        asked = fault.stream("Never", tokens=5)
        wait_until(
            lambda: short.events("killing a worker", model="Never"), "the load's end", timeout=20
        )
        asked.leave()
        # It is tried again for as long as somebody waits, and nobody does.
        row = short.row("Never")
        assert row is None or row["state"] in ("draining", "backoff", "absent", "loading")
        wait_until(lambda: (short.row("Never") or {}).get("pid") is None, "no process", timeout=20)


def test_a_worker_that_is_stopped_for_good_is_ended(short: Server) -> None:
    with after_fault(short, "SIGSTOP", "mid-decode, for good", models=("Frozen",)) as fault:
        streams = fault.streams("Frozen", 2)
        stopped = time.monotonic()
        short.kill(fault.pid("Frozen"), signal.SIGSTOP)
        for stream in streams:
            assert stream.end() == "error"
            assert stream.error is not None
            assert "frozen" in stream.error["message"] or "stuck" in stream.error["message"]
        fault.figure("stop to error with limits of 3 s, ms", milliseconds_since(stopped))


def test_an_idle_worker_that_is_stopped_for_good_is_replaced(short: Server) -> None:
    with after_fault(short, "SIGSTOP", "idle, for good", models=("Frozen",)) as fault:
        pid = fault.pid("Frozen")
        short.kill(pid, signal.SIGSTOP)
        wait_until(lambda: proc.find(pid) is None, "its end", timeout=30)
        assert fault.whole("Frozen", tokens=5).end() == "done"


def test_a_worker_that_holds_the_gil_for_less_than_the_limit_is_left_alone(short: Server) -> None:
    with after_fault(short, "GIL held 2 s of 3 s", "mid-stream", models=("Held",)) as fault:
        pid = fault.pid("Held")
        asked = fault.stream("Held", "hold=2 at 5", tokens=10)
        assert asked.end() == "done"
        assert fault.pid("Held") == pid


def test_nobody_is_ended_when_everything_stood_still(short: Server) -> None:
    with after_fault(
        short, "everything stopped 7 s, limits 3 s", "4 streams", models=("Still",), refused=False
    ) as fault:
        streams = fault.streams("Still", 4, "pace 20", tokens=100)
        children = short.children()
        everybody = [short.pid, *children]
        # As a suspended machine does: all at once.
        for pid in everybody:
            os.kill(pid, signal.SIGSTOP)
        pause(7)
        for pid in reversed(everybody):
            os.kill(pid, signal.SIGCONT)
        assert {stream.end() for stream in streams} == {"done"}
        assert short.children() == children


def test_nobody_is_ended_where_every_core_is_taken(short: Server) -> None:
    with ExitStack() as stack:
        where = "8 loops beside it, limits 3 s"
        with after_fault(short, "CPU starvation", where, models=("Still",), refused=False) as fault:
            children = short.children()
            for _ in range(8):
                loop = subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"])
                stack.callback(loop.wait)
                stack.callback(loop.kill)
            streams = [fault.stream("Still", tokens=600) for _ in range(4)]
            begun = time.monotonic()
            assert {stream.end() for stream in streams} == {"done"}
            fault.figure("4 x 600 tokens, ms", milliseconds_since(begun))
            assert short.children() == children
            stack.close()
