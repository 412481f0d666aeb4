"""The edge of the real gateway process: what its routes, its log and its sockets make of it."""

from __future__ import annotations

import errno
import json
import re
import socket
import ssl
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from fakes.gateway_house import House, say
from harness.routes import JSON_ROUTES, PLAIN_ROUTES, served
from harness.tls_pairs import NAME, make_pair
from harness.waiting import wait_until
from kronk.gateway import site
from kronk.gateway.dialects.depth import MAX_DEPTH
from kronk.shared.wire.to_supervisor import LeaseReturn
from kronk.shared.wire.to_worker import Cancel, Submit

CHAT = "/v1/chat/completions"
HI = [{"role": "user", "content": "hi"}]
ASK = {"model": "tiny", "messages": HI}
EVIL = "https://evil.example"


@pytest.fixture(scope="module")
def shared_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("h")
    with House(folder, read_timeout="300ms", write_timeout="1s") as house:
        yield house


@pytest.fixture
def house(shared_house: House) -> House:
    shared_house.forget()
    return shared_house


@pytest.fixture
def http(house: House) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=house.url, timeout=20) as client:
        yield client


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Over TLS, behind a proxy that is trusted, with prompts in the log."""
    folder = tmp_path_factory.mktemp("p")
    pair = make_pair(folder, "kronk")
    with House(
        folder,
        tls_cert=str(pair.cert),
        tls_key=str(pair.key),
        trusted_proxies="127.0.0.0/8",
        allowed_hosts=f"{NAME},*.lan",
        insecure_logging="true",
    ) as house:
        house.url = house.url.replace("http://", "https://")
        yield house


@pytest.fixture
def https(proxied: House) -> Iterator[httpx.Client]:
    proxied.forget()
    trust = ssl.create_default_context(cafile=str(proxied.folder / "kronk.pem"))
    with httpx.Client(base_url=proxied.url, timeout=20, verify=trust) as client:
        yield client


def error_of(answer: httpx.Response) -> dict[str, Any]:
    error: dict[str, Any] = answer.json()["error"]
    return error


# Names and pages.


def test_a_name_that_somebody_led_here_is_refused(house: House, http: httpx.Client) -> None:
    for path in ("/", "/v1/models", "/v1/liveness", "/nowhere", CHAT):
        answer = http.get(path, headers={"host": f"evil.example:{house.port}"})
        assert answer.status_code == 403
        assert (error_of(answer)["code"], error_of(answer)["param"]) == (
            "permission_denied",
            "Host",
        )
        assert "--allowed-hosts" in error_of(answer)["message"]
    answer = http.post("/v1/messages", json=ASK, headers={"host": "evil.example"})
    assert error_of(answer)["type"] == "permission_error"
    assert not house.all(Submit)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1", "[::1]", "a.localhost:8080"])
def test_our_own_names_are_ours(http: httpx.Client, host: str) -> None:
    assert http.get("/v1/models", headers={"host": host}).status_code == 200


def test_a_malformed_name_is_a_400(http: httpx.Client) -> None:
    for host in ("a b", "localhost:x", "evil@localhost", "localhost/"):
        answer = http.get("/v1/models", headers={"host": host})
        assert (answer.status_code, error_of(answer)["param"]) == (400, "Host")


@pytest.mark.parametrize("site", [None, "cross-site", "same-site"])
@pytest.mark.parametrize("origin", [EVIL, "null", "http://localhost:1"])
def test_a_page_of_another_origin_cannot_have_anything_done(
    house: House, http: httpx.Client, origin: str, site: str | None
) -> None:
    headers = {"origin": origin, "content-type": "text/plain"}
    if site is not None:
        headers["sec-fetch-site"] = site
    for method, path in (("POST", CHAT), ("DELETE", "/v1/files/x"), ("POST", "/v1/kronk/reload")):
        answer = http.request(method, path, content=json.dumps(ASK), headers=headers)
        assert (answer.status_code, error_of(answer)["param"]) == (403, "Origin")
        assert "--cors-allowed-origins" in error_of(answer)["message"]
    assert not house.all(Submit)


def test_our_own_pages_can(house: House, http: httpx.Client) -> None:
    for headers in ({"origin": house.url}, {"origin": EVIL, "sec-fetch-site": "same-origin"}):
        assert http.post(CHAT, json=ASK, headers=headers).status_code == 200


def test_probes_need_no_name(house: House) -> None:
    with socket.create_connection(("127.0.0.1", house.port)) as connection:
        connection.sendall(b"GET /v1/liveness HTTP/1.0\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")


# Answers.


@pytest.mark.parametrize("path", ["/", "/docs", "/v1/models", "/openapi.json", "/nowhere", CHAT])
def test_every_answer_is_dressed(http: httpx.Client, path: str) -> None:
    headers = http.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "cache-control" in headers
    assert "strict-transport-security" not in headers
    is_page = headers["content-type"].startswith("text/html")
    assert ("content-security-policy" in headers) is is_page
    assert ("x-frame-options" in headers) is is_page


def test_a_stream_is_too(http: httpx.Client) -> None:
    headers = http.post(CHAT, json=ASK | {"stream": True}).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-cache"


# Depth.


def deep(levels: int, opening: str = '{"a":', closing: str = "}") -> str:
    return opening * levels + "1" + closing * levels


@pytest.mark.parametrize("route", [*JSON_ROUTES], ids=lambda route: route.path)
@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 100_000])
def test_a_body_that_is_too_deep_is_a_400_that_names_the_limit(
    http: httpx.Client, route: Any, levels: int
) -> None:
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        inner = deep(levels, opening, closing)
        body = json.dumps(route.body(metadata="@")).replace('"@"', inner)
        answer = http.post(route.path, content=body)
        assert answer.status_code == 400
        said = error_of(answer) if isinstance(answer.json()["error"], dict) else answer.json()
        assert f"at most {MAX_DEPTH}" in str(said.get("message", said))


@pytest.mark.parametrize("levels", [1000, 100_000])
def test_a_body_without_an_end_is_a_400(http: httpx.Client, levels: int) -> None:
    for text in ("[" * levels, '{"a":' * levels, '{"messages":' + "[" * levels):
        assert http.post(CHAT, content=text).status_code == 400


def schema(levels: int) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        made = {"type": "object", "properties": {"a": made}}
    return made


def test_schemas_of_tools_have_a_depth_that_is_enough(house: House, http: httpx.Client) -> None:
    def asked(levels: int) -> httpx.Response:
        function = {"name": "f", "parameters": schema(levels)}
        return http.post(CHAT, json=ASK | {"tools": [{"type": "function", "function": function}]})

    assert asked(50).status_code == 200
    assert asked(70).status_code == 400
    assert len(house.all(Submit)) == 1


def test_arguments_of_calls_are_held_to_it_too(http: httpx.Client) -> None:
    for levels, status in ((MAX_DEPTH, 200), (MAX_DEPTH + 1, 400), (100_000, 400)):
        call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": deep(levels)}}
        said = [*HI, {"role": "assistant", "tool_calls": [call]}]
        said.append({"role": "tool", "tool_call_id": "1", "content": "x"})
        answer = http.post(CHAT, json=ASK | {"messages": said})
        assert answer.status_code == status, levels


# Clients that take their time.


def test_a_body_that_stops_is_a_504_that_names_the_setting(house: House) -> None:
    with socket.create_connection(("127.0.0.1", house.port)) as connection:
        head = f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n"
        connection.sendall(head.encode() + b'{"model"')
        got = b""
        while not got.endswith(b"}}"):
            got += connection.recv(65536)
    assert got.startswith(b"HTTP/1.1 504")
    assert b"--read-timeout" in got


@pytest.mark.parametrize("start", [b"GET / HT", b"GET / HTTP/1.1\r\nHost: localhost\r\nX"])
def test_a_head_that_does_not_come_ends_the_connection(house: House, start: bytes) -> None:
    with socket.create_connection(("127.0.0.1", house.port)) as connection:
        connection.sendall(start)
        connection.settimeout(20)
        got = b"".join(iter(lambda: connection.recv(65536), b""))
    assert got.startswith(b"HTTP/1.1 408")


def test_a_client_that_takes_nothing_is_cut_off_and_its_slot_freed(house: House) -> None:
    house.script = say(*["word " * 200] * 50_000)
    with socket.create_connection(("127.0.0.1", house.port)) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        body = json.dumps(ASK | {"stream": True}).encode()
        head = f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        house.wait_for(Cancel)
        house.wait_for(LeaseReturn)
        wait_until(lambda: _is_reset(connection), "the end of the connection")
    assert house.settled()


def _is_reset(connection: socket.socket) -> bool:
    """Without reading: whether the other side has given the connection up."""
    return connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNRESET


@pytest.mark.parametrize("stream", [False, True])
def test_a_request_over_its_time_is_a_504_and_its_slot_freed(
    house: House, http: httpx.Client, stream: bool
) -> None:
    house.script = lambda submit: iter(())
    begun = time.monotonic()
    answer = http.post(CHAT, json=ASK | {"stream": stream})
    assert (answer.status_code, error_of(answer)["code"]) == (504, "timeout")
    assert time.monotonic() - begun < 20
    house.wait_for(Cancel)
    assert house.settled()


# Paths.

STRANGE = [
    "..",
    "../../../../etc/passwd",
    "..%2f..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/etc/passwd",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "..%5c..%5cetc%5cpasswd",
    "....//....//etc/passwd",
    "%252e%252e%252fetc%252fpasswd",
    "%c0%ae%c0%ae/etc/passwd",
    "/etc/passwd",
    "//etc/passwd",
    "%2fetc%2fpasswd",
    "x%00.gguf",
    "%00",
    "x%0d%0aSet-Cookie:%20a=b",
    "%ff%fe",
    "a" * 5000,
    quote("\u202e\U0001f600\u0000\u00e4", safe=""),
    "~root",
    "CON",
    "-rf",
    "*",
    "{model}",
    "%7b%7b7*7%7d%7d",
]


def _with_parameter() -> list[tuple[str, str]]:
    pages = {f"{path}/{{rest:path}}" for path in site.PAGES}
    return sorted((method, path) for method, path in served() if "{" in path and path not in pages)


@pytest.mark.parametrize("strange", [raw for raw in STRANGE if "%0d" not in raw])
def test_whatever_follows_the_path_of_a_page_the_answer_is_the_page(
    house: House, strange: str
) -> None:
    client = HTTPConnection("127.0.0.1", house.port, timeout=20)
    said = []
    for raw in ("/", f"/chat/{strange}"):
        client.request("GET", raw)
        answer = client.getresponse()
        said.append((answer.status, answer.getheader("set-cookie"), answer.read()))
    client.close()
    assert said[0] == said[1]
    assert said[0][0] == 200


@pytest.mark.parametrize(("method", "path"), _with_parameter())
def test_no_parameter_of_a_path_leads_anywhere(house: House, method: str, path: str) -> None:
    before = sorted(house.folder.rglob("*"))
    # As it stands: other clients would tidy the path up.
    client = HTTPConnection("127.0.0.1", house.port, timeout=20)
    for strange in STRANGE:
        raw = re.sub(r"\{[^{}]*\}", lambda _, strange=strange: strange, path)
        client.request(method, raw, "{}")
        answer = client.getresponse()
        text = answer.read().decode()
        assert answer.status in (400, 404, 405, 409), (raw, text[:300])
        assert "root:" not in text
        assert answer.getheader("set-cookie") is None
        assert json.loads(text)["error"]
    client.close()
    made = set(house.folder.rglob("*")) - set(before)
    assert not {found for found in made if "passwd" in found.name}


def test_every_route_with_a_parameter_is_known_to_the_tests() -> None:
    pages = {f"{path}/{{rest:path}}" for path in site.PAGES}
    assert {route.path for route in PLAIN_ROUTES if "{" in route.path} - pages <= {
        path for _, path in _with_parameter()
    }


# TLS, a proxy, and the log.


def test_https_is_spoken_and_nothing_else(proxied: House, https: httpx.Client) -> None:
    answer = https.post(CHAT, json=ASK)
    assert (answer.status_code, answer.http_version) == (200, "HTTP/1.1")
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"http://127.0.0.1:{proxied.port}/v1/liveness", timeout=20)
    # It was no harm.
    assert https.get("/v1/liveness").status_code == 200


def test_a_websocket_is_spoken_over_tls_to_the_page_that_the_proxy_serves(proxied: House) -> None:
    trust = ssl.create_default_context(cafile=str(proxied.folder / "kronk.pem"))
    # The page is at the proxy's address, which its browser calls the origin.
    for origin, is_ours in ((f"https://{NAME}", True), ("https://evil.example", False)):
        more = {"X-Forwarded-Host": NAME, "X-Forwarded-Proto": "https"}
        url = f"wss://127.0.0.1:{proxied.port}/v1/kronk/events"
        asked = {"origin": origin, "additional_headers": more, "ssl": trust, "open_timeout": 20}
        if not is_ours:
            with pytest.raises(InvalidStatus, match="403"):
                connect(url, **asked)
            continue
        with connect(url, **asked) as watching:
            assert json.loads(watching.recv(20))["type"] == "state"


def test_https_is_insisted_on_by_name(https: httpx.Client) -> None:
    for host, insists in ((NAME, True), ("127.0.0.1", False), ("localhost:8443", False)):
        headers = https.get("/v1/models", headers={"host": host}).headers
        assert ("strict-transport-security" in headers) is insists


def test_names_that_are_listed_are_ours(https: httpx.Client) -> None:
    for host, status in ((NAME, 200), ("box.lan:8443", 200), ("evil.example", 403)):
        assert https.get("/v1/models", headers={"host": host}).status_code == status


def test_the_client_is_whom_the_proxy_names(proxied: House, https: httpx.Client) -> None:
    forwarded = {
        "x-forwarded-for": "9.9.9.9, 192.0.2.44",
        "x-forwarded-host": "box.lan",
        "x-forwarded-proto": "https",
        "x-request-id": "by-proxy",
    }
    assert https.get("/v1/models", headers=forwarded).status_code == 200
    wait_until(lambda: proxied.logged("by-proxy"), "the line of the request")
    assert proxied.logged("by-proxy")[0]["client"] == "192.0.2.44"
    foreign = https.get("/v1/models", headers=forwarded | {"x-forwarded-host": "evil.example"})
    assert foreign.status_code == 403


def test_without_trust_nobody_names_another(house: House, http: httpx.Client) -> None:
    headers = {"x-forwarded-for": "192.0.2.44", "x-forwarded-host": "evil.example"}
    assert http.get("/v1/models", headers=headers | {"x-request-id": "alone"}).status_code == 200
    wait_until(lambda: house.logged('"alone"'), "the line of the request")
    assert house.logged('"alone"')[0]["client"] == "127.0.0.1"


CANARY = "canary-that-sings-in-prompts"
BIRD = "canary-that-sings-in-answers"


def bodies_with(canary: str) -> list[tuple[str, dict[str, Any]]]:
    said = [{"role": "user", "content": canary}]
    return [
        (CHAT, ASK | {"messages": said}),
        (CHAT, ASK | {"messages": said, "stream": True}),
        (CHAT, ASK | {"messages": said, "temperature": canary}),
        (CHAT, ASK | {"messages": [{"role": canary, "content": canary}]}),
        ("/v1/completions", {"model": "tiny", "prompt": canary}),
        ("/v1/messages", ASK | {"messages": said, "max_tokens": 9}),
        ("/v1/responses", {"model": "tiny", "input": canary, "metadata": {canary: 1}}),
        ("/api/chat", ASK | {"messages": said, "options": {canary: 1}}),
        ("/v1/embeddings", {"model": "tiny", "input": [canary, 3.5]}),
        ("/v1/rerank", {"model": "tiny", "query": canary, "documents": [1]}),
    ]


def test_no_prompt_and_no_answer_is_in_the_log(house: House, http: httpx.Client) -> None:
    house.script = say(BIRD)
    for number, (path, body) in enumerate(bodies_with(CANARY)):
        http.post(path, json=body, headers={"x-request-id": f"sung-{number}"})
        wait_until(lambda number=number: house.logged(f"sung-{number}"), "its line")
    assert house.logged(CANARY) == []
    assert house.logged(BIRD) == []


def test_with_the_setting_both_are_in_one_line_and_it_is_said_loudly(
    proxied: House, https: httpx.Client
) -> None:
    (warning,) = proxied.logged("INSECURE LOGGING")
    assert warning["level"] == "warning"
    assert any(
        "INSECURE LOGGING" in words for words in https.get("/v1/kronk/ps").json()["warnings"]
    )
    proxied.script = say(BIRD)
    for stream in (False, True):
        name = f"heard-{stream}"
        body = ASK | {"messages": [{"role": "user", "content": CANARY}], "stream": stream}
        secret = {"authorization": "Bearer secret-of-a-header"}
        https.post(CHAT, json=body, headers=secret | {"x-request-id": name})
        wait_until(lambda name=name: len(proxied.logged(name)) == 2, "both lines")
        (line,) = [one for one in proxied.logged(name) if one["event"] == "prompt and answer"]
        assert CANARY in line["request"]
        assert BIRD in line["answer"]
    assert proxied.logged("secret-of-a-header") == []


def test_what_is_logged_has_an_end(proxied: House, https: httpx.Client) -> None:
    body = ASK | {"messages": [{"role": "user", "content": "x" * 200_000}]}
    https.post(CHAT, json=body, headers={"x-request-id": "long"})
    wait_until(lambda: len(proxied.logged('"long"')) == 2, "both lines")
    (line,) = [one for one in proxied.logged('"long"') if one["event"] == "prompt and answer"]
    assert len(line["request"]) < 70_000
    assert line["request"].endswith("bytes more)")


def test_other_routes_bodies_are_never_in_the_log(proxied: House, https: httpx.Client) -> None:
    body = {"kind": "pull", "params": {"wanted": "x", "token": "secret-of-a-job"}}
    https.post("/v1/kronk/jobs", json=body, headers={"x-request-id": "job"})
    wait_until(lambda: proxied.logged('"job"'), "the line of the request")
    assert proxied.logged("secret-of-a-job") == []


def test_a_server_for_this_machine_alone_warns_of_nothing(house: House, http: httpx.Client) -> None:
    assert house.logged("anybody who reaches") == house.logged("INSECURE") == []
    assert http.get("/v1/kronk/ps").json()["warnings"] == []
