"""A part of the matrix again with real workers: llama.cpp, its threads and its mapped files."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from harness import counting_model
from harness.fault_house import fault_house
from harness.invariants import after_fault, milliseconds_since, wait_for_gateway
from harness.server import Server
from harness.waiting import pause

MODELS = ("Idle", "Talking", "Reading", "Paused", "Cut", "Replaced", "Front")
# A prompt that takes a second to read.
LONG_PROMPT = "1 2 3 4 5 6 7 8 9 " * 150


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Real workers, with the settings and back-offs users have."""
    base = tmp_path_factory.mktemp("mine")
    config = {name: {"context_window": 8192} for name in (*MODELS, "Bystander")}
    limits = {"restart.FIRST_DELAY": 1.0}
    with fault_house(base, MODELS, config, limits=limits, engine="real") as server:
        yield server


def test_a_real_worker_that_dies_idle_is_missed_by_nobody(mine: Server) -> None:
    with after_fault(mine, "real worker SIGKILL", "idle", models=("Idle",)) as fault:
        killed = time.monotonic()
        mine.kill(fault.pid("Idle"))
        assert fault.whole("Idle", tokens=1).end() == "done"
        fault.figure("kill to the next answer, ms", milliseconds_since(killed))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_streams_of_a_real_worker_go_on_in_the_next(mine: Server, number: signal.Signals) -> None:
    what = f"real worker {number.name}"
    with after_fault(mine, what, "mid-stream, resumed", models=("Talking",), refused=False) as f:
        streams = f.streams("Talking", 3, tokens=200)
        mine.kill(f.pid("Talking"), number)
        assert {stream.end() for stream in streams} == {"done"}
        pause = max(max(b - a for a, b in pairwise(stream.times)) for stream in streams)
        f.figure("kill to the next token, ms", 1000 * pause)


def test_a_prompt_that_a_real_worker_died_of_reading_is_read_again(mine: Server) -> None:
    with after_fault(
        mine, "real worker SIGKILL", "prefill, resumed", models=("Reading",), refused=False
    ) as fault:
        asked = fault.stream("Reading", LONG_PROMPT, tokens=5)
        mine.wait_for_row("Reading", active_streams=1)
        mine.kill(fault.pid("Reading"))
        assert asked.end() == "done"


def test_a_real_worker_that_is_stopped_and_continued_goes_on(mine: Server) -> None:
    with after_fault(
        mine, "real worker SIGSTOP, SIGCONT", "mid-decode, 2 s", models=("Paused",), refused=False
    ) as fault:
        pid = fault.pid("Paused")
        streams = fault.streams("Paused", 3, tokens=300)
        mine.kill(pid, signal.SIGSTOP)
        pause(2)
        mine.kill(pid, signal.SIGCONT)
        assert {stream.end() for stream in streams} == {"done"}
        assert fault.pid("Paused") == pid


def test_real_workers_stay_when_the_gateway_dies(mine: Server) -> None:
    with after_fault(
        mine, "gateway SIGKILL", "real worker, 3 streams", models=("Front",), gateway_dies=True
    ) as fault:
        pid = fault.pid("Front")
        streams = fault.streams("Front", 3)
        gateway = mine.role_pid("gateway")
        assert gateway is not None
        killed = time.monotonic()
        mine.kill(gateway)
        assert {stream.end() for stream in streams} == {"broken"}
        wait_for_gateway(mine, gateway)
        assert fault.whole("Front", tokens=1).end() == "done"
        fault.figure("kill to the next answer, ms", milliseconds_since(killed))
        assert fault.pid("Front") == pid


def own_copy(server: Server, model: str) -> Path:
    """The model's file with a content of its own: the others are the same file."""
    path = server.base / "models" / f"{model}.gguf"
    path.unlink()
    counting_model.write(path, hidden=4096)
    return path


def test_a_model_file_that_is_cut_off_while_it_is_loaded_is_refused_then(mine: Server) -> None:
    path = own_copy(mine, "Cut")
    with after_fault(mine, "GGUF truncated", "while loaded") as fault:
        assert fault.whole("Cut", tokens=3).end() == "done"
        os.truncate(path, 100_000)
        # Its pages are gone from under it; whether it needs them is the kernel's affair.
        asked = fault.stream("Cut", tokens=50)
        end = asked.end()
        fault.figure("served from what was in memory", end == "done")
        if end != "done":
            assert asked.error is not None
        if (row := mine.row("Cut")) and row["pid"]:
            mine.kill(row["pid"])
        again = fault.whole("Cut", tokens=3)
        assert again.end() == "refused"
        assert again.error is not None
        assert again.error["code"] in ("invalid_argument", "model_failed", "not_found")
        fault.figure("status then", again.answer.status_code if again.answer else 0)


def test_a_model_file_that_is_replaced_is_loaded_anew_the_next_time(mine: Server) -> None:
    path = own_copy(mine, "Replaced")
    with after_fault(mine, "GGUF replaced", "while loaded", models=("Replaced",)) as fault:
        pid = fault.pid("Replaced")
        stream = fault.stream("Replaced", tokens=100)
        other = path.with_suffix(".new")
        counting_model.write(other, hidden=2048)
        other.replace(path)
        # What is loaded is the old file, and stays.
        assert stream.end() == "done"
        assert fault.whole("Replaced", tokens=3).end() == "done"
        assert fault.pid("Replaced") == pid
        mine.kill(pid)
        assert fault.whole("Replaced", tokens=3).end() == "done"
