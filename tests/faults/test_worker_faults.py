"""A worker that dies, stands still or will not go, by the script of a fake engine."""

from __future__ import annotations

import os
import resource
import signal
import time
from pathlib import Path

import httpx
import pytest

from harness import proc
from harness.invariants import after_fault, milliseconds_since
from harness.server import Server
from harness.waiting import PATIENCE, pause, wait_until

NAMES = {
    "kill": "SIGKILL",
    "segv": "SIGSEGV",
    "abrt": "SIGABRT",
    "exit=0": "exit 0",
    "exit=1": "exit 1: uncaught exception",
}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_a_worker_that_dies_idle_is_missed_by_nobody(lab: Server, number: signal.Signals) -> None:
    with after_fault(lab, f"worker {number.name}", "idle", models=("Idle",)) as fault:
        pid = fault.pid("Idle")
        killed = time.monotonic()
        lab.kill(pid, number)
        asked = fault.whole("Idle", tokens=1)
        assert asked.end() == "done"
        fault.figure("kill to the next answer, ms", milliseconds_since(killed))
        assert fault.pid("Idle") != pid


@pytest.mark.parametrize("word", [*NAMES])
def test_a_worker_that_dies_in_the_middle_takes_its_own_requests_along(
    lab: Server, word: str
) -> None:
    victim = "Leaving" if word.startswith("exit") else "Talking"
    with after_fault(lab, f"worker {NAMES[word]}", "mid-stream", models=(victim,)) as fault:
        others = fault.streams(victim, 3)
        plain = fault.whole(victim)
        lab.wait_for_row(victim, active_streams=4)
        culprit = fault.stream(victim, f"{word} at 5")
        for asked in (*others, culprit):
            asked.wait_for_end()
            assert asked.end() == "error"
            assert asked.error is not None
            assert asked.error["code"] == "model_crashed"
            assert NAMES[word] in asked.error["message"]
        assert plain.end() == "refused"
        assert len(culprit.pieces) == 5
        told = max(asked.times[-1] for asked in others) - culprit.times[-2]
        fault.figure("last token to the last error, ms", 1000 * told)


@pytest.mark.parametrize("word", ["kill", "segv"])
def test_a_worker_that_dies_while_it_reads_a_prompt_says_so_as_a_status_or_an_event(
    lab: Server, word: str
) -> None:
    with after_fault(lab, f"worker {NAMES[word]}", "prefill", models=("Reading",)) as fault:
        plain = fault.whole("Reading", f"{word} at 0")
        assert plain.end() == "refused"
        assert plain.error is not None
        assert plain.error["code"] == "model_crashed"
        streamed = fault.stream("Reading", f"{word} at 0")
        assert streamed.end() in ("error", "refused")
        assert streamed.pieces == []


def test_requests_in_the_queue_of_a_worker_end_with_it(lab: Server) -> None:
    with after_fault(lab, "worker SIGKILL", "12 on 8 slots", models=("Waiting",)) as fault:
        crowd = [fault.stream("Waiting") for _ in range(12)]
        lab.wait_for_row("Waiting", active_streams=12)
        lab.kill(fault.pid("Waiting"))
        assert {asked.end() for asked in crowd} <= {"error", "refused"}


def test_a_poison_prompt_harms_only_the_model_it_is_sent_to(lab: Server) -> None:
    with after_fault(lab, "poison prompt", "sent three times", models=("Poisoned",)) as fault:
        for _ in range(3):
            assert fault.whole("Poisoned", "segv at 2").end() == "refused"
            assert fault.whole("Poisoned", tokens=20).end() == "done"


def test_a_worker_that_dies_while_it_loads_is_replaced_under_its_waiters(lab: Server) -> None:
    with after_fault(lab, "worker SIGKILL", "during load", refused=False) as fault:
        begun = time.monotonic()
        waiting = [fault.whole("Once", tokens=5) for _ in range(5)]
        assert {asked.end() for asked in waiting} == {"done"}
        fault.figure("first request to last answer, ms", milliseconds_since(begun))
        assert len(lab.events("load started", model="Once")) == 2
        lab.kill(fault.pid("Once"))


def test_a_model_that_crashes_at_every_load_is_given_up_and_costs_nobody_else(
    lab: Server,
) -> None:
    with after_fault(lab, "crash loop", "at boot") as fault:
        begun = time.monotonic()
        waiting = [fault.stream("Crashing", tokens=5) for _ in range(5)]
        assert {asked.end() for asked in waiting} == {"refused"}
        fault.figure("first request to giving up, ms", milliseconds_since(begun))
        for asked in waiting:
            assert asked.error is not None
            assert asked.error["code"] == "model_failed"
            assert "out of cheese" in asked.error["message"]
        starts = len(lab.events("load started", model="Crashing"))
        assert starts == 5
        # Held back: the next is refused at once, and costs no process.
        again = fault.whole("Crashing", tokens=5)
        assert again.end() == "refused"
        assert again.answer is not None
        assert int(again.answer.headers["retry-after"]) > 0
        assert len(lab.events("load started", model="Crashing")) == starts


def test_a_load_that_finds_no_memory_is_an_error_with_its_reason(lab: Server) -> None:
    with after_fault(lab, "allocation failure", "at load, said by the engine") as fault:
        asked = fault.whole("Unallocatable", tokens=5)
        assert asked.end() == "refused"
        assert asked.error is not None
        assert asked.error["code"] == "model_failed"
        assert "not enough memory" in asked.error["message"]


