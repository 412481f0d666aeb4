"""Many requests at once: all complete, none is mixed up, and one that leaves frees its place."""

from __future__ import annotations

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest

from harness.counting_model import counted
from harness.prompts import CLEAR
from harness.server import Server, chat_body
from harness.waiting import PATIENCE, wait_until


def test_eight_streams_run_side_by_side(house: Server) -> None:
    with ExitStack() as streams:
        running = [
            streams.enter_context(house.stream("Slow", f"from {n * 100}", max_tokens=120))
            for n in range(8)
        ]
        for stream in running:
            stream.wait_for_pieces(1)
        row = house.row("Slow")
        assert row is not None
        assert (row["slots_total"], row["active_streams"]) == (8, 8)
        for stream in running:
            stream.wait_for_end()
        # Each counted on from its own number: nobody got another's text.
        assert [stream.text for stream in running] == [counted(n * 100, 120) for n in range(8)]
        assert [stream.finish_reason for stream in running] == ["length"] * 8


def test_more_requests_than_slots_wait_their_turn(house: Server) -> None:
    prompts = list(CLEAR) * 4
    with ThreadPoolExecutor(len(prompts)) as pool:
        answers = list(pool.map(lambda prompt: house.text("Pair", prompt), prompts))
    assert answers == [CLEAR[prompt] for prompt in prompts]
    row = house.wait_for_row("Pair", active_streams=0, queued=0)
    assert row["slots_total"] == 2


def test_a_queue_has_its_depth_and_a_wait_its_end(house: Server) -> None:
    model = "Slow/NARROW"
    with ExitStack() as streams, ThreadPoolExecutor(1) as pool:
        (running,) = fill(house, streams, model, 1)
        waiting = pool.submit(house.chat, model, "from 500", max_tokens=5)
        house.wait_for_row(model, active_streams=1, queued=1)
        refused = house.chat(model, "from 600", max_tokens=5)
        late = waiting.result()
        assert running.ended_at is None
    for answer, words in (
        (refused, "the queue of Slow/NARROW is full: 1 running, 1 waiting (queue_depth)"),
        (late, "no slot of Slow/NARROW became free within 3 s (queue_timeout)"),
    ):
        assert answer.status_code == 503
        assert answer.json()["error"]["message"] == words
        assert int(answer.headers["Retry-After"]) > 0


def test_streams_and_plain_requests_share_a_model(house: Server) -> None:
    def ask(number: int) -> str:
        if number % 2:
            return house.text("Count", f"from {number}", max_tokens=200)
        with house.stream("Count", f"from {number}", max_tokens=200) as stream:
            stream.wait_for_end()
            return stream.text

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, range(48)))
    assert answers == [counted(number, 200) for number in range(48)]


def fill(house: Server, streams: ExitStack, model: str, count: int) -> list[Any]:
    """A long stream in each slot, all of them running."""
    running = [
        streams.enter_context(house.stream(model, f"from {n}", max_tokens=4000))
        for n in range(count)
    ]
    for stream in running:
        stream.wait_for_pieces(1)
    return running


def test_a_client_that_hangs_up_frees_its_slot_for_the_next(house: Server) -> None:
    with ExitStack() as streams:
        running = fill(house, streams, "Slow", 8)
        waiting = streams.enter_context(house.stream("Slow", "from 500", max_tokens=5))
        house.wait_for_row("Slow", active_streams=9)
        assert waiting.pieces == []
        running[3].close()
        waiting.wait_for_end()
        assert waiting.text == counted(500, 5)
        assert running[3].text == counted(3, len(running[3].pieces))
        # The others did not notice.
        assert [stream.ended_at for stream in running if stream is not running[3]] == [None] * 7
    house.wait_for_row("Slow", active_streams=0, slots_busy=0)


