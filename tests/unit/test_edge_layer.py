"""The layer of the edge in front of an application, without a process or a socket."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kronk.gateway.body import READ_TIMEOUT
from kronk.gateway.edge.layer import Edge, Rules
from kronk.gateway.record import Record
from kronk.shared.settings import resolve

Scope = dict[str, Any]


def passed(
    flags: dict[str, str | None],
    headers: dict[str, str],
    *,
    client: tuple[str, int] | None = ("127.0.0.1", 4711),
    server: tuple[str, int | None] | None = ("127.0.0.1", 8080),
    method: str = "POST",
) -> Scope | int:
    """The scope that the application sees, or the status that it is refused with."""
    seen: list[Scope] = []
    statuses: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    async def receive() -> Any:
        raise AssertionError("the edge reads no body")

    scope = {
        "type": "http",
        "method": method,
        "path": "/v1/chat/completions",
        "scheme": "http",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": client,
        "server": server,
        "kronk.record": Record("r"),
    }
    edge = Edge(app, Rules.of(resolve(flags, {})))
    asyncio.run(edge(scope, receive, send))
    return seen[0] if seen else statuses[0]


def scope_of(*given: Any, **more: Any) -> Scope:
    found = passed(*given, **more)
    assert isinstance(found, dict)
    return found


FORWARDED = {
    "host": "127.0.0.1:8080",
    "x-forwarded-for": "9.9.9.9, 192.0.2.7",
    "x-forwarded-proto": "https",
    "x-forwarded-host": "localhost",
}


def test_a_trusted_proxys_word_is_in_the_scope_for_everybody_after_it() -> None:
    scope = scope_of({"trusted_proxies": "127.0.0.0/8"}, FORWARDED)
    assert scope["client"] == ("192.0.2.7", 0)
    assert scope["scheme"] == "https"
    assert [value for name, value in scope["headers"] if name == b"host"] == [b"localhost"]


def test_anybody_elses_is_not() -> None:
    for client in (("127.0.0.1", 4711), ("192.0.2.1", 1)):
        scope = scope_of({"trusted_proxies": "10.0.0.0/8"}, FORWARDED, client=client)
        assert (scope["client"], scope["scheme"]) == (client, "http")
        assert (b"host", b"127.0.0.1:8080") in scope["headers"]


def test_a_unix_socket_is_as_near_as_loopback() -> None:
    near: dict[str, Any] = {"client": None, "server": ("/run/kronk.sock", None)}
    scope = scope_of({"trusted_proxies": "127.0.0.1"}, FORWARDED, **near)
    assert scope["client"] == ("192.0.2.7", 0)
    assert scope_of({}, FORWARDED, **near)["client"] is None
    assert passed({}, {"host": "evil.example"}, **near) == 403
    assert scope_of({"allowed_hosts": "kronk.example"}, {"host": "kronk.example"}, **near)


def test_an_ipv4_client_of_a_socket_for_both_is_an_ipv4_client() -> None:
    scope = scope_of(
        {}, {"host": "x.example"}, client=("::ffff:192.0.2.7", 5), server=("::ffff:10.0.0.1", 80)
    )
    assert scope["client"] == ("192.0.2.7", 5)


def test_over_the_network_names_are_checked_when_there_is_a_list() -> None:
    there: dict[str, Any] = {"server": ("10.0.0.1", 80), "client": ("10.0.0.9", 5)}
    assert scope_of({}, {"host": "any.example"}, **there)
    listed: dict[str, str | None] = {"allowed_hosts": "kronk.example"}
    assert passed(listed, {"host": "any.example"}, **there) == 403
    assert scope_of(listed, {"host": "kronk.example:80"}, **there)


def test_the_name_that_it_listens_on_is_its_own() -> None:
    assert scope_of({"api_host": "studio:8080"}, {"host": "studio:8080"})


def test_a_client_that_names_nobody_is_no_page() -> None:
    assert scope_of({}, {})


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_pages_of_others_have_nothing_done_here(method: str) -> None:
    headers = {"host": "localhost", "origin": "https://evil.example"}
    assert passed({}, headers, method=method) == 403
    assert scope_of({}, headers, method="OPTIONS")
    assert scope_of({}, {"host": "localhost", "sec-fetch-site": "same-origin"}, method=method)
    allowed: dict[str, str | None] = {"cors_allowed_origins": "https://evil.example"}
    assert scope_of(allowed, headers, method=method)


def test_the_pace_of_bodies_is_in_the_scope() -> None:
    assert scope_of({"read_timeout": "5s"}, {})[READ_TIMEOUT] == 5.0


def test_what_is_no_request_passes() -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    edge: Any = Edge(app, Rules.of(resolve({}, {})))
    asyncio.run(edge({"type": "lifespan"}, None, None))
    assert seen == ["lifespan"]
