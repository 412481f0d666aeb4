"""A client that goes away, on every route, at every stage: its place is free within one step."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from harness import counting_model, random_pooled
from harness.counting_model import counted
from harness.random_pooled import MEAN, RERANKER
from harness.routes import CHAT, EMBED, JSON_ROUTES, RERANK, WRITING
from harness.server import Server, running_server
from harness.waiting import PATIENCE, wait_until

# Sixteen milliseconds a token and more: none of these answers ends by itself while a test waits.
HIDDEN, WINDOW = 32768, 8192
CASES = [(path, streamed) for path in WRITING for streamed in (False, True)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("models")
    slow = folder / "slow.gguf"
    counting_model.write(slow, hidden=HIDDEN)
    files: dict[str, Path] = {
        "test/slow/Slow.gguf": slow,
        # Loaded while a test waits for it, so each under the name of one test.
        f"test/tiny/{CHAT}.gguf": random_pooled.CHAT,
        f"test/tiny/{EMBED}.gguf": random_pooled.encoder(folder / "mean.gguf", MEAN),
        f"test/tiny/{RERANK}.gguf": RERANKER,
    }
    small = {"context_window": WINDOW, "n_threads": 1, "queue_timeout": "10m"}
    config: dict[str, Any] = {
        "Slow": small | {"n_seq_max": 1, "queue_depth": 40},
        "Slow/WIDE": small | {"n_seq_max": len(CASES)},
        **{name: {"n_threads": 1} for name in (CHAT, EMBED, RERANK)},
    }
    base = tmp_path_factory.mktemp("leaving")
    flags = ("--cache-ttl=0", "--models-in-cache=9", "--stream-keepalive=20ms")
    with running_server(base, files, config, *flags) as server:
        yield server
        assert server.alarms() == []


class Caller:
    """A client that can hang up."""

    def __init__(self, server: Server, path: str, body: dict[str, Any]) -> None:
        self.path = path
        self.received = b""
        self._socket = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
        content = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(content)}\r\n\r\n"
        self._socket.sendall(head.encode() + content)

    def hear(self, text: bytes) -> None:
        """Until that has come."""
        while text not in self.received:
            part = self._socket.recv(65536)
            assert part, self.received
            self.received += part

    def hang_up(self) -> None:
        """Leave."""
        self._socket.close()


def callers(server: Server, stack: ExitStack, model: str, prompt: str) -> list[Caller]:
    """One on each route that writes, for a stream and for a whole answer; none can end soon."""
    found = []
    for path, streamed in CASES:
        body = {"model": model, "stream": streamed, **WRITING[path](prompt, WINDOW // 2)}
        caller = Caller(server, path, body)
        stack.callback(caller.hang_up)
        found.append(caller)
    return found


def alive(server: Server, model: str) -> int:
    """Requests that run or wait."""
    row = server.row(model)
    return row["active_streams"] + row["queued"] if row is not None else 0


def leave(server: Server, model: str, leaving: list[Caller], staying: int = 0) -> None:
    """All hang up one by one, and each time one request less is alive."""
    left = staying + len(leaving)
    wait_for_alive(server, model, left, "all of them")
    for caller in leaving:
        caller.hang_up()
        left -= 1
        wait_for_alive(server, model, left, f"the end of {caller.path}")


def wait_for_alive(server: Server, model: str, count: int, what: str) -> None:
    wait_until(lambda: alive(server, model) == count, what)


def assert_free(server: Server, model: str) -> None:
    """Nothing is worked on, and the model serves."""
    server.wait_for_row(model, active_streams=0, slots_busy=0, queued=0)
    assert server.text(model, "from 7", max_tokens=3) == counted(7, 3)


def keeps_alive(path: str) -> bytes | None:
    """What a stream of that route says while there is nothing to say."""
    if path.startswith("/api/"):
        return None
    return b"event: ping" if path == "/v1/messages" else b": keep-alive\n\n"


def test_clients_that_leave_the_queue_are_forgotten(server: Server) -> None:
    with ExitStack() as stack, server.stream("Slow", "from 1", max_tokens=4000) as running:
        running.wait_for_pieces(1)
        waiting = callers(server, stack, "Slow", "from 7")
        server.wait_for_row("Slow", queued=len(CASES))
        for caller, (path, streamed) in zip(waiting, CASES, strict=True):
            if streamed and (sign := keeps_alive(path)):
                caller.hear(sign)
        leave(server, "Slow", waiting, staying=1)
        # Who was served noticed nothing.
        pieces = len(running.pieces)
        running.wait_for_pieces(pieces + 2)
        assert running.text == counted(1, len(running.pieces))
    assert_free(server, "Slow")


def test_clients_that_leave_while_their_prompts_are_read_stop_the_reading(server: Server) -> None:
    server.text("Slow/WIDE", "from 7", max_tokens=1)
    with ExitStack() as stack:
        reading = callers(server, stack, "Slow/WIDE", "x" * (WINDOW // 2 - 100) + " 7")
        # All have a slot; that all have their prompts read takes far longer than this test.
        server.wait_for_row("Slow/WIDE", slots_busy=len(CASES))
        for caller, (path, streamed) in zip(reading, CASES, strict=True):
            if streamed and (sign := keeps_alive(path)):
                caller.hear(sign)
        leave(server, "Slow/WIDE", reading)
        assert_free(server, "Slow/WIDE")
        assert not any(b" 8" in caller.received for caller in reading)


def test_clients_that_leave_in_the_middle_of_their_answers_stop_them(server: Server) -> None:
    with ExitStack() as stack:
        served = callers(server, stack, "Slow/WIDE", "from 7")
        server.wait_for_row("Slow/WIDE", slots_busy=len(CASES))
        for caller, (_, streamed) in zip(served, CASES, strict=True):
            if streamed:
                caller.hear(b'" 10"')
        leave(server, "Slow/WIDE", served)
        assert_free(server, "Slow/WIDE")


@contextlib.contextmanager
def stopped_spare(server: Server) -> Iterator[None]:
    """The process that the next load gets stands still."""
    pid = wait_until(lambda: server.role_pid("spare"), "a spare")
    server.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        server.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("model", [CHAT, EMBED, RERANK])
def test_clients_that_leave_during_a_load_leave_nothing_but_the_model(
    server: Server, model: str
) -> None:
    routes = [route for route in JSON_ROUTES if route.good.get("model") == model]
    server.settle()
    with stopped_spare(server), ExitStack() as stack:
        waiting = []
        for route in routes:
            # What is answered without the model's process is not kept waiting.
            if route.path.startswith(("/api/show", "/api/pull", "/api/v1/", "/v1/kronk/")):
                continue
            for streamed in [False, True] if route.streams else [False]:
                body = route.body(stream=True) if streamed else route.good
                caller = Caller(server, route.path, body)
                stack.callback(caller.hang_up)
                if streamed and (sign := keeps_alive(route.path)):
                    caller.hear(sign)
                waiting.append(caller)
        server.wait_for_row(model, state="loading")
        leave(server, model, waiting)
    server.wait_for_row(model, state="ready", active_streams=0, slots_busy=0, queued=0)
    (route, *_) = routes
    assert server.http().post(route.path, json=route.good).status_code == 200
    assert len(server.events("load started", model=model)) == 1
