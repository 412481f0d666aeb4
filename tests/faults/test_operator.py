"""What an operator does to models that are in use, and what a bad configuration does: nothing."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from harness.fault_house import write_config
from harness.invariants import after_fault, milliseconds_since
from harness.server import Server
from harness.waiting import PATIENCE, wait_until

BAD = ("{", "models: {Emptied: {context_window: -1}}", "models: {A: {nonsense: 1}}")


def unload(server: Server, model: str, *, force: bool) -> Any:
    """Returns when its memory is free."""
    url = f"{server.url}/v1/kronk/models/{model}/unload"
    answer = httpx.post(url, json={"force": force}, timeout=PATIENCE)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_an_unload_waits_for_streams_and_those_who_come_meanwhile_are_served_after_it(
    mill: Server,
) -> None:
    with (
        after_fault(mill, "unload", "during 3 streams", models=("Emptied",), refused=False) as f,
        ThreadPoolExecutor(1) as pool,
    ):
        pid = f.pid("Emptied")
        streams = f.streams("Emptied", 3, "pace 10", tokens=250)
        asked = pool.submit(unload, mill, "Emptied", force=False)
        mill.wait_for_row("Emptied", state="draining")
        late = f.whole("Emptied", tokens=5)
        assert {stream.end() for stream in streams} == {"done"}
        assert late.end() == "done"
        asked.result()
        assert f.pid("Emptied") != pid


def test_a_forced_unload_ends_streams_and_says_whose_will_it_was(mill: Server) -> None:
    with after_fault(mill, "unload --force", "during 3 streams", models=("Emptied",)) as fault:
        streams = fault.streams("Emptied", 3)
        begun = time.monotonic()
        unload(mill, "Emptied", force=True)
        fault.figure("until its memory was free, ms", milliseconds_since(begun))
        for stream in streams:
            assert stream.end() == "error"
            assert stream.error is not None
            assert stream.error["code"] == "model_unloaded"


def test_an_unload_during_a_load_ends_the_load_and_those_who_wait_for_it(mill: Server) -> None:
    with after_fault(mill, "unload", "during a load") as fault:
        waiting = [fault.stream("Slowly-Emptied", tokens=5) for _ in range(3)]
        mill.wait_for_row("Slowly-Emptied", state="loading", queued=3)
        unload(mill, "Slowly-Emptied", force=False)
        for stream in waiting:
            assert stream.end() == "refused"
            assert stream.error is not None
            assert stream.error["code"] == "model_unloaded"
        assert (mill.row("Slowly-Emptied") or {}).get("pid") is None


def test_a_bad_configuration_is_not_taken_and_nobody_notices(mill: Server) -> None:
    path = mill.base / "models.yaml"
    good = path.read_text()
    with after_fault(
        mill, "reload", "of a bad configuration, 3 streams", models=("Emptied",), refused=False
    ) as fault:
        pid = fault.pid("Emptied")
        streams = fault.streams("Emptied", 3, "pace 10", tokens=100)
        try:
            for bad in (
                "{",
                "models: {Emptied: {context_window: -1}}",
                "models: {A: {nonsense: 1}}",
            ):
                path.write_text(bad)
                answer = httpx.post(f"{mill.url}/v1/kronk/reload", timeout=PATIENCE)
                assert answer.status_code == 400, answer.text
                os.kill(mill.pid, signal.SIGHUP)
        finally:
            path.write_text(good)
        assert {stream.end() for stream in streams} == {"done"}
        assert fault.pid("Emptied") == pid
        # The last signal may have been heard when the file was good again.
        assert all(event["changed"] == [] for event in mill.events("configuration reloaded"))


def test_a_reload_during_streams_changes_their_model_once_they_have_ended(mill: Server) -> None:
    with after_fault(
        mill, "reload", "of another window, 3 streams", models=("Emptied",), refused=False
    ) as fault:
        pid = fault.pid("Emptied")
        streams = fault.streams("Emptied", 3, "pace 10", tokens=100)
        path = mill.base / "models.yaml"
        good = path.read_text()
        models = [line.split(":")[0].strip() for line in good.splitlines() if line.endswith(":")]
        write_config(mill.base, models[1:], {"Emptied": {"context_window": 512}})
        answer = httpx.post(f"{mill.url}/v1/kronk/reload", timeout=PATIENCE)
        assert answer.status_code == 200, answer.text
        assert {stream.end() for stream in streams} == {"done"}
        assert fault.whole("Emptied", tokens=5).end() == "done"
        wait_until(lambda: fault.pid("Emptied") != pid, "another process")
