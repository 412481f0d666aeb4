"""The gateway dies, or is short of something: workers stay, and the next one serves."""

from __future__ import annotations

import json
import os
import resource
import socket
import time
from contextlib import ExitStack

from harness.invariants import after_fault, milliseconds_since, wait_for_gateway
from harness.server import Server, chat_body
from harness.waiting import wait_until

STREAMS = 50


def kill_gateway(server: Server) -> tuple[int, float]:
    """Its pid, and when it was killed."""
    old = server.role_pid("gateway")
    assert old is not None
    killed = time.monotonic()
    server.kill(old)
    return old, killed


def test_a_gateway_that_dies_idle_is_replaced(lab: Server) -> None:
    with after_fault(lab, "gateway SIGKILL", "idle", models=("Front",), gateway_dies=True) as fault:
        pid = fault.pid("Front")
        old, killed = kill_gateway(lab)
        wait_for_gateway(lab, old)
        assert fault.whole("Front", tokens=1).end() == "done"
        fault.figure("kill to the next answer, ms", milliseconds_since(killed))
        assert fault.pid("Front") == pid


def test_a_gateway_that_dies_among_streams_breaks_them_and_workers_stop_writing(
    lab: Server,
) -> None:
    where = f"{STREAMS} streams"
    with after_fault(lab, "gateway SIGKILL", where, models=("Front",), gateway_dies=True) as fault:
        pid = fault.pid("Front")
        streams = [fault.stream("Front") for _ in range(STREAMS)]
        wait_until(lambda: sum(bool(stream.pieces) for stream in streams) == 8, "eight to run")
        old, killed = kill_gateway(lab)
        ends = [stream.end() for stream in streams if stream.status is None or stream.pieces]
        assert set(ends) <= {"broken", "refused"}
        wait_for_gateway(lab, old)
        lab.wait_for_row("Front", active_streams=0, slots_busy=0)
        assert fault.whole("Front", tokens=1).end() == "done"
        fault.figure("kill to the next answer, ms", milliseconds_since(killed))
        assert fault.pid("Front") == pid


def test_a_gateway_that_dies_during_a_load_is_no_end_of_the_load(lab: Server) -> None:
    with after_fault(lab, "gateway SIGKILL", "during a load", gateway_dies=True) as fault:
        waiting = [fault.whole("Slowly-Front", tokens=5) for _ in range(3)]
        lab.wait_for_row("Slowly-Front", state="loading", queued=3)
        old, _ = kill_gateway(lab)
        assert {asked.end() for asked in waiting} == {"broken"}
        wait_for_gateway(lab, old)
        assert fault.whole("Slowly-Front", tokens=5).end() == "done"
        assert len(lab.events("load started", model="Slowly-Front")) == 1
        lab.kill(fault.pid("Slowly-Front"))


def test_a_gateway_without_descriptors_serves_again_when_there_are_some(lab: Server) -> None:
    with after_fault(lab, "EMFILE", "gateway", models=("Files",), gateway_dies=True) as fault:
        gateway = lab.role_pid("gateway")
        assert gateway is not None
        running = fault.streams("Files", 2, tokens=400)
        _, most = resource.prlimit(gateway, resource.RLIMIT_NOFILE)
        held = len(os.listdir(f"/proc/{gateway}/fd"))
        resource.prlimit(gateway, resource.RLIMIT_NOFILE, (held + 10, most))
        with ExitStack() as stack:
            # More than it can take; the others wait in the kernel.
            for _ in range(40):
                stack.enter_context(socket.create_connection(("127.0.0.1", lab.port)))
            wait_until(
                lambda: len(os.listdir(f"/proc/{gateway}/fd")) >= held + 10, "its last descriptor"
            )
            # What runs is not harmed.
            assert {stream.end() for stream in running} == {"done"}
            resource.prlimit(gateway, resource.RLIMIT_NOFILE, (most, most))
        assert fault.whole("Files", tokens=5).end() == "done"
        assert lab.role_pid("gateway") == gateway


def test_a_client_that_does_not_read_holds_up_its_own_request_only(lab: Server) -> None:
    with after_fault(lab, "slow reader", "one of 4 streams", models=("Reader",)) as fault:
        with socket.create_connection(("127.0.0.1", lab.port)) as client:
            # What it does not read soon fills the buffers in between.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            send_chat(client, "Reader", max_tokens=8000)
            lab.wait_for_row("Reader", active_streams=1)
            others = [fault.stream("Reader", tokens=500) for _ in range(3)]
            assert {stream.end() for stream in others} == {"done"}
        lab.wait_for_row("Reader", active_streams=0)


def send_chat(client: socket.socket, model: str, max_tokens: int) -> None:
    body = json.dumps(chat_body(model, "from 7", max_tokens=max_tokens) | {"stream": True}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}"
    client.sendall(head.encode() + b"\r\n\r\n" + body)
