"""Other servers that a request makes us ask are told its trace, and are spans of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest

from harness.file_server import FileServer, answer
from harness.media_files import png
from kronk.gateway.access.delegation.host import AuthHost
from kronk.gateway.access.policy.external import External
from kronk.gateway.dialects.media import LinkedMedia
from kronk.gateway.job import generate
from kronk.gateway.media.fetch import fetched
from kronk.gateway.tracing.incoming import RequestTrace
from kronk.gateway.tracing.stages import CURRENT, Place
from kronk.shared.telemetry.trace_context import TraceContext
from kronk.shared.wire.values import Answer, Prompt, Sampling

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
def server() -> Iterator[FileServer]:
    answers = {
        "/a.png": answer(png(255, 0, 0, size=4), "Content-Type: image/png"),
        "/decide": answer(b'{"result": true}'),
        "/ask": answer(b"{}"),
    }
    with FileServer(answers) as server:
        yield server


async def _media(server: FileServer) -> None:
    prompt = Prompt(text="x", media=(LinkedMedia("image", b"", "url", f"{server.url}/a.png"),))
    await fetched([generate("m", prompt, Sampling(), Answer(), None, ())], (server.host,))


async def _policy(server: FileServer) -> None:
    agent = External(f"{server.url}/decide")
    assert await agent.answer({}) is True
    await agent.close()


async def _auth_host(server: FileServer) -> None:
    host = AuthHost(server.url, "token")
    assert await host.ask("/ask", {}, bytes) == b"{}"
    await host.close()


CALLS = [(_media, "GET"), (_policy, "POST"), (_auth_host, "POST")]


async def _traced(
    call: Callable[[FileServer], Awaitable[None]], server: FileServer, place: Place | None
) -> None:
    CURRENT.set(place)
    await call(server)


@pytest.mark.parametrize(("call", "method"), CALLS)
def test_the_trace_is_passed_on(
    server: FileServer, call: Callable[[FileServer], Awaitable[None]], method: str
) -> None:
    trace = RequestTrace(TraceContext(TRACE, SPAN, True), 1000.0, state="vendor=1")
    asyncio.run(_traced(call, server, Place(trace, SPAN)))
    (span,) = trace.stages
    assert (span.name, span.kind, span.parent_id) == (method, "client", SPAN)
    assert span.attributes == {
        "http.request.method": method,
        "server.address": "127.0.0.1",
        "server.port": server.port,
        "http.response.status_code": 200,
    }
    (head,) = server.asked
    lines = head.lower().splitlines()
    assert f"traceparent: 00-{TRACE}-{span.span_id}-01" in lines
    assert "tracestate: vendor=1" in lines


@pytest.mark.parametrize(("call", "method"), CALLS)
def test_without_a_trace_nothing_is_said_of_one(
    server: FileServer, call: Callable[[FileServer], Awaitable[None]], method: str
) -> None:
    asyncio.run(_traced(call, server, None))
    (head,) = server.asked
    assert head.startswith(method)
    assert "trace" not in head.lower()
