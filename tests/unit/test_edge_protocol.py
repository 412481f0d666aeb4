"""What is not HTTP as it should be, and clients that take their time: the real protocol class."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.wire import Wire
from kronk.gateway.edge.connections import Connections
from kronk.gateway.middleware import direct_parts
from kronk.gateway.protocol import MAX_HEAD_BYTES, Patience

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"

Scopes = list[dict[str, Any]]


def echo(scopes: Scopes) -> Callable[..., Awaitable[None]]:
    """An application that reads the body, notes what it was asked and answers with the path."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body, more = body + message["body"], message["more_body"]
        scopes.append({**scope, "body": body})
        said = scope["path"].encode()
        headers = [(b"content-length", b"%d" % len(said))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": said})

    return app


def talk(data: bytes, size: int | None = None) -> tuple[bytes, Scopes, Wire]:
    async def run() -> tuple[bytes, Scopes, Wire]:
        scopes: Scopes = []
        wire = Wire(echo(scopes))
        return await wire.send(data, size), scopes, wire

    return asyncio.run(run())


GOOD = {
    "plain": GET + b"\r\n",
    "blank lines before it": b"\r\n\r\n" + GET + b"\r\n",
    "HTTP/1.0 without a host": b"GET / HTTP/1.0\r\n\r\n",
    "a body of a length": POST + b"Content-Length: 3\r\n\r\nabc",
    "a body in chunks": CHUNKED + b"3\r\nabc\r\n0\r\n\r\n",
    "chunks with extensions": CHUNKED + b'3;a="b"\r\nabc\r\n0\r\n\r\n',
    "a tab before the coding": POST + b"Transfer-Encoding:\tChunked\r\n\r\n0\r\n\r\n",
    "an upgrade that we do not make": GET + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    "bytes in a value": GET + "X: \u00e4\r\n\r\n".encode(),
}


@pytest.mark.parametrize("size", [None, 1])
@pytest.mark.parametrize("data", GOOD.values(), ids=GOOD)
def test_what_is_right_is_answered_however_it_is_cut(data: bytes, size: int | None) -> None:
    sent, scopes, wire = talk(data, size)
    assert sent.startswith(b"HTTP/1.1 200")
    assert len(scopes) == 1
    # Nothing waits but uvicorn's clock for idle connections.
    assert wire.clock.waits() in ([60], [])


BAD = {
    # Two opinions of where the body ends.
    "the same length twice": POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "two lengths": POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    "a list of lengths": POST + b"Content-Length: 3, 3\r\n\r\nabc",
    "a signed length": POST + b"Content-Length: +3\r\n\r\nabc",
    "a negative length": POST + b"Content-Length: -3\r\n\r\nabc",
    "a length in hex": POST + b"Content-Length: 0x3\r\n\r\nabc",
    "an endless length": POST + b"Content-Length: 99999999999999999999999\r\n\r\nabc",
    "an empty length": POST + b"Content-Length: \r\n\r\n",
    "chunks and a length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n",
    "a length and chunks": POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
    "chunks twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
    "chunks and identity": POST
    + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "identity": POST + b"Transfer-Encoding: identity\r\n\r\nabc",
    "an unknown coding": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "another coding too": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunks first": POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "a space before the colon": POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    # Lines.
    "line feeds alone": b"GET / HTTP/1.1\nHost: localhost\n\n",
    "one line feed alone": GET + b"X: y\n\r\n",
    "a carriage return alone": GET + b"X: y\rZ: z\r\n\r\n",
    "a folded line": GET + b"X: y\r\n z\r\n\r\n",
    "a space before the first name": b"GET / HTTP/1.1\r\n Host: localhost\r\n\r\n",
    "a name without a colon": GET + b"X\r\n\r\n",
    "no name": GET + b": y\r\n\r\n",
    "NUL in a value": GET + b"X: y\0z\r\n\r\n",
    "NUL in a name": GET + b"X\0: y\r\n\r\n",
    "NUL in the target": b"GET /\0 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "bytes in the target": "GET /\u00e4 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(),
    # Whom it is for.
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": GET + b"Host: localhost\r\n\r\n",
    "two hosts in HTTP/1.0": b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
    "another's whole address": b"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "an address without a path": b"GET http://localhost HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a tunnel": b"CONNECT evil.example:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "all of the server": b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
    # Other protocols.
    "HTTP/0.9": b"GET /\r\n\r\n",
    "HTTP/1.2": b"GET / HTTP/1.2\r\nHost: localhost\r\n\r\n",
    "HTTP/2.0 in words": b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n",
    "HTTP/2's preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40),
    "a proxy's line": b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + GET + b"\r\n",
    "an unknown method": b"HELO / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "an upgrade with a body": POST
    + b"Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\nabc",
    "an upgrade with chunks": POST
    + b"Connection: upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    # Too much.
    "a long target": b"GET /" + b"a" * MAX_HEAD_BYTES + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a long query": b"GET /?" + b"a" * MAX_HEAD_BYTES + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a long value": GET + b"X: " + b"a" * MAX_HEAD_BYTES + b"\r\n\r\n",
    "a long name": GET + b"x" * MAX_HEAD_BYTES + b": a\r\n\r\n",
    "many headers": GET + b"a:\r\n" * 2100 + b"\r\n",
    # Chunks.
    "chunks with line feeds": CHUNKED + b"3\nabc\n0\n\n",
    "a negative chunk": CHUNKED + b"-3\r\nabc\r\n0\r\n\r\n",
    "an endless chunk": CHUNKED + b"f" * 18 + b"\r\nabc",
    "no chunk": CHUNKED + b"ZZ\r\n",
    "a chunk that is longer": CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n",
    "many trailers": CHUNKED + b"0\r\n" + b"a:\r\n" * 2100 + b"\r\n",
}


@pytest.mark.parametrize("size", [None, 1000])
@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_what_is_not_is_refused_and_the_connection_closed(data: bytes, size: int | None) -> None:
    sent, scopes, wire = talk(data, size)
    head, _, body = sent.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert b"x-content-type-options: nosniff" in head
    error = json.loads(body)["error"]
    assert error["code"] == "invalid_argument"
    assert scopes == []
    assert wire.pipe.end == "closed"


def test_what_follows_a_refused_request_is_not_answered() -> None:
    smuggled = b"GET /admin HTTP/1.1\r\nHost: localhost\r\n\r\n"
    sent, scopes, _ = talk(BAD["chunks and a length"] + b"\r\n" + smuggled)
    assert (sent.count(b"HTTP/1.1 "), scopes) == (1, [])


def test_a_body_is_no_second_request() -> None:
    inner = b"GET /admin HTTP/1.1\r\nHost: localhost\r\n\r\n"
    whole = POST + b"Content-Length: %d\r\n\r\n" % len(inner) + inner
    _, scopes, _ = talk(whole)
    assert [scope["body"] for scope in scopes] == [inner]


def test_the_body_of_an_upgrade_is_no_second_request() -> None:
    inner = b"GET /admin HTTP/1.1\r\nHost: localhost\r\n\r\n"
    head = POST + b"Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: %d\r\n\r\n" % len(inner)
    for size in (None, len(head)):
        sent, scopes, _ = talk(head + inner, size)
        assert (sent.count(b"HTTP/1.1 400"), scopes) == (1, [])


def test_what_comes_after_connection_close_is_not_answered() -> None:
    sent, scopes, _ = talk(GET + b"Connection: close\r\n\r\n" + GET + b"\r\n")
    assert (len(scopes), sent.count(b"HTTP/1.1 200")) == (1, 1)


def test_trailers_are_not_headers() -> None:
    trailers = b"Host: evil.example\r\nAuthorization: Bearer x\r\nX-Forwarded-For: 1.2.3.4\r\n"
    _, (scope,), _ = talk(CHUNKED + b"3\r\nabc\r\n0\r\n" + trailers + b"\r\n")
    assert [name for name, _ in scope["headers"]] == [b"host", b"transfer-encoding"]


def test_requests_in_a_row_are_answered_in_their_order() -> None:
    paths = [b"/%d" % number for number in range(20)]
    requests = [b"GET %b HTTP/1.1\r\nHost: localhost\r\n\r\n" % path for path in paths]

    async def run() -> bytes:
        wire = Wire(echo([]))
        await wire.send(b"".join(requests))
        for _ in range(40):
            await asyncio.sleep(0)
        return wire.pipe.sent

    bodies = [part.partition(b"\r\n\r\n")[2] for part in asyncio.run(run()).split(b"HTTP/1.1 ")[1:]]
    assert bodies == paths


@pytest.mark.parametrize("behind", [0, 1, 2])
def test_a_stream_ends_with_its_connection_whatever_was_sent_behind_it(behind: int) -> None:
    heard: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        heard.append(await receive())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        parts = direct_parts(scope)
        assert parts is not None
        heard.append(parts.has_room)
        heard.append((await receive())["type"])
        heard.append(parts.has_room)

    async def run() -> None:
        wire = Wire(app)
        await wire.send((GET + b"\r\n") * (1 + behind))
        assert heard[1:] == [True]
        wire.lose()
        await wire.send(b"")

    asyncio.run(run())
    assert heard[1:] == [True, "http.disconnect", False]


@pytest.mark.parametrize("is_known", [False, True])
def test_a_client_of_http_1_0_gets_no_chunks_and_reads_until_the_end(is_known: bool) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert direct_parts(scope) is None
        headers = [(b"content-length", b"6")] if is_known else []
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        await send({"type": "http.response.body", "body": b"two", "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def run() -> Wire:
        wire = Wire(app)
        await wire.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        return wire

    wire = asyncio.run(run())
    head, _, body = wire.pipe.sent.partition(b"\r\n\r\n")
    assert body == b"onetwo"
    assert b"connection: close" in head
    assert b"transfer-encoding" not in head
    assert wire.pipe.end == "closed"


def test_a_bad_request_behind_one_that_is_being_answered_says_nothing_into_its_answer() -> None:
    async def half(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass

    async def run() -> Wire:
        wire = Wire(half)
        await wire.send(GET + b"\r\n")
        await wire.send(BAD["two hosts"])
        wire.lose()
        await asyncio.sleep(0)
        return wire

    wire = asyncio.run(run())
    assert wire.pipe.sent.count(b"HTTP/1.1") == 1
    assert wire.pipe.end == "closed"


@given(st.binary(max_size=200), st.sampled_from([b"", GET, POST, CHUNKED]))
def test_any_bytes_at_all_are_answered_refused_or_waited_for(data: bytes, start: bytes) -> None:
    sent, _, wire = talk(start + data)
    if sent:
        assert sent.startswith((b"HTTP/1.1 200", b"HTTP/1.1 400"))
    elif wire.pipe.end is None and not wire.protocol.cycle:
        # Somebody who does not finish is not waited for for ever.
        assert wire.clock.waits() == [30.0]


# Time.


def waiting(data: bytes, patience: Patience | None = None) -> Wire:
    async def run() -> Wire:
        wire = Wire(echo([]), patience)
        for byte in data:
            await wire.send(bytes([byte]))
        return wire

    return asyncio.run(run())


@pytest.mark.parametrize("data", [b"", b"\r\n" * 9])
def test_a_connection_without_a_request_is_closed_without_a_word(data: bytes) -> None:
    wire = waiting(data)
    assert wire.clock.waits() == [30.0]
    wire.clock.pass_by()
    assert (wire.pipe.sent, wire.pipe.end) == (b"", "closed")


@pytest.mark.parametrize("data", [b"G", GET, GET + b"X: y", b"\r\nG", b"GET /"])
def test_a_head_that_does_not_come_is_a_408(data: bytes) -> None:
    wire = waiting(data)
    # One clock, set at the first byte: what dribbles does not wind it up.
    assert wire.clock.waits() == [30.0]
    wire.clock.pass_by()
    head, _, body = wire.pipe.sent.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408")
    assert "--read-timeout" in json.loads(body)["error"]["message"]
    assert wire.pipe.end == "closed"


def test_a_kept_connection_is_not_kept_by_what_is_no_head() -> None:
    wire = waiting(GET + b"\r\n")
    assert wire.clock.waits() == [60]

    async def dribble() -> None:
        await wire.send(b"\r\n")
        await wire.send(b"\r\n")

    asyncio.run(dribble())
    assert wire.clock.waits() == [30.0]


def test_a_body_has_a_clock_of_its_own() -> None:
    assert waiting(POST + b"Content-Length: 9\r\n\r\nabc").clock.waits() == []


def test_no_limit_is_none() -> None:
    wire = waiting(b"GET", Patience(0.0, 0.0))
    assert wire.clock.waits() == []
    wire.protocol.pause_writing()
    assert wire.clock.waits() == []


def test_a_client_that_does_not_read_is_cut_off() -> None:
    async def much(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(3):
            await send({"type": "http.response.body", "body": b"x" * 99, "more_body": True})
        ended.append("stream")

    async def run() -> Wire:
        wire = Wire(much, Patience(30.0, 900.0))
        wire.protocol.pause_writing()
        await wire.send(GET + b"\r\n")
        assert ended == []
        assert 900.0 in wire.clock.waits()
        wire.clock.pass_by()
        assert wire.pipe.end == "aborted"
        wire.lose()
        # What was stuck in a send goes on, and ends.
        for _ in range(9):
            await asyncio.sleep(0)
        return wire

    ended: list[str] = []
    wire = asyncio.run(run())
    assert ended == ["stream"]
    assert wire.clock.waits() == []


def test_one_that_reads_on_is_not() -> None:
    async def run() -> Wire:
        wire = Wire(echo([]), Patience(30.0, 900.0))
        wire.protocol.pause_writing()
        wire.protocol.resume_writing()
        return wire

    assert 900.0 not in asyncio.run(run()).clock.waits()


@pytest.mark.parametrize(
    ("unread", "end"), [(0, "closed"), (5000, "aborted")], ids=["all read", "not all read"]
)
def test_an_idle_connection_is_closed_even_when_its_last_answer_was_not_taken(
    unread: int, end: str
) -> None:
    wire = waiting(GET + b"\r\n")
    wire.pipe.unread = unread
    wire.clock.pass_by()
    assert wire.pipe.end == end


def test_a_closed_connection_does_not_wait_for_ever_for_its_last_bytes() -> None:
    async def run() -> Wire:
        wire = Wire(echo([]), Patience(30.0, 900.0))
        wire.pipe.unread = 5000
        await wire.send(GET + b"Connection: close\r\n\r\n")
        return wire

    wire = asyncio.run(run())
    assert (wire.pipe.end, wire.clock.waits()) == ("closed", [900.0])
    wire.clock.pass_by()
    assert wire.pipe.end == "aborted"


# Number.


def test_the_peer_with_most_idle_connections_makes_room() -> None:
    async def run() -> None:
        all_of_them = Connections(4)
        app = echo([])
        quiet = Wire(app, connections=all_of_them, peer="192.0.2.1")
        crowd = [Wire(app, connections=all_of_them, peer="192.0.2.9") for _ in range(3)]
        await crowd[0].send(POST + b"Content-Length: 9\r\n\r\n")
        late = Wire(app, connections=all_of_them, peer="192.0.2.2")
        # Not the one that is busy, nor the others that hold only one.
        assert [wire.pipe.end for wire in crowd] == [None, "aborted", None]
        assert quiet.pipe.end is late.pipe.end is None
        assert (await late.send(GET + b"\r\n")).startswith(b"HTTP/1.1 200")
        crowd[1].lose()
        for wire in (crowd[0], crowd[2], quiet, late):
            wire.lose()
        assert Wire(app, connections=all_of_them).pipe.end is None

    asyncio.run(run())


def test_when_all_are_busy_the_next_one_is_a_503() -> None:
    async def run() -> Wire:
        all_of_them = Connections(1)
        busy = Wire(echo([]), connections=all_of_them)
        await busy.send(POST + b"Content-Length: 9\r\n\r\n")
        return Wire(echo([]), connections=all_of_them)

    wire = asyncio.run(run())
    assert wire.pipe.sent.startswith(b"HTTP/1.1 503")
    assert wire.pipe.end == "closed"
