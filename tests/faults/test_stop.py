"""SIGTERM lets running answers end; a second one does not."""

from __future__ import annotations

import json
import signal
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.counting_model import counted
from harness.server import SMALL, Server
from harness.waiting import PATIENCE, wait_until

LONG = 6000
CONFIG = {"Slow": SMALL | {"context_window": 8192}}


def loaded(start_server: Any, slow: Path, *flags: str) -> Server:
    server: Server = start_server({"Slow.gguf": slow}, CONFIG, *flags)
    assert server.text("Slow", "from 7", max_tokens=3) == counted(7, 3)
    return server


def refuses(server: Server) -> bool:
    """No new request has a chance: a real 503, or nobody listens any more."""
    try:
        answer = server.chat("Slow", "from 7", max_tokens=3)
    except httpx.TransportError:
        return True
    return answer.status_code == 503 and answer.json()["error"]["code"] == "overloaded"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopping_server_finishes_its_answers_and_takes_no_new_ones(
    start_server: Any, slow: Path, number: signal.Signals
) -> None:
    server = loaded(start_server, slow)
    with ExitStack() as streams:
        running = [
            streams.enter_context(server.stream("Slow", f"from {n * 100}", max_tokens=150))
            for n in range(3)
        ]
        for stream in running:
            stream.wait_for_pieces(1)
        server.kill(server.pid, number)
        wait_until(lambda: refuses(server), "new requests to be refused")
        assert all(stream.ended_at is None for stream in running), "too fast to show anything"
        for at, stream in enumerate(running):
            stream.wait_for_end()
            assert stream.text == counted(at * 100, 150)
            assert stream.is_done
    assert server.process.wait(PATIENCE) == 0
    server.prove_gone()
    assert not (server.base / "run" / "server.json").exists()


def test_a_second_signal_stops_at_once(start_server: Any, slow: Path) -> None:
    server = loaded(start_server, slow)
    with server.stream("Slow", "from 7", max_tokens=LONG) as stream:
        stream.wait_for_pieces(1)
        server.kill(server.pid, signal.SIGTERM)
        wait_until(lambda: refuses(server), "the first to be noticed")
        server.kill(server.pid, signal.SIGTERM)
        assert server.process.wait(PATIENCE) == 0
        server.prove_gone()
        stream.wait_for_end()
        # Broken off in the middle, and the client can tell.
        assert not stream.is_done
        assert stream.finish_reason is None
        assert stream.error is not None
        assert stream.error["code"] in ("overloaded", "model_crashed")
        assert stream.text == counted(7, len(stream.pieces))


def test_an_answer_that_takes_too_long_is_ended_by_the_shutdown_timeout(
    start_server: Any, slow: Path
) -> None:
    server = loaded(start_server, slow, "--shutdown-timeout=1s")
    with server.stream("Slow", "from 7", max_tokens=LONG) as stream:
        stream.wait_for_pieces(1)
        asked = time.monotonic()
        server.kill(server.pid, signal.SIGTERM)
        stream.wait_for_end()
        assert stream.error is not None
        assert stream.error["code"] == "overloaded"
        assert not stream.is_done
        assert stream.times[-1] - asked >= 1.0
    assert server.process.wait(PATIENCE) == 0
    server.prove_gone()


def test_a_client_that_does_not_read_cannot_keep_the_server_from_stopping(
    start_server: Any, slow: Path
) -> None:
    server = loaded(start_server, slow, "--shutdown-timeout=1s")
    message = {"role": "user", "content": "from 7"}
    body = json.dumps({"model": "Slow", "messages": [message], "stream": True}).encode()
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}"
        )
        client.sendall(head.encode() + b"\r\n\r\n" + body)
        server.wait_for_row("Slow", active_streams=1)
        server.kill(server.pid, signal.SIGTERM)
        assert server.process.wait(PATIENCE) == 0
    server.prove_gone()
