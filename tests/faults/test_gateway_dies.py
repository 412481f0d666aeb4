"""The gateway may die: workers stay loaded and serve again through its successor."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness import proc
from harness.counting_model import counted
from harness.damage import held, serves
from harness.server import SMALL, Server
from harness.waiting import wait_until

MODELS = ("A", "B")


@pytest.fixture
def server(start_server: Any, slow: Path) -> Server:
    config = {model: SMALL | {"context_window": 8192} for model in MODELS}
    started: Server = start_server({f"{m}.gguf": slow for m in MODELS}, config, "--cache-ttl=0")
    serves(started, *MODELS)
    started.settle()
    return started


def workers(server: Server) -> dict[str, tuple[int, int]]:
    return {row["model"]: (row["pid"], row["generation"]) for row in server.status()["data"]}


def kill_gateway(server: Server) -> int:
    """Kill it, and wait for another; returns the pid of the new one."""
    old = server.role_pid("gateway")
    assert old is not None
    server.kill(old)
    wait_until(lambda: proc.find(old) is None, "the reap")

    def successor() -> int | None:
        try:
            return server.role_pid("gateway")
        except httpx.TransportError:
            # Connections the old one had accepted already.
            return None

    new = wait_until(successor, "a new gateway")
    assert new != old
    return new


def test_workers_survive_the_gateway_and_serve_again(server: Server) -> None:
    before, descriptors = workers(server), held(server)
    with ExitStack() as streams:
        running = [
            streams.enter_context(server.stream(model, f"from {n}", max_tokens=4000))
            for model in MODELS
            for n in (7, 300)
        ]
        for stream in running:
            stream.wait_for_pieces(3)
        kill_gateway(server)
        for stream in running:
            # They see their connection close, and no end of an answer.
            stream.wait_for_end()
            assert not stream.is_done
            assert stream.finish_reason is None
            assert stream.error is None

    # Nothing of the old requests comes out of the new gateway, and their slots are free.
    serves(server, *MODELS)
    for model in MODELS:
        server.wait_for_row(model, active_streams=0, slots_busy=0)
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(server.text, "A", f"from {n}", max_tokens=30) for n in range(8)]
        assert [one.result() for one in asked] == [counted(n, 30) for n in range(8)]

    assert workers(server) == before
    rows = server.ps()
    assert [(row["restarts"], row["last_exit"]) for row in rows] == [(0, None)] * 2
    server.settle()
    assert proc.zombies(server.pid) == []
    wait_until(
        lambda: all(count <= descriptors[role] for role, count in held(server).items()),
        lambda: f"descriptors as before: {descriptors}, now {held(server)}",
    )
    (death,) = server.events("gateway died")
    assert "SIGKILL" in death["cause"]


def test_fifty_streams_break_off_and_their_workers_never_notice(
    start_server: Any, slow: Path
) -> None:
    # Eight of each model write, the others wait in their workers.
    config = dict.fromkeys(MODELS, SMALL | {"context_window": 8192, "queue_depth": 4})
    server: Server = start_server({f"{m}.gguf": slow for m in MODELS}, config, "--cache-ttl=0")
    serves(server, *MODELS)
    before = workers(server)
    with ExitStack() as streams:
        running = [
            streams.enter_context(server.stream(MODELS[n % 2], f"from {n}", max_tokens=4000))
            for n in range(50)
        ]
        for model in MODELS:
            server.wait_for_row(model, active_streams=25, slots_busy=8)
        kill_gateway(server)
        for stream in running:
            stream.wait_for_end()
            assert (stream.is_done, stream.finish_reason, stream.error) == (False, None, None)
    serves(server, *MODELS)
    for model in MODELS:
        server.wait_for_row(model, active_streams=0, slots_busy=0, queued=0)
    assert workers(server) == before
    assert [row["restarts"] for row in server.status()["data"]] == [0, 0]


def test_connections_that_come_while_no_gateway_runs_are_served_by_the_next(
    server: Server,
) -> None:
    old = server.role_pid("gateway")
    assert old is not None
    with ThreadPoolExecutor(4) as pool:
        server.kill(old)
        wait_until(lambda: proc.is_gone(old), "its end")
        asked = [pool.submit(server.text, "A", f"from {n}", max_tokens=5) for n in range(4)]
        assert [one.result() for one in asked] == [counted(n, 5) for n in range(4)]


def test_a_gateway_that_is_asked_to_leave_finishes_its_streams_and_is_replaced(
    server: Server,
) -> None:
    before = workers(server)
    old = server.role_pid("gateway")
    assert old is not None
    with server.stream("A", "from 7", max_tokens=100) as stream:
        stream.wait_for_pieces(3)
        # By an operator; the supervisor knows nothing of it.
        server.kill(old, signal.SIGTERM)
        stream.wait_for_end()
        assert stream.text == counted(7, 100)
        assert stream.is_done
    wait_until(lambda: proc.find(old) is None, "the reap")
    wait_until(lambda: len(server.children()) == 4, "a new gateway")
    serves(server, *MODELS)
    assert workers(server) == before