def test_a_load_under_a_limit_of_memory_is_an_error_with_its_reason(lab: Server) -> None:
    with after_fault(lab, "allocation failure", "at load, RLIMIT_AS") as fault:
        lab.settle()
        spare = lab.role_pid("spare")
        assert spare is not None
        limit(spare, resource.RLIMIT_AS, address_space(spare) + 100_000_000)
        asked = fault.whole("Hoarding", tokens=5)
        assert asked.end() == "refused"
        assert asked.error is not None
        assert "not enough memory" in asked.error["message"]


def test_a_worker_that_reaches_its_limit_of_memory_dies_alone(lab: Server) -> None:
    with after_fault(lab, "allocation failure", "mid-stream, RLIMIT_AS", models=("Bounded",)) as f:
        pid = f.pid("Bounded")
        limit(pid, resource.RLIMIT_AS, address_space(pid) + 100_000_000)
        asked = f.stream("Bounded", "leak at 4")
        assert asked.end() == "error"
        assert asked.error is not None
        assert "MemoryError" in asked.error["message"]


CGROUPS = Path("/sys/fs/cgroup/memory")


def test_a_worker_that_the_kernel_kills_for_its_memory_dies_alone(lab: Server) -> None:
    group = CGROUPS / f"kronk-test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no memory cgroup of our own: {error}")
    try:
        (group / "memory.limit_in_bytes").write_text("200000000")
        with after_fault(lab, "OOM kill", "mid-stream, cgroup", models=("Leaking",)) as fault:
            pid = fault.pid("Leaking")
            (group / "cgroup.procs").write_text(str(pid))
            asked = fault.stream("Leaking", "leak at 4")
            assert asked.end() == "error"
            assert asked.error is not None
            assert "SIGKILL" in asked.error["message"]
    finally:
        wait_until(lambda: not (group / "cgroup.procs").read_text(), "an empty cgroup")
        group.rmdir()


def test_a_worker_that_is_stopped_idle_and_continued_is_left_alone(lab: Server) -> None:
    with after_fault(lab, "SIGSTOP, SIGCONT", "idle", models=("Paused",), refused=False) as fault:
        pid = fault.pid("Paused")
        lab.kill(pid, signal.SIGSTOP)
        asked = fault.whole("Paused", tokens=5)
        lab.wait_for_row("Paused", active_streams=1)
        pause(2)
        lab.kill(pid, signal.SIGCONT)
        assert asked.end() == "done"
        assert fault.pid("Paused") == pid


def test_a_worker_that_is_stopped_while_it_writes_and_continued_is_left_alone(
    lab: Server,
) -> None:
    where = "mid-decode, 2 s"
    with after_fault(lab, "SIGSTOP, SIGCONT", where, models=("Paused",), refused=False) as fault:
        pid = fault.pid("Paused")
        streams = fault.streams("Paused", 3, tokens=150)
        lab.kill(pid, signal.SIGSTOP)
        pause(2)
        assert all(stream.ended_at is None for stream in streams), "too fast to show anything"
        lab.kill(pid, signal.SIGCONT)
        assert {stream.end() for stream in streams} == {"done"}
        assert fault.pid("Paused") == pid


def test_a_worker_that_holds_the_gil_for_twenty_seconds_is_left_alone(lab: Server) -> None:
    with after_fault(lab, "GIL held 20 s", "prefill", models=("Held",), refused=False) as fault:
        pid = fault.pid("Held")
        begun = time.monotonic()
        asked = fault.stream("Held", "hold=20 at 0", tokens=5)
        assert asked.end() == "done"
        fault.figure("silence, ms", milliseconds_since(begun))
        assert milliseconds_since(begun) > 20_000
        assert fault.pid("Held") == pid


def test_a_grandchild_that_holds_the_pipe_goes_with_its_worker(lab: Server) -> None:
    with after_fault(lab, "grandchild holds stdout", "worker SIGKILL", models=("Parent",)) as fault:
        pid = fault.pid("Parent")
        stream = fault.stream("Parent", "child at 2")
        stream.wait_for_pieces(5)
        grandchildren = proc.children(pid)
        # One since the load.
        assert len(grandchildren) == 2
        killed = time.monotonic()
        lab.kill(pid)
        assert stream.end() == "error"
        wait_until(lambda: all(proc.is_gone(one.pid) for one in grandchildren), "their end")
        fault.figure("kill to the grandchildren's end, ms", milliseconds_since(killed))


def test_a_worker_deaf_to_every_request_to_leave_is_killed(lab: Server) -> None:
    with after_fault(lab, "ignores Stop and SIGTERM", "unload") as fault:
        assert fault.whole("Deaf", tokens=5).end() == "done"
        pid = fault.pid("Deaf")
        asked = time.monotonic()
        unload(lab, "Deaf")
        wait_until(lambda: proc.find(pid) is None, "its end", timeout=PATIENCE)
        fault.figure("unload to its end, ms", milliseconds_since(asked))


def unload(server: Server, model: str) -> None:
    """As Ollama's clients do."""
    body = {"model": model, "keep_alive": 0}
    httpx.post(f"{server.url}/api/generate", json=body, timeout=PATIENCE).raise_for_status()


def limit(pid: int, what: int, value: int) -> None:
    resource.prlimit(pid, what, (value, value))


def address_space(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[0])
    return pages * os.sysconf("SC_PAGE_SIZE")
