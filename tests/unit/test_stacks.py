"""A process tells what its threads do."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kronk.shared import stacks

# Threads whose stacks change all the time.
BUSY = """
import faulthandler, sys, threading
from kronk.shared import stacks

def deeper(levels):
    return levels and deeper(levels - 1)

def busy():
    while True:
        deeper(30)

stacks.offer(sys.argv[1])
{before}
for _ in range(3):
    threading.Thread(target=busy, daemon=True).start()
print("ready", flush=True)
{after}
"""

WAIT = "threading.Event().wait()"
# A C function that keeps the GIL, and goes on after a signal.
HANG = "import ctypes, os; ctypes.PyDLL(None).read(os.pipe()[0], ctypes.c_buffer(1), 1)"
Start = Callable[[str, str], int]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts such a process, which does `before` and `after` its threads start; its number."""
    running: list[subprocess.Popen[str]] = []

    def begin(before: str, after: str) -> int:
        code = BUSY.format(before=before, after=after)
        command = [sys.executable, "-P", "-c", code, str(tmp_path)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        running.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process.pid

    yield begin
    for process in running:
        process.kill()
        process.communicate()


def test_a_running_process_is_not_interrupted(start: Start, tmp_path: Path) -> None:
    # The signal would end it.
    pid = start("stacks.answer(); faulthandler.unregister(stacks.SIGNAL)", WAIT)
    for _ in range(5):
        taken = stacks.take(tmp_path, pid)
        assert taken.silence is None
        assert taken.text.count("in busy") == 3
        assert "_answer_for_ever" not in taken.text


def test_nor_is_one_on_a_machine_that_stands_still_meanwhile(start: Start, tmp_path: Path) -> None:
    before = "faulthandler.unregister(stacks.SIGNAL); threading.Timer(0.4, stacks.answer).start()"
    pid = start(before, WAIT)
    # Each look takes ten seconds of it.
    clock = itertools.count(step=10.0).__next__
    assert stacks.take(tmp_path, pid, clock).silence is None


def test_one_whose_answering_thread_gets_no_turn_is(start: Start, tmp_path: Path) -> None:
    pid = start("stacks.answer()", HANG)
    taken = stacks.take(tmp_path, pid)
    assert (taken.silence, taken.text.count("in busy")) == (None, 3)


def test_one_that_has_no_such_thread_yet_is(start: Start, tmp_path: Path) -> None:
    pid = start("", HANG)
    assert stacks.take(tmp_path, pid).text.count("in busy") == 3


def test_what_ended_leaves_no_pipe(start: Start, tmp_path: Path) -> None:
    pid = start("stacks.answer()", WAIT)
    assert {path.name for path in tmp_path.iterdir()} == {f"stacks-{pid}", f"stacks-{pid}.ask"}
    assert stacks.offering(tmp_path) == [pid]
    stacks.forget(tmp_path, pid)
    assert stacks.offering(tmp_path) == list(tmp_path.iterdir()) == []
