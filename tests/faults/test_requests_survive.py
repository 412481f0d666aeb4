"""As users have it: a request goes on when its worker dies, and its client sees only a pause."""

from __future__ import annotations

import json
import signal
import socket
import time
from itertools import pairwise

import pytest

from harness.counting_model import counted
from harness.invariants import after_fault, milliseconds_since
from harness.server import Server, chat_body
from harness.waiting import PATIENCE


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_streams_go_on_in_the_next_process(mill: Server, number: signal.Signals) -> None:
    what = f"worker {number.name}, resumed"
    with after_fault(mill, what, "mid-stream", models=("Again",), refused=False) as fault:
        streams = fault.streams("Again", 4, "pace 10", tokens=200)
        plain = fault.whole("Again", "pace 10", tokens=200)
        mill.wait_for_row("Again", active_streams=5)
        mill.kill(fault.pid("Again"), number)
        assert {asked.end() for asked in (*streams, plain)} == {"done"}
        pause = max(max(b - a for a, b in pairwise(stream.times)) for stream in streams)
        fault.figure("kill to the next token, ms", 1000 * pause)


@pytest.mark.parametrize("at", [0, 1, 70])
def test_a_request_whose_process_dies_of_it_once_is_served_by_the_next(
    mill: Server, at: int
) -> None:
    model, where = f"Dying-{at}", f"after {at} tokens, once"
    with after_fault(mill, "worker SIGKILL, resumed", where, models=(model,), refused=False) as f:
        assert f.stream(model, f"kill once at {at}", tokens=100).end() == "done"
        assert f.whole(model, f"kill once at {at} please", tokens=100).end() == "done"


def test_requests_in_the_queue_of_a_worker_go_on_too(mill: Server) -> None:
    with after_fault(mill, "worker SIGKILL, resumed", "12 on 8 slots", models=("Queued",)) as f:
        crowd = [f.stream("Queued", "pace 10", tokens=100) for _ in range(12)]
        mill.wait_for_row("Queued", active_streams=12)
        for stream in crowd[:8]:
            stream.wait_for_pieces(1)
        mill.kill(f.pid("Queued"))
        assert {asked.end() for asked in crowd} == {"done"}


def test_a_client_that_did_not_read_while_its_worker_died_reads_all_of_it(mill: Server) -> None:
    with (
        after_fault(mill, "worker SIGKILL, resumed", "slow reader", models=("Unread",)) as fault,
        socket.create_connection(("127.0.0.1", mill.port), timeout=PATIENCE) as client,
    ):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        body = json.dumps(
            chat_body("Unread", "pace 5 from 7", max_tokens=600, stream=True)
        ).encode()
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}"
        )
        client.sendall(head.encode() + b"\r\nConnection: close\r\n\r\n" + body)
        mill.wait_for_row("Unread", active_streams=1)
        mill.kill(fault.pid("Unread"))
        mill.wait_for_row("Unread", state="ready", active_streams=1, restarts=1)
        with client.makefile("rb") as answer:
            events = [line[6:] for line in answer if line.startswith(b"data: ")]
        assert events.pop().strip() == b"[DONE]"
        choices = [json.loads(event)["choices"] for event in events]
        text = "".join(choice[0]["delta"].get("content") or "" for choice in choices if choice)
        assert text == counted(7, 600)


def test_a_poison_prompt_is_quarantined_and_its_neighbours_are_served(mill: Server) -> None:
    with after_fault(mill, "poison prompt", "among 3 streams", models=("Poisoned",)) as fault:
        begun = time.monotonic()
        others = fault.streams("Poisoned", 3, "pace 20", tokens=60)
        poison = fault.stream("Poisoned", "segv at 4 always", tokens=50)
        assert poison.end() == "error"
        fault.figure("poison to its error, ms", milliseconds_since(begun))
        assert poison.error is not None
        crashes = len(mill.events("worker died", model="Poisoned"))
        fault.figure("processes it cost", crashes)
        assert crashes == 3
        assert {asked.end() for asked in others} == {"done"}


def test_a_gateway_and_a_worker_that_die_together_are_both_replaced(mill: Server) -> None:
    where = "same moment"
    with after_fault(
        mill, "gateway and worker SIGKILL", where, models=("Both",), gateway_dies=True
    ) as fault:
        streams = fault.streams("Both", 2)
        gateway = mill.role_pid("gateway")
        assert gateway is not None
        worker = fault.pid("Both")
        mill.kill(worker)
        mill.kill(gateway)
        assert {stream.end() for stream in streams} == {"broken"}
