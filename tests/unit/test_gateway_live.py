"""The live state over real connections: server-sent events, WebSockets, and who gets neither."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket as sockets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection

from fakes.gateway_house import House
from fakes.live import model
from harness import watching
from harness.raw_http import exchange, head
from harness.waiting import PATIENCE, wait_until
from harness.watching import EVENTS, Watcher
from harness.wire import Wire
from kronk.gateway.access.same_origin import check_session_socket
from kronk.gateway.edge.connections import Connections
from kronk.gateway.edge.origins import is_foreign
from kronk.gateway.websocket import WebSocketProtocol, is_handshake
from kronk.shared.errors import PermissionDenied

HANDSHAKE = (
    (b"Connection", b"Upgrade"),
    (b"Upgrade", b"websocket"),
    (b"Sec-WebSocket-Version", b"13"),
    (b"Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ=="),
)


@pytest.fixture(scope="module")
def shared_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with House(tmp_path_factory.mktemp("h"), cors_allowed_origins="http://page.example") as house:
        yield house


@pytest.fixture
def house(shared_house: House) -> House:
    shared_house.forget()
    return shared_house


@pytest.fixture(scope="module")
def document(shared_house: House) -> dict[str, Any]:
    """The OpenAPI document, which has the schema of the messages."""
    found: dict[str, Any] = httpx.get(f"{shared_house.url}/openapi.json", timeout=PATIENCE).json()
    return found


def assert_as_documented(document: dict[str, Any], messages: list[dict[str, Any]]) -> None:
    operation = document["paths"][EVENTS]["get"]
    event = operation["responses"]["200"]["content"]["text/event-stream"]["schema"]
    schema = {
        "components": document["components"],
        **event["properties"]["data"]["contentSchema"],
    }
    for message in messages:
        jsonschema.validate(message, schema)


# What is told.


def test_both_ways_tell_the_same_as_the_document_says(
    house: House, document: dict[str, Any]
) -> None:
    house.models = (model("tiny"),)
    with watching.sse(house.url) as one, watching.socket(house.url) as two:
        first = one.state()
        assert first["models"][0]["slots"][0]["phase"] == "generating"
        assert two.state()["server"] == first["server"]
        house.models = ()
        both = [one.wait_for(lambda told: told["sequence"] > first["sequence"]), two.state()]
        house.models = (model("tiny", generation=8),)
        for watcher in (one, two):
            assert watcher.event("model.ready")["model"] == "tiny"
            watcher.state()
        assert_as_documented(document, [*one.told, *two.told])
        assert {told["sequence"] for told in one.told if told["type"] == "state"} & {
            told["sequence"] for told in both
        }


@pytest.mark.parametrize(("way", "status"), [(watching.sse, 200), (watching.socket, 101)])
def test_who_has_watched_is_a_line_in_the_access_log(
    house: House, way: Callable[..., AbstractContextManager[Watcher]], status: int
) -> None:
    name = f"mine:{status}"
    with way(house.url, {"x-request-id": name}) as watcher:
        watcher.state()
    lines = wait_until(lambda: house.logged(f'"request_id": "{name}"'), "a line in the log")
    assert [(line["status"], line["path"]) for line in lines] == [(status, EVENTS)]


def test_a_handshake_is_answered_with_the_requests_id(house: House) -> None:
    with watching.opened(house.url, {"x-request-id": "mine:8"}) as connection:
        assert connection.response is not None
        assert connection.response.headers["x-request-id"] == "mine:8"


def test_what_a_client_says_is_passed_over_unless_it_is_too_much(house: House) -> None:
    with watching.opened(house.url) as connection:
        connection.send("hello?")
        connection.send(b"\0")
        assert json.loads(connection.recv(PATIENCE))["type"] == "state"
        connection.send("x" * 100_000)
        assert _close_code(connection) == 1009


def _close_code(connection: ClientConnection) -> int | None:
    with contextlib.suppress(ConnectionClosed):
        while True:
            connection.recv(PATIENCE)
    return connection.close_code


# Who gets no WebSocket.


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "websocket"},
        # What lets a page be linked to lets no page open this.
        {
            "origin": "http://evil.example",
            "sec-fetch-site": "cross-site",
            "sec-fetch-mode": "navigate",
        },
        {"origin": "http://127.0.0.1:1"},
        {"host": "evil.example"},
    ],
    ids=str,
)
def test_a_page_of_another_site_opens_no_websocket(house: House, headers: dict[str, str]) -> None:
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    data = head(b"GET", EVENTS.encode(), (*HANDSHAKE, *pairs))
    if "host" in headers:
        data = data.replace(b"Host: 127.0.0.1\r\n", b"")
    answer = exchange(house.port, data)
    assert answer.status == 403
    assert json.loads(answer.content)["error"]["code"] == "permission_denied"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not house.logged("without completing handshake")


def test_our_own_page_and_those_that_are_allowed_open_one(house: House) -> None:
    for origin in (house.url, "http://page.example"):
        with watching.opened(house.url, origin=origin) as connection:
            assert json.loads(connection.recv(PATIENCE))["type"] == "state"


def test_elsewhere_the_wish_for_a_websocket_is_passed_over(house: House) -> None:
    answer = exchange(house.port, head(b"GET", b"/v1/models", HANDSHAKE))
    assert answer.status == 200
    with pytest.raises(InvalidStatus):
        watching.connect(f"ws://127.0.0.1:{house.port}/v1/models", open_timeout=PATIENCE)


KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
GOOD = [(b"sec-websocket-version", b"13"), (b"sec-websocket-key", KEY)]


@pytest.mark.parametrize(
    ("url", "headers", "is_one"),
    [
        (b"/x", GOOD, True),
        (b"/x?a=b", [*GOOD, (b"origin", b"http://a")], True),
        (b"/x", GOOD[:1], False),
        (b"/x", GOOD[1:], False),
        (b"/x", [(b"sec-websocket-version", b"8"), GOOD[1]], False),
        (b"/x", [*GOOD, GOOD[1]], False),
        (b"/x", [GOOD[0], (b"sec-websocket-key", b"c2hvcnQ=")], False),
        (b"/x", [GOOD[0], (b"sec-websocket-key", b"?")], False),
        ("/x?\u00e4".encode(), GOOD, False),
        (b"/x", [*GOOD, (b"x", b"y" * 9000)], False),
        (b"/x", [*GOOD, *[(b"x", b"y")] * 99], False),
    ],
)
def test_a_handshake_is_one_in_good_form(
    url: bytes, headers: list[tuple[bytes, bytes]], is_one: bool
) -> None:
    assert is_handshake(url, headers) is is_one


def test_what_is_no_handshake_is_a_get_like_others(house: House) -> None:
    with sockets.create_connection(("127.0.0.1", house.port), timeout=PATIENCE) as connection:
        connection.sendall(head(b"GET", EVENTS.encode(), HANDSHAKE[:3]))
        with HTTPResponse(connection, method="GET") as response:
            response.begin()
            assert response.status == 200
            assert response.readline() == b"event: state\n"


def test_nothing_becomes_a_websocket_while_another_answer_is_written(house: House) -> None:
    stream = head(b"GET", EVENTS.encode(), ())
    with sockets.create_connection(("127.0.0.1", house.port), timeout=PATIENCE) as connection:
        connection.sendall(stream)
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
        connection.sendall(head(b"GET", EVENTS.encode(), HANDSHAKE))
        got = b""
        while data := connection.recv(65536):
            got += data
    assert b"101" not in got[:200]
    assert b"Switching" not in got


@pytest.mark.parametrize(
    ("headers", "is_ours"),
    [
        ([(b"origin", b"http://box:1"), (b"host", b"box:1")], True),
        ([(b"origin", b"http://box:2"), (b"host", b"box:1")], False),
        ([(b"origin", b"https://box:1"), (b"host", b"box:1")], False),
        ([(b"host", b"box:1")], False),
        ([(b"origin", b"null"), (b"host", b"box:1")], False),
    ],
)
def test_a_login_opens_websockets_from_our_own_pages_alone(
    headers: list[tuple[bytes, bytes]], is_ours: bool
) -> None:
    if is_ours:
        check_session_socket("http", headers)
        return
    with pytest.raises(PermissionDenied):
        check_session_socket("http", headers)


def test_going_somewhere_is_no_reason_for_a_websocket() -> None:
    asked = ("http://evil.example", "cross-site", "navigate", "box", ())
    assert not is_foreign("GET", *asked)
    assert is_foreign("WEBSOCKET", *asked)


def test_a_websocket_is_one_of_the_connections_there_may_be() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        await receive()
        await receive()

    async def run() -> None:
        connections = Connections(1)
        one = Wire(app, connections=connections)
        assert b" 101 " in await one.send(head(b"GET", EVENTS.encode(), HANDSHAKE))
        too_many = Wire(app, connections=connections)
        assert b" 503 " in too_many.pipe.sent
        too_many.lose()
        protocol = one.pipe.protocol
        assert isinstance(protocol, WebSocketProtocol)
        protocol.connection_lost(None)
        assert b" 101 " in await Wire(app, connections=connections).send(
            head(b"GET", EVENTS.encode(), HANDSHAKE)
        )

    asyncio.run(run())


def test_asking_for_the_head_of_it_ends_with_the_head(house: House) -> None:
    answer = httpx.head(f"{house.url}{EVENTS}", timeout=PATIENCE)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].startswith("text/event-stream")


# Slow ones, and the end.


def test_a_slow_client_gets_the_newest_state_when_it_reads_again(house: House) -> None:
    # A state as large as all buffers between us.
    house.models = tuple(model(f"m{number}", last_exit="x" * 500_000) for number in range(12))
    with sockets.socket() as slow:
        slow.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", house.port))
        slow.settimeout(PATIENCE)
        slow.sendall(head(b"GET", EVENTS.encode(), ()))
        # Of the first one the beginning is read, and then nothing for some seconds.
        assert b"200 OK" in slow.recv(1000)
        with watching.sse(house.url) as other:
            last = max(other.state()["sequence"] for _ in range(3))
        house.models = ()
        with HTTPResponse(slow, method="GET") as response:
            sequences = _sequences(response, slow, 2)
    # Those in between are not told any more.
    assert sequences[1] >= last


def _sequences(response: HTTPResponse, slow: sockets.socket, count: int) -> list[int]:
    found: list[int] = []
    text = b""
    while len(found) < count:
        text += slow.recv(1 << 20)
        found = [
            int(part.partition(b",")[0])
            for part in text.split(b'"type":"state","sequence":')[1:]
            if b"," in part
        ]
    return found


def test_a_drain_ends_all_who_watch_and_waits_for_none(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        with watching.sse(house.url) as one, watching.socket(house.url) as two:
            for watcher in (one, two):
                watcher.state()
            house.drain()
            for watcher in (one, two):
                assert watcher.event("drain.begun")["level"] == "warning"
                assert watcher.end()["reason"] == "draining"
            assert two.code == 1012
        assert house.process.wait(PATIENCE) == 0
        assert not house.logged("Traceback")
