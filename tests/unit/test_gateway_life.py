"""How the gateway's process starts, drains and ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from fakes.gateway_house import PATIENCE, WORKER, House, done, hang_after
from harness.waiting import wait_until
from kronk import __version__
from kronk.shared import exits
from kronk.shared.wire.to_gateway import Delta, Granted
from kronk.shared.wire.to_supervisor import Hello, LeaseRequest, LeaseReturn
from kronk.shared.wire.to_worker import Cancel, Submit
from kronk.shared.wire.values import PROTOCOL

CHAT = "/v1/chat/completions"
ASK = {"model": "tiny", "messages": [{"role": "user", "content": "hi"}], "stream": True}


def close_stdin(house: House) -> None:
    assert house.process.stdin is not None
    house.process.stdin.close()


def test_hello_is_the_first_message_and_proves_who_we_are(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        hello = Hello("gateway", "s3cret", house.process.pid, PROTOCOL, __version__)
        assert house.seen[0] == hello


STOPS: list[Callable[[House], None]] = [
    House.drain,
    lambda house: os.kill(house.process.pid, signal.SIGTERM),
]


@pytest.mark.parametrize("stop", STOPS)
def test_a_stop_refuses_the_new_lets_the_running_end_and_exits_with_0(
    tmp_path: Path, stop: Callable[[House], None]
) -> None:
    with House(tmp_path) as house, httpx.Client(base_url=house.url, timeout=20) as http:
        house.script = hang_after("He")
        with http.stream("POST", CHAT, json=ASK) as running:
            (submit,) = house.wait_for(Submit)
            stop(house)
            wait_until(lambda: http.get("/v1/readiness").status_code == 503, "it is told to stop")
            refused = http.post(CHAT, json=ASK)
            assert refused.status_code == 503
            assert refused.json()["error"]["code"] == "overloaded"
            assert refused.headers["retry-after"]
            house.data(Delta(submit.request, 0, "llo", (2,)), *done(submit.request))
            text = running.read().decode()
        assert "llo" in text
        assert text.endswith("data: [DONE]\n\n")
        assert house.process.wait(PATIENCE) == exits.OK
        assert house.settled()


def test_a_stop_without_requests_ends_at_once(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        house.drain()
        assert house.process.wait(PATIENCE) == exits.OK


def test_answers_that_outlive_the_shutdown_timeout_end_with_an_error(tmp_path: Path) -> None:
    with (
        House(tmp_path, shutdown_timeout="100ms") as house,
        httpx.Client(base_url=house.url, timeout=20) as http,
    ):
        house.script = hang_after("He")
        with http.stream("POST", CHAT, json=ASK) as running:
            house.wait_for(Submit)
            house.drain()
            text = running.read().decode()
        assert '"code":"overloaded"' in text
        assert "[DONE]" not in text
        assert house.process.wait(PATIENCE) == exits.OK


def test_without_its_supervisor_it_tells_its_clients_and_dies(tmp_path: Path) -> None:
    with House(tmp_path) as house, httpx.Client(base_url=house.url, timeout=20) as http:
        house.script = hang_after("He")
        with http.stream("POST", CHAT, json=ASK) as running:
            house.wait_for(Submit)
            close_stdin(house)
            text = running.read().decode()
        assert '"code":"overloaded"' in text
        assert "[DONE]" not in text
        assert house.process.wait(PATIENCE) == exits.ORPHANED


def test_a_stopped_client_does_not_keep_an_orphan_alive(tmp_path: Path) -> None:
    with House(tmp_path) as house, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", house.port))
        house.script = hang_after(*["x" * 1_000_000] * 64)
        body = b'{"model":"m","stream":true,"messages":[{"role":"user","content":""}]}'
        client.sendall(
            b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b"
            % (CHAT.encode(), len(body), body)
        )
        house.wait_for(Submit)
        close_stdin(house)
        assert house.process.wait(PATIENCE) == exits.ORPHANED


def test_an_answer_over_the_write_timeout_is_a_timeout(tmp_path: Path) -> None:
    with (
        House(tmp_path, write_timeout="200ms") as house,
        httpx.Client(base_url=house.url, timeout=20) as http,
    ):
        house.script = hang_after("He")
        late = http.post(CHAT, json={**ASK, "stream": False})
        assert late.status_code == 504
        assert late.json()["error"]["code"] == "timeout"
        streamed = http.post(CHAT, json=ASK)
        assert streamed.status_code == 200
        assert '"code":"timeout"' in streamed.text
        house.wait_for(Cancel, 2)
        house.grant = lambda ask: None
        assert http.post(CHAT, json=ASK).status_code == 504
        assert house.settled()


def test_a_worker_that_attaches_after_the_grant_gets_the_request(tmp_path: Path) -> None:
    with House(tmp_path) as house, httpx.Client(base_url=house.url, timeout=20) as http:

        def grant(ask: LeaseRequest) -> Granted:
            house.attach(WORKER + 1)
            return Granted(ask.lease, WORKER + 1)

        house.grant = grant
        assert http.post(CHAT, json=ASK).text.endswith("data: [DONE]\n\n")
        house.wait_for(LeaseReturn)


def test_started_by_hand_it_says_how_it_is_started() -> None:
    ended = subprocess.run(
        [sys.executable, "-P", "-m", "kronk.gateway"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ended.returncode == exits.USAGE
    assert b"kronk server start" in ended.stderr
