"""Frozen, stuck or only slow: what is ended, what is left alone, and what is known of it later."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import proc
from harness.counting_model import counted
from harness.fault_house import fault_house
from harness.invariants import after_fault, milliseconds_since, wait_for_gateway
from harness.server import SMALL, Server, kronk
from harness.waiting import wait_until
from kronk.shared.departures import Departure, from_line

# The limit of all servers here.
LIMIT = 5.0
# Longer than that by far, and shorter than that.
LONG, SHORT = LIMIT + 3, 2.0
FLAGS = {"stuck_after": f"{LIMIT:g}s", "resume": "false"}
SCRIPTED = ("Spinning", "Hanging", "Held", "Undying", "Crashing-Reset")
ROOMY = SMALL | {"context_window": 8192}
REAL = ("Idle", "Busy", "Paused", "Everybody", "Starved")


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Real supervisor and gateway over scripted workers."""
    with fault_house(tmp_path_factory.mktemp("clinic"), SCRIPTED, {}, FLAGS) as server:
        yield server


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Real workers."""
    base, config = tmp_path_factory.mktemp("ward"), dict.fromkeys(REAL, ROOMY)
    with fault_house(base, REAL, config, FLAGS, engine="real") as server:
        yield server


def history(server: Server, model: str) -> list[Departure]:
    rows = server.get(f"/v1/kronk/models/{model}/history")["data"]
    return [found for row in rows if (found := from_line(json.dumps(row)))]


def after(seconds: float) -> Callable[[], bool]:
    """True from that long from now on: what is waited for is that nothing happens."""
    until = time.monotonic() + seconds
    return lambda: time.monotonic() > until


def kills(server: Server) -> int:
    return len(server.events("killing a worker")) + len(server.events("killing the gateway"))


# Stuck.


@pytest.mark.parametrize(
    ("model", "word", "where"), [("Spinning", "spin", "in _spin"), ("Hanging", "hang", "in _hang")]
)
def test_an_engine_that_does_not_get_on_is_ended_and_says_where_it_was(
    clinic: Server, model: str, word: str, where: str
) -> None:
    with after_fault(clinic, f"endless {word}", "mid-stream", models=(model,)) as fault:
        pid = fault.pid(model)
        asked = fault.stream(model, f"{word} at 5")
        asked.wait_for_pieces(5)
        stuck = time.monotonic()
        assert asked.end() == "error"
        fault.figure("last token to the error, ms", milliseconds_since(stuck))
        assert asked.error is not None
        assert asked.error["code"] == "model_crashed"
        assert f"stuck: busy without progress for {LIMIT:g} s" in asked.error["message"]
        (end,) = history(clinic, model)
        assert (end.outcome, end.signal, end.pid, end.requests) == ("killed", "SIGABRT", pid, 1)
        assert any(where in line for line in end.stack)
        assert end.ready is not None
        assert end.started <= end.ready < end.ended
        # In the log, too, a line each, with its origin.
        frames = [record for record in records(clinic) if where in record["event"]]
        assert [(frame["model"], frame["generation"]) for frame in frames] == [
            (model, end.generation)
        ]


def records(server: Server) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.log_file.read_text().splitlines()]


def test_a_held_gil_is_no_reason_to_kill(clinic: Server) -> None:
    with after_fault(clinic, "GIL held", f"{SHORT:g} s of {LIMIT:g}", models=("Held",)) as fault:
        pid = fault.pid("Held")
        before = kills(clinic)
        assert fault.stream("Held", f"hold={SHORT:g} at 5", tokens=20).end() == "done"
        assert fault.pid("Held") == pid
        assert kills(clinic) == before


def test_a_worker_that_does_not_end_at_sigabrt_is_killed(clinic: Server) -> None:
    with after_fault(clinic, "ignores SIGABRT", "mid-stream", models=("Undying",)) as fault:
        pid = fault.pid("Undying")
        asked = fault.stream("Undying", "undying at 5")
        assert asked.end() == "error"
        wait_until(lambda: proc.find(pid) is None, "the end of the process")
        (end,) = history(clinic, "Undying")
        assert (end.outcome, end.signal, end.out_of_memory) == ("killed", "SIGKILL", False)
        assert "stuck" in end.cause


# Frozen.


def test_a_stopped_worker_is_ended_with_its_stacks_and_replaced(ward: Server) -> None:
    with after_fault(ward, "worker SIGSTOP", "idle", models=("Idle",)) as fault:
        pid = fault.pid("Idle")
        stopped = time.monotonic()
        ward.kill(pid, signal.SIGSTOP)
        wait_until(lambda: proc.find(pid) is None, "the end of the stopped process")
        fault.figure("SIGSTOP to the reap, ms", milliseconds_since(stopped))
        (end,) = history(ward, "Idle")
        assert (end.outcome, end.signal, end.requests) == ("killed", "SIGABRT", 0)
        assert f"frozen: no heartbeat for {LIMIT:g} s" in end.cause
        # It was woken for it, and did nothing else: each thread is where it was.
        assert any("engine/engine.py" in line and line.endswith("in run") for line in end.stack)
        assert any("heartbeat.py" in line for line in end.stack)
        assert "Fatal Python error: Aborted" in end.last_lines


def test_a_worker_stopped_in_the_middle_of_its_answers_ends_them_with_the_cause(
    ward: Server,
) -> None:
    with after_fault(ward, "worker SIGSTOP", "mid-decode", models=("Busy",)) as fault:
        streams = fault.streams("Busy", 3)
        ward.kill(fault.pid("Busy"), signal.SIGSTOP)
        for stream in streams:
            assert stream.end() == "error"
            assert stream.error is not None
            assert "frozen" in stream.error["message"]
        (end,) = history(ward, "Busy")
        assert end.requests == 3


def test_a_worker_that_was_stopped_for_a_moment_goes_on(ward: Server) -> None:
    with after_fault(ward, "worker SIGSTOP, SIGCONT", f"{SHORT:g} s", models=("Paused",)) as fault:
        pid, before = fault.pid("Paused"), kills(ward)
        stream = fault.stream("Paused", tokens=1000)
        stream.wait_for_pieces(3)
        ward.kill(pid, signal.SIGSTOP)
        wait_until(after(SHORT), "time to pass")
        ward.kill(pid, signal.SIGCONT)
        assert stream.end() == "done"
        assert stream.text == counted(stream.start, 1000)
        assert (fault.pid("Paused"), kills(ward)) == (pid, before)


def test_when_everything_stood_still_nobody_is_ended(ward: Server) -> None:
    where = f"{LONG:g} s of {LIMIT:g}"
    with after_fault(ward, "everything SIGSTOP", where, models=("Everybody",)) as fault:
        stream = fault.stream("Everybody", tokens=3000)
        stream.wait_for_pieces(3)
        pids, before = {ward.pid, *ward.children()}, kills(ward)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        wait_until(after(LONG), "time to pass")
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        assert stream.end() == "done"
        # The limit begins anew, and is kept.
        wait_until(after(LIMIT + 1), "time to pass")
        assert ward.events("the supervisor itself stood still")
        assert kills(ward) == before
        assert {ward.pid, *ward.children()} == pids


def test_a_worker_that_hardly_gets_a_processor_is_left_alone(ward: Server) -> None:
    with after_fault(ward, "CPU starvation", "mid-decode", models=("Starved",)) as fault:
        pid, before = fault.pid("Starved"), kills(ward)
        for thread in os.listdir(f"/proc/{pid}/task"):
            # Three hundredths of what a thread of the hogs gets.
            os.sched_setscheduler(int(thread), os.SCHED_IDLE, os.sched_param(0))
        with hogs(2 * len(os.sched_getaffinity(0))):
            stream = fault.stream("Starved", tokens=100)
            assert stream.end() == "done"
        gaps = [later - earlier for earlier, later in itertools.pairwise(stream.times)]
        fault.figure("longest time between two tokens, ms", 1000 * max(gaps))
        assert (fault.pid("Starved"), kills(ward)) == (pid, before)


@contextlib.contextmanager
def hogs(count: int) -> Iterator[None]:
    """Processes that want all the processor that nobody but the idle want: other tests run beside
    this one."""
    hog = ["nice", "-n", "10", sys.executable, "-c", "while True: pass"]
    running = [subprocess.Popen(hog) for _ in range(count)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


# The gateway.


def test_a_gateway_whose_loop_hangs_is_replaced_and_the_models_stay(ward: Server) -> None:
    with after_fault(
        ward, "gateway SIGSTOP", "with a stream", models=("Everybody",), gateway_dies=True
    ) as fault:
        pid, gateway = fault.pid("Everybody"), ward.role_pid("gateway")
        assert gateway is not None
        fault.stream("Everybody").wait_for_pieces(3)
        stopped = time.monotonic()
        ward.kill(gateway, signal.SIGSTOP)
        wait_for_gateway_process(ward, gateway)
        wait_for_gateway(ward, gateway)
        fault.figure("SIGSTOP to a new gateway, ms", milliseconds_since(stopped))
        (killing,) = ward.events("killing the gateway")
        assert f"hung: its event loop did nothing for {LIMIT:g} s" in killing["cause"]
        died = ward.events("gateway died")[-1]
        assert killing["cause"] in died["cause"]
        assert "SIGABRT" in died["cause"]
        assert fault.pid("Everybody") == pid


def wait_for_gateway_process(server: Server, old: int) -> None:
    """Until the old one is gone: while it is stopped, nobody can be asked."""
    wait_until(lambda: proc.find(old) is None, "the end of the gateway")


# What is known later.


def test_the_history_is_told_by_the_command_line_and_survives_a_restart(tmp_path: Path) -> None:
    with fault_house(tmp_path, ("Victim",), engine="real") as server:
        assert server.text("Victim", "from 7", max_tokens=3) == counted(7, 3)
        row = server.row("Victim")
        assert row is not None
        server.kill(row["pid"], signal.SIGSEGV)
        wait_until(lambda: history(server, "Victim"), "the history")
        base = f"--base-path={server.base}"
        told = kronk("model", "history", "Victim", base, mark=server.mark)
        assert told.returncode == 0, told.stderr
        head, line = told.stdout.splitlines()
        assert head.split() == ["ENDED", "RAN", "OUTCOME", "REQUESTS", "CAUSE"]
        assert "crashed" in line
        assert "SIGSEGV" in line
        whole = kronk("model", "history", "--stacks", base, mark=server.mark)
        assert "Fatal Python error: Segmentation fault" in whole.stdout
        assert "engine/engine.py" in whole.stdout
        unknown = kronk("model", "history", "Nope", base, mark=server.mark)
        assert (unknown.returncode, unknown.stdout) == (1, "")
        assert "Nope" in unknown.stderr
    # Nobody runs: the file is read.
    local = kronk("model", "history", "--local", "--json", base)
    (crash,) = [row for row in json.loads(local.stdout) if row["outcome"] == "crashed"]
    assert (crash["model"], crash["signal"]) == ("Victim", "SIGSEGV")
    with fault_house(tmp_path, ("Victim",), engine="real") as server:
        ends = history(server, "Victim")
        assert "SIGSEGV" in [end.signal for end in ends]


def test_a_model_that_keeps_crashing_is_held_back_until_it_is_reset(clinic: Server) -> None:
    model = "Crashing-Reset"
    with after_fault(clinic, "crash loop", "reset by hand") as fault:
        assert fault.whole(model, tokens=5).end() == "refused"
        row = clinic.wait_for_row(model, state="failed")
        assert row["retry_in"] > 0
        assert row["last_exit_age"] >= 0
        refused = fault.whole(model, tokens=5)
        assert refused.end() == "refused"
        assert refused.answer is not None
        assert refused.answer.status_code == 503
        headers = refused.answer.headers
        exact = int(headers["retry-after-ms"])
        assert math.ceil(exact / 1000) == int(headers["retry-after"])
        assert len(clinic.events("load started", model=model)) == 5
        assert [end.outcome for end in history(clinic, model)] == ["crashed"] * 5
        wide = kronk("ps", "--wide", f"--base-path={clinic.base}", mark=clinic.mark)
        assert "EXITED AGO" in wide.stdout
        reset = kronk("model", "reset", model, f"--base-path={clinic.base}", mark=clinic.mark)
        assert reset.returncode == 0, reset.stderr
        assert fault.whole(model, tokens=5).end() == "refused"
        assert len(clinic.events("load started", model=model)) == 10


# Memory.

ROOM = 600 * 1024 * 1024


@pytest.fixture
def narrow() -> Iterator[Path]:
    """A cgroup with little memory; skips where this user can make none."""
    root = Path("/sys/fs/cgroup")
    is_v1 = (root / "memory").is_dir()
    folder = root / ("memory" if is_v1 else "") / f"kronk-test-{os.getpid()}"
    limit = "memory.limit_in_bytes" if is_v1 else "memory.max"
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"no cgroup can be made here: {error}")
    try:
        (folder / limit).write_text(str(ROOM))
        yield folder
    except OSError as error:
        pytest.skip(f"memory is not limited by cgroups here: {error}")
    finally:
        # Those that ended may not have left it yet.
        wait_until(lambda: not (folder / "cgroup.procs").read_text(), "an empty cgroup")
        folder.rmdir()


def test_a_worker_that_the_kernel_killed_for_memory_is_said_to_be(
    narrow: Path, tmp_path: Path
) -> None:
    with fault_house(tmp_path, ("Leaking", "Innocent"), {}, FLAGS) as server:
        server.settle()
        for pid in (server.pid, *server.children()):
            (narrow / "cgroup.procs").write_text(str(pid))
        with after_fault(server, "OOM kill", "by its cgroup", models=("Innocent",)) as fault:
            asked = fault.stream("Leaking", "leak at 5")
            assert asked.end() == "error"
            assert asked.error is not None
            assert "SIGKILL: out of memory" in asked.error["message"]
            (end,) = history(server, "Leaking")
            assert (end.outcome, end.signal, end.out_of_memory) == ("crashed", "SIGKILL", True)
            (died,) = server.events("worker died", model="Leaking")
            assert "context_window" in died["hint"]
            # Somebody's SIGKILL is not taken for one of the kernel's, also after that.
            server.kill(fault.pid("Innocent"), signal.SIGKILL)
            wait_until(lambda: history(server, "Innocent"), "its history")
            assert [end.out_of_memory for end in history(server, "Innocent")] == [False]
