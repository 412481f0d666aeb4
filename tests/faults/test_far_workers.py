"""Workers on another host: what they are for, and what a network between can do to them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness import proc
from harness.counting_model import counted
from harness.far import FarHost, Wire, make_known, wires
from harness.server import SMALL, Server, install, kronk, running_server
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


@pytest.fixture
def make_land(tmp_path: Path, slow: Path) -> Iterator[Callable[[str], Land]]:
    with ExitStack() as stack:

        def make(lost_after: str) -> Land:
            head, far = tmp_path / "head", tmp_path / "far"
            token = make_known(head, HOST, lost_after)
            control, data = stack.enter_context(wires(head))
            files = {f"{FAR}.gguf": slow, f"{EITHER}.gguf": slow}
            config = {
                FAR: SMALL | {"context_window": 4096, "worker": HOST},
                EITHER: SMALL | {"context_window": 4096, "worker": [HOST, "local"]},
            }
            server = stack.enter_context(running_server(head, files, config, "--cache-ttl=0"))
            install(far, files)
            host = FarHost(far, control.port, token, server.mark)
            # Before the server is: its workers die with it.
            stack.callback(host.stop)
            land = Land(server, host, control, data, token)
            land.wait_for_host()
            return land

        yield make


def test_a_model_runs_on_the_host_that_its_configuration_names(
    make_land: Callable[[str], Land],
) -> None:
    land = make_land("30s")
    assert land.server.text(FAR, "from 7", max_tokens=20) == counted(7, 20)
    row = land.server.row(FAR)
    assert row is not None
    assert row["host"] == HOST
    worker = proc.find(row["pid"])
    assert worker is not None
    assert worker.parent == land.host.process.pid


def test_a_far_worker_that_dies_is_named_with_its_cause_and_replaced(
    make_land: Callable[[str], Land],
) -> None:
    land = make_land("30s")
    assert land.server.text(FAR, "from 7", max_tokens=3) == counted(7, 3)
    before = land.server.row(FAR)
    assert before is not None
    os.kill(before["pid"], signal.SIGKILL)
    died = wait_until(lambda: land.server.events("worker died", model=FAR), "the news")[0]
    assert "SIGKILL" in died["cause"]
    assert land.server.text(FAR, "from 7", max_tokens=3) == counted(7, 3)
    after = land.server.row(FAR)
    assert after is not None
    assert (after["host"], after["restarts"]) == (HOST, 1)
    assert after["pid"] != before["pid"]


def test_a_short_partition_delays_a_stream_and_loses_nothing(
    make_land: Callable[[str], Land],
) -> None:
    land = make_land("30s")
    with land.server.stream(FAR, "from 7", max_tokens=LONG) as stream:
        stream.wait_for_pieces(5)
        land.cut()
        seen = len(stream.pieces)
        # Five seconds, counted by the host's own beats, which nobody hears.
        wait_until(lambda: stream.is_silent(5.0), "five silent seconds")
        land.mend()
        stream.wait_for_end()
        assert len(stream.pieces) > seen
        assert stream.text == counted(7, LONG)
        assert stream.is_done
    assert not land.server.events("worker host lost")


def test_a_model_whose_only_host_is_away_is_refused_with_the_reason(
    make_land: Callable[[str], Land],
) -> None:
    land = make_land(f"{LOST_AFTER:g}s")
    land.host.stop()
    wait_until(lambda: land.server.events("worker host lost"), "the loss to be noticed")
    answer = land.server.chat(FAR, "from 7", max_tokens=3)
    assert answer.status_code == 503
    assert HOST in answer.json()["error"]["message"]
    assert "Retry-After" in answer.headers


def test_a_token_that_was_taken_back_is_worth_nothing(
    make_land: Callable[[str], Land], tmp_path: Path
) -> None:
    land = make_land("30s")
    gone = kronk("worker", "remove", HOST, f"--base-path={land.server.base}")
    assert gone.returncode == 0, gone.stderr
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    other = FarHost(stranger, land.control.port, land.token, land.server.mark)
    try:
        wait_until(lambda: "worker host started" in other.said, "the stranger to try")
        # The connected one is not heard any more either.
        wait_until(lambda: land.server.chat(FAR, "from 7").status_code == 503, "no host")
        assert "connected to the server" not in other.said
    finally:
        other.stop()
