"""Workers on another host: what they are for, and what a network between can do to them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from harness import proc
from harness.counting_model import counted
from harness.far import FarHost, Wire, make_known, wires
from harness.server import SMALL, Server, free_port, install, kronk, running_server
from harness.waiting import wait_until

# The name of the host in the fixtures, and of the models by where they may run.
HOST, FAR, EITHER = "gpu1", "Far", "Either"
LOST_AFTER = 2.0
LONG = 600


@dataclass
class Land:
    """A server, its worker host and the wires between them."""

    server: Server
    host: FarHost
    control: Wire
    data: Wire
    token: str
    # The debug server's address.
    debug: str

    def cut(self) -> None:
        self.control.cut()
        self.data.cut()

    def mend(self) -> None:
        self.control.mend()
        self.data.mend()

    def wait_for_host(self) -> None:
        wait_until(
            lambda: self.server.events("worker host connected"),
            lambda: f"the host: {self.host.said}",
        )


@contextmanager
def land(folder: Path, model: Path, lost_after: str) -> Iterator[Land]:
    head, far = folder / "head", folder / "far"
    token = make_known(head, HOST, lost_after)
    files = {f"{FAR}.gguf": model, f"{EITHER}.gguf": model}
    config = {
        FAR: SMALL | {"context_window": 4096, "worker": HOST},
        EITHER: SMALL | {"context_window": 4096, "worker": [HOST, "local"]},
    }
    debug = f"127.0.0.1:{free_port()}"
    with (
        wires(head) as (control, data),
        running_server(head, files, config, "--cache-ttl=0", f"--debug-host={debug}") as server,
    ):
        install(far, files)
        host = FarHost(far, control.port, token, server.mark)
        try:
            made = Land(server, host, control, data, token, f"http://{debug}")
            made.wait_for_host()
            yield made
        finally:
            # Before the server is: its workers die with it.
            host.stop()


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory, slow: Path) -> Iterator[Land]:
    """A server that waits for its host for long."""
    with land(tmp_path_factory.mktemp("patient"), slow, "30s") as made:
        yield made


@pytest.fixture
def hasty(tmp_path: Path, slow: Path) -> Iterator[Land]:
    """One that does not, and that a test may leave without its host."""
    with land(tmp_path, slow, f"{LOST_AFTER:g}s") as made:
        yield made


def test_a_model_runs_on_the_host_that_its_configuration_names(
    patient: Land,
) -> None:
    assert patient.server.text(FAR, "from 7", max_tokens=20) == counted(7, 20)
    row = patient.server.row(FAR)
    assert row is not None
    assert row["host"] == HOST
    worker = proc.find(row["pid"])
    assert worker is not None
    assert worker.parent == patient.host.process.pid


def test_a_far_worker_is_looked_into_through_its_host(patient: Land) -> None:
    assert patient.server.text(FAR, "from 7", max_tokens=1) == counted(7, 1)
    stacks = httpx.get(f"{patient.debug}/debug/stacks?process={FAR}", timeout=60)
    assert stacks.status_code == 200, stacks.text
    assert "worker/engine/engine.py" in stacks.text and f"on {HOST}" in stacks.text
    heap = httpx.get(f"{patient.debug}/debug/pprof/heap?process={FAR}&seconds=0.1", timeout=60)
    assert heap.status_code == 200 and "builtins.dict" in heap.text
    # Its memory is read there.
    profile = httpx.get(f"{patient.debug}/debug/pprof/profile?process={FAR}", timeout=60)
    assert profile.status_code == 501
    assert HOST in profile.json()["error"]["message"]


def test_a_far_worker_that_dies_is_named_with_its_cause_and_replaced(
    patient: Land,
) -> None:
    assert patient.server.text(FAR, "from 7", max_tokens=3) == counted(7, 3)
    before = patient.server.row(FAR)
    assert before is not None
    os.kill(before["pid"], signal.SIGKILL)
    died = wait_until(lambda: patient.server.events("worker died", model=FAR), "the news")[0]
    assert "SIGKILL" in died["cause"]
    assert patient.server.text(FAR, "from 7", max_tokens=3) == counted(7, 3)
    after = patient.server.row(FAR)
    assert after is not None
    assert (after["host"], after["restarts"]) == (HOST, 1)
    assert after["pid"] != before["pid"]


def test_a_short_partition_delays_a_stream_and_loses_nothing(
    patient: Land,
) -> None:
    with patient.server.stream(FAR, "from 7", max_tokens=LONG) as stream:
        stream.wait_for_pieces(5)
        patient.cut()
        seen = len(stream.pieces)
        # Five seconds, counted by the host's own beats, which nobody hears.
        wait_until(lambda: stream.is_silent(5.0), "five silent seconds")
        patient.mend()
        stream.wait_for_end()
        assert len(stream.pieces) > seen
        assert stream.text == counted(7, LONG)
        assert stream.is_done
    assert not patient.server.events("worker host lost")


def test_a_model_whose_only_host_is_away_is_refused_with_the_reason(
    hasty: Land,
) -> None:
    hasty.host.stop()
    wait_until(lambda: hasty.server.events("worker host lost"), "the loss to be noticed")
    answer = hasty.server.chat(FAR, "from 7", max_tokens=3)
    assert answer.status_code == 503
    assert HOST in answer.json()["error"]["message"]
    assert "Retry-After" in answer.headers


def test_a_token_that_was_taken_back_is_worth_nothing(hasty: Land, tmp_path: Path) -> None:
    gone = kronk("worker", "remove", HOST, f"--base-path={hasty.server.base}")
    assert gone.returncode == 0, gone.stderr
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    other = FarHost(stranger, hasty.control.port, hasty.token, hasty.server.mark)
    try:
        wait_until(lambda: "worker host started" in other.said, "the stranger to try")
        # The connected one is not heard any more either.
        wait_until(lambda: hasty.server.chat(FAR, "from 7").status_code == 503, "no host")
        assert "connected to the server" not in other.said
    finally:
        other.stop()


def test_after_a_long_partition_the_model_runs_elsewhere_and_the_old_worker_ends(
    hasty: Land,
) -> None:
    assert hasty.server.text(EITHER, "from 7", max_tokens=3) == counted(7, 3)
    before = hasty.server.row(EITHER)
    assert before is not None
    assert before["host"] == HOST
    with hasty.server.stream(EITHER, "from 9", max_tokens=LONG) as stream:
        stream.wait_for_pieces(5)
        hasty.cut()
        wait_until(lambda: hasty.server.events("worker host lost"), "the loss to be noticed")
        # Who asks now is served on this machine.
        assert hasty.server.text(EITHER, "from 7", max_tokens=3) == counted(7, 3)
        row = hasty.server.row(EITHER)
        assert row is not None
        assert row["host"] is None
        assert row["generation"] != before["generation"]
        # The host has given up as well, and its memory is free.
        wait_until(lambda: proc.is_gone(before["pid"]), "the old worker's end")
        hasty.mend()
        stream.wait_for_end()
        assert stream.text == counted(9, LONG)
    # It is back, and does no harm.
    wait_until(
        lambda: len(hasty.server.events("worker host connected")) == 2,
        lambda: f"the host again: {hasty.host.said}",
    )
    assert hasty.server.text(FAR, "from 7", max_tokens=3) == counted(7, 3)


def test_a_host_that_dies_takes_its_workers_along(hasty: Land) -> None:
    assert hasty.server.text(EITHER, "from 7", max_tokens=3) == counted(7, 3)
    row = hasty.server.row(EITHER)
    assert row is not None
    hasty.host.process.kill()
    hasty.host.process.wait()
    wait_until(lambda: proc.is_gone(row["pid"]), "the worker's end")
    assert hasty.server.text(EITHER, "from 8", max_tokens=3) == counted(8, 3)
    now = hasty.server.row(EITHER)
    assert now is not None
    assert now["host"] is None