def test_a_plain_request_whose_client_hangs_up_is_not_worked_on(house: Server) -> None:
    client = house.http()
    with ThreadPoolExecutor(1) as pool:
        # The client itself gives up, as impatient clients do.
        given_up = pool.submit(
            client.post,
            "/v1/chat/completions",
            json={
                "model": "Slow",
                "messages": [{"role": "user", "content": "from 7"}],
                "max_tokens": 8000,
            },
            timeout=1.0,
        )
        house.wait_for_row("Slow", active_streams=1)
        assert "timed out" in str(given_up.exception())
    # Eight thousand numbers would take far longer than our patience.
    house.wait_for_row("Slow", active_streams=0, slots_busy=0)


def test_a_client_that_hangs_up_in_the_prefill_frees_its_slot(house: Server) -> None:
    house.text("Slow", "from 7", max_tokens=1)
    with ExitStack() as streams:
        # Each takes seconds to read in, all together far more than the test waits.
        long = [
            streams.enter_context(house.stream("Slow", "x" * 8000 + f" {n}", max_tokens=1))
            for n in range(8)
        ]
        house.wait_for_row("Slow", active_streams=8)
        for stream in long:
            stream.close()
        assert house.text("Slow", "from 7", max_tokens=3) == counted(7, 3)
    house.wait_for_row("Slow", active_streams=0, slots_busy=0, queued=0)


def test_a_client_that_hangs_up_while_it_waits_is_forgotten(house: Server) -> None:
    with ExitStack() as streams:
        running = fill(house, streams, "Slow", 8)
        waiting = [house.stream("Slow", "from 500", max_tokens=5) for _ in range(4)]
        house.wait_for_row("Slow", active_streams=12)
        for stream in waiting:
            stream.close()
        house.wait_for_row("Slow", active_streams=8)
        assert all(stream.pieces == [] for stream in waiting)
        assert all(stream.ended_at is None for stream in running)


def test_a_client_that_does_not_read_pauses_its_own_slot_and_no_other(house: Server) -> None:
    # More than the system's buffer of a connection can grow to: with each of the answer's tokens
    # come the twenty likeliest.
    tokens = 4500
    likeliest = {"logprobs": True, "top_logprobs": 20}
    asked = chat_body("Long", "from 7", max_tokens=tokens, stream=True, **likeliest)
    body = json.dumps(asked).encode()
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32_768)
        client.settimeout(PATIENCE)
        client.connect(("127.0.0.1", house.port))
        head = f"POST /v1/chat/completions HTTP/1.0\r\nContent-Length: {len(body)}\r\n\r\n"
        client.sendall(head.encode() + body)
        wait_until(lambda: (house.row("Long") or {}).get("tokens_per_second"), "a token")
        # No token for some seconds, with a slot taken.
        house.wait_for_row("Long", slots_busy=1, tokens_per_second=0.0)
        assert house.text("Long", "from 500", max_tokens=100) == counted(500, 100)
        # It reads at last, and gets every word.
        with client.makefile("rb") as answer:
            head, _, events = answer.read().partition(b"\r\n\r\n")
    # What speaks HTTP/1.0 knows no chunks.
    assert b"transfer-encoding" not in head
    lines = [line[6:] for line in events.split(b"\n\n") if line.startswith(b"data: {")]
    pieces = [json.loads(line)["choices"][0]["delta"].get("content", "") for line in lines]
    assert "".join(pieces) == counted(7, tokens)
    house.wait_for_row("Long", active_streams=0)


@pytest.mark.parametrize("model", ["First/ONE", "First/TWO"])
def test_many_first_requests_cause_one_load(start_server: Any, tiny: Any, model: str) -> None:
    server = start_server(
        {"First.gguf": tiny}, {model: {"context_window": 1024, "n_seq_max": 4, "queue_depth": 5}}
    )
    server.settle()
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: server.text(model, "Hello!"), range(20)))
    assert answers == [CLEAR["Hello!"]] * 20
    assert len(server.events("load started", model=model)) == 1
    assert len(server.events("model ready", model=model)) == 1
    server.settle()
    # The spare became the worker and a new spare took its place; the gateway was the first.
    assert len(server.events("process started", role="worker")) == 2
    row = server.row(model)
    assert row is not None
    wait_until(lambda: len(server.children()) == 3, "gateway, worker and spare")
    assert row["restarts"] == 0
