"""The real gateway process over HTTP, with a scripted supervisor and scripted workers."""

from __future__ import annotations

import json
import math
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from fakes.gateway_house import WORKER, House, done, hang_after, say
from harness.waiting import wait_until
from kronk.gateway.body import MAX_BODY_BYTES
from kronk.gateway.job import WINDOW
from kronk.gateway.protocol import MAX_HEAD_BYTES
from kronk.shared.wire.to_gateway import Accepted, Delta, Failed, Refused, WorkerLost
from kronk.shared.wire.to_supervisor import LeaseRequest, LeaseReturn
from kronk.shared.wire.to_worker import Cancel, Credit, Submit

CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"
HI = [{"role": "user", "content": "hi"}]


@pytest.fixture(scope="module")
def shared_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with House(tmp_path_factory.mktemp("h")) as house:
        yield house


@pytest.fixture
def house(shared_house: House) -> House:
    shared_house.forget()
    return shared_house


@pytest.fixture
def http(house: House) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=house.url, timeout=20) as client:
        yield client


def ask(**more: Any) -> dict[str, Any]:
    return {"model": "tiny", "messages": HI, **more}


def events(text: str) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in text.split("\n\n") if line]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


def test_a_whole_answer_has_openais_shape(house: House, http: httpx.Client) -> None:
    answer = http.post(CHAT, json=ask(temperature=0, stop=["x"], max_tokens=9))
    body = answer.json()
    assert answer.status_code == 200
    assert body["object"] == "chat.completion"
    assert body["choices"][0]["message"]["content"] == "Hello world"
    assert body["choices"][0]["finish_reason"] == "stop"
    assert body["usage"]["total_tokens"] == 7
    (submit,) = house.wait_for(Submit)
    assert submit.sampling.temperature == 0.0
    assert (submit.stop, submit.max_tokens) == (("x",), 9)
    assert submit.prompt.messages == ({"role": "user", "content": "hi"},)
    assert house.settled()
    assert not house.all(Cancel)


def test_a_stream_has_one_role_chunk_a_finish_chunk_and_done(
    house: House, http: httpx.Client
) -> None:
    got = events(http.post(CHAT, json=ask(stream=True)).text)
    deltas = [chunk["choices"][0]["delta"] for chunk in got[:-1]]
    assert deltas[0] == {"role": "assistant", "content": ""}
    assert deltas[1:3] == [{"content": "Hello"}, {"content": " world"}]
    assert deltas[3] == {}
    assert got[-2]["choices"][0]["finish_reason"] == "stop"
    assert got[-1] == "[DONE]"
    assert len({chunk["id"] for chunk in got[:-1]}) == 1
    assert house.settled()


def test_the_official_client_streams_and_reads_usage(house: House) -> None:
    house.script = say("\u00e4", "\u2028", "\U0001f600")
    with openai.OpenAI(base_url=f"{house.url}/v1", api_key="none", max_retries=0) as client:
        stream = client.chat.completions.create(
            model="tiny",
            messages=[{"role": "user", "content": "hi"}],
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = list(stream)
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        assert text == "\u00e4\u2028\U0001f600"
        assert chunks[-1].choices == []
        assert chunks[-1].usage is not None
        assert chunks[-1].usage.completion_tokens == 3
        whole = client.chat.completions.create(
            model="tiny", messages=[{"role": "user", "content": "hi"}]
        )
        assert whole.choices[0].message.content == "\u00e4\u2028\U0001f600"


def test_the_conversations_name_comes_by_header_too(house: House, http: httpx.Client) -> None:
    for path, body in ((CHAT, ask()), (COMPLETIONS, {"model": "tiny", "prompt": "x"})):
        answer = http.post(path, json=body, headers={"KRONK_IMC_ID": "user-123"})
        assert answer.status_code == 200
    assert [submit.prompt.session for submit in house.all(Submit)] == ["user-123"] * 2


REFUSALS = [
    (Refused(0, "not_found", "there is no model tiny", "model", None), 404, None),
    (Refused(0, "overloaded", "busy", None, 1.2), 503, "2"),
    (Refused(0, "model_failed", "bad file", None, 30.0), 503, "30"),
    (Refused(0, "internal", "oops", None, None), 500, None),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("refused", "status", "retry"), REFUSALS)
def test_a_refused_lease_is_an_http_error(
    house: House,
    http: httpx.Client,
    stream: bool,
    refused: Refused,
    status: int,
    retry: str | None,
) -> None:
    house.grant = lambda ask: Refused(
        ask.lease, refused.code, refused.message, refused.param, refused.retry_after
    )
    answer = http.post(CHAT, json=ask(stream=stream))
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == refused.code
    assert answer.json()["error"]["param"] == refused.param
    assert answer.headers.get("retry-after") == retry
    # To the millisecond, for clients that read it.
    exact = answer.headers.get("retry-after-ms")
    assert (exact is None) == (retry is None)
    if refused.retry_after is not None:
        assert exact == str(math.ceil(refused.retry_after * 1000))
    assert house.settled()


@pytest.mark.parametrize("stream", [False, True])
def test_a_worker_that_finds_the_prompt_too_long_is_an_http_error(
    house: House, http: httpx.Client, stream: bool
) -> None:
    def script(submit: Submit) -> Iterator[Any]:
        yield Failed(submit.request, "context_length_exceeded", "9 > 8 tokens", "messages")

    house.script = script
    answer = http.post(CHAT, json=ask(stream=stream))
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "context_length_exceeded"
    assert house.settled()
    assert not house.all(Cancel)


def test_a_failure_in_mid_stream_is_one_error_event_and_no_done(
    house: House, http: httpx.Client
) -> None:
    def script(submit: Submit) -> Iterator[Any]:
        yield Accepted(submit.request, 5)
        yield Delta(submit.request, 0, "He", (1,))
        yield Failed(submit.request, "internal", "decode failed", None)

    house.script = script
    answer = http.post(CHAT, json=ask(stream=True))
    got = events(answer.text)
    assert answer.status_code == 200
    assert got[1]["choices"][0]["delta"] == {"content": "He"}
    assert got[2] == {
        "error": {
            "message": "decode failed",
            "type": "server_error",
            "code": "internal",
            "param": None,
        }
    }
    assert len(got) == 3


def test_a_dead_worker_ends_its_streams_with_the_cause(house: House) -> None:
    worker = house.fresh_worker()
    house.script = hang_after("He", "llo")
    with (
        httpx.Client(base_url=house.url, timeout=20) as http,
        http.stream("POST", CHAT, json=ask(stream=True)) as answer,
    ):
        text, parts = "", answer.iter_text()
        while "llo" not in text:
            text += next(parts)
        house.control(WorkerLost(worker, "tiny", "killed by SIGKILL"))
        text += "".join(parts)
    got = events(text)
    assert got[-1]["error"]["code"] == "model_crashed"
    assert "killed by SIGKILL" in got[-1]["error"]["message"]
    assert house.settled()


@pytest.mark.parametrize("stream", [False, True])
def test_a_worker_that_dies_before_it_accepts_is_a_503_with_the_cause(
    house: House, http: httpx.Client, stream: bool
) -> None:
    worker = house.fresh_worker()

    def script(submit: Submit) -> Iterator[Any]:
        house.control(WorkerLost(worker, "tiny", "exit code 3"))
        yield from ()

    house.script = script
    answer = http.post(CHAT, json=ask(stream=stream))
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "model_crashed"
    assert "exit code 3" in answer.json()["error"]["message"]
    assert house.settled()


def send_raw(house: House, body: dict[str, Any]) -> socket.socket:
    data = json.dumps(body).encode()
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", house.port))
    head = f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n\r\n"
    connection.sendall(head.encode() + data)
    return connection


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_the_queue_gives_its_lease_back(house: House, stream: bool) -> None:
    house.grant = lambda ask: None
    with send_raw(house, ask(stream=stream)):
        house.wait_for(LeaseRequest)
    house.wait_for(LeaseReturn)
    assert house.settled()
    assert house.all(Submit) == []


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("words", [(), ("He",)])
def test_a_client_that_leaves_its_answer_cancels_it(
    house: House, stream: bool, words: tuple[str, ...]
) -> None:
    house.script = hang_after(*words)
    with send_raw(house, ask(stream=stream)) as connection:
        (submit,) = house.wait_for(Submit)
        if stream:
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
    assert house.wait_for(Cancel) == [Cancel(submit.request)]
    assert house.settled()


def test_a_client_that_does_not_read_starves_the_worker_and_then_gets_all(house: House) -> None:
    count, text = 500, "x" * 65536

    def script(submit: Submit) -> Iterator[Any]:
        yield Accepted(submit.request, 1)
        for number in range(count):
            yield Delta(submit.request, 0, text, (number,))
        yield from done(submit.request, count)

    house.script = script
    with send_raw(house, ask(stream=True)) as connection:
        house.wait_starved()
        got = bytearray()
        while not got.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n"):
            part = connection.recv(1 << 20)
            assert part, "the connection ended early"
            got += part
    assert got.count(text.encode()) == count
    assert all(credit.events >= WINDOW // 2 for credit in house.all(Credit))
    assert house.settled()


def test_an_unreadable_frame_ends_what_its_sender_was_doing(
    house: House, http: httpx.Client
) -> None:
    def script(submit: Submit) -> Iterator[Any]:
        house.raw(b"\xc1garbage")
        yield from ()

    house.script = script
    answer = http.post(CHAT, json=ask())
    assert answer.status_code == 500
    assert house.wait_for(Cancel)
    house.script = say("fine")
    assert http.post(CHAT, json=ask()).status_code == 200


def test_a_frame_of_another_generation_changes_nothing(house: House, http: httpx.Client) -> None:
    def script(submit: Submit) -> Iterator[Any]:
        house.data(Failed(submit.request, "internal", "stale", None), generation=WORKER - 1)
        yield from say("right")(submit)

    house.script = script
    assert http.post(CHAT, json=ask()).json()["choices"][0]["message"]["content"] == "right"


BAD: list[tuple[str, str, dict[str, Any], int, str, str | None]] = [
    ("POST", CHAT, {"content": b"{"}, 400, "invalid_argument", None),
    ("POST", CHAT, {"content": b""}, 400, "invalid_argument", None),
    ("POST", CHAT, {"content": b"\xff"}, 400, "invalid_argument", None),
    ("POST", CHAT, {"content": b"[" * 10_000}, 400, "invalid_argument", None),
    ("POST", CHAT, {"json": {}}, 400, "invalid_argument", "model"),
    ("POST", CHAT, {"json": {"model": "m", "messages": []}}, 400, "invalid_argument", "messages"),
    ("POST", CHAT, {"json": ask(wat=1)}, 400, "invalid_argument", "wat"),
    ("POST", CHAT, {"json": ask(n=0)}, 400, "invalid_argument", "n"),
    ("POST", CHAT, {"content": b" " * (MAX_BODY_BYTES + 1)}, 413, "too_large", None),
    (
        "POST",
        CHAT,
        {"content": (b" " * 2**20 for _ in range(40))},
        413,
        "too_large",
        None,
    ),
    ("GET", CHAT, {}, 405, "method_not_allowed", None),
    ("DELETE", "/v1/models", {}, 405, "method_not_allowed", None),
    ("GET", "/nowhere", {}, 404, "not_found", None),
    ("POST", "/v1/moderations", {"json": {}}, 404, "not_found", None),
    ("GET", "/v1/models/a/b/c", {}, 404, "not_found", "model"),
    ("GET", "/nowhere/x", {}, 404, "not_found", None),
    ("GET", "/v1/models/", {}, 404, "not_found", "model"),
]


@pytest.mark.parametrize(("method", "path", "content", "status", "code", "param"), BAD)
def test_errors_have_one_shape(
    http: httpx.Client,
    method: str,
    path: str,
    content: dict[str, Any],
    status: int,
    code: str,
    param: str | None,
) -> None:
    answer = http.request(method, path, **content)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()["error"]
    assert error.keys() == {"message", "type", "code", "param"}
    assert (error["code"], error["param"]) == (code, param)
    assert error["message"]


def test_a_body_without_a_content_type_is_read_all_the_same(http: httpx.Client) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        body = json.dumps(ask())
        assert http.post(CHAT, content=body, headers={"content-type": kind}).status_code == 200


@pytest.mark.parametrize(
    ("sent", "kept"), [("abc-1", True), ("x" * 200, False), ("a b", False), ("\u00e4", False)]
)
def test_a_request_id_is_echoed_where_it_is_harmless(
    http: httpx.Client, sent: str, kept: bool
) -> None:
    answer = http.get("/v1/liveness", headers={"x-request-id": sent.encode()})
    assert (answer.headers["x-request-id"] == sent) is kept
    assert answer.headers["x-request-id"]


def test_head_is_answered_like_get_without_a_body(http: httpx.Client) -> None:
    for path, status in (("/v1/liveness", 200), ("/", 200), ("/nowhere", 404), (CHAT, 405)):
        answer = http.head(path)
        assert (answer.status_code, answer.content) == (status, b"")


def test_the_access_log_has_one_line_with_figures_and_no_prompt(
    house: House, http: httpx.Client
) -> None:
    secret = "prompt-that-must-not-be-logged"
    house.script = say("a", "b", "c")
    body = ask(messages=[{"role": "user", "content": secret}])
    http.post(CHAT, json=body, headers={"x-request-id": "log-me"})
    http.post(CHAT, json={**body, "temperature": secret}, headers={"x-request-id": "log-bad"})
    # Each line is written after the answer's last byte.
    wait_until(lambda: house.logged("log-me") and house.logged("log-bad"), "both lines")
    (line,) = house.logged("log-me")
    assert (line["event"], line["status"], line["model"]) == ("request", 200, "tiny")
    assert (line["method"], line["path"], line["tokens"]) == ("POST", CHAT, 3)
    assert line["ttft"] <= line["duration"]
    assert house.logged("log-bad")[0]["error"] == "invalid_argument"
    assert house.logged(secret) == []


def test_models_are_listed_by_id_and_only_where_they_can_be_loaded(
    house: House, http: httpx.Client
) -> None:
    folder = house.base / "models" / "org" / "family"
    folder.mkdir(parents=True)
    (folder / "broken.gguf").write_bytes(b"GGUFnot")
    assert http.get("/v1/models").json() == {"object": "list", "data": []}
    (entry,) = http.get("/v1/kronk/models").json()["data"]
    assert entry["id"] == "broken"
    assert not entry["validated"]
    assert entry["reason"]


def test_ps_shows_what_the_supervisor_says(http: httpx.Client) -> None:
    body = http.get("/v1/kronk/ps").json()
    assert (body["object"], body["data"], body["draining"]) == ("list", [], False)
    assert body["processes"][0]["role"] == "supervisor"
    assert body["leases"]["asked"] == 0
    assert body["gateway"]["live"] == 0


def test_ready_means_that_the_supervisor_answers(house: House, http: httpx.Client) -> None:
    assert http.get("/v1/readiness").status_code == 200
    house.answer_status = False
    answer = http.get("/v1/readiness")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert "supervisor" in answer.json()["error"]["message"]
    assert http.get("/v1/kronk/ps").status_code == 504


def test_ready_means_that_the_disk_takes_writes(house: House, http: httpx.Client) -> None:
    run = house.base / "run"
    run.rename(house.base / "gone")
    try:
        answer = http.get("/v1/readiness")
    finally:
        (house.base / "gone").rename(run)
    assert answer.status_code == 503
    assert "disk" in answer.json()["error"]["message"]


def test_liveness_says_who_it_is(house: House, http: httpx.Client) -> None:
    body = http.get("/v1/liveness").json()
    assert body["status"] == "up"
    assert body["pid"] == house.process.pid
    assert body.keys() == {"status", "build", "host", "cpus", "pid"}


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_pages_need_nothing_from_elsewhere(http: httpx.Client, path: str) -> None:
    page = http.get(path)
    assert page.headers["content-type"].startswith("text/html")
    assert "https://" not in page.text
    assert "http://" not in page.text


def test_openapi_describes_the_routes_there_are(http: httpx.Client) -> None:
    paths = http.get("/openapi.json").json()["paths"]
    assert {CHAT, "/v1/models/{model}", "/v1/tokenize"} <= set(paths)
    for path, field in ((CHAT, "messages"), ("/v1/completions", "prompt")):
        post = paths[path]["post"]
        properties = post["requestBody"]["content"]["application/json"]["schema"]["properties"]
        assert {field, "temperature", "dry_base", "regex", "response_format"} <= set(properties)
        assert set(post["responses"]["200"]["content"]) == {"application/json", "text/event-stream"}


# Barely over the limit: a server that closes with bytes unread resets the connection.
NOT_HTTP = [
    b"garbage\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A: " + b"a" * MAX_HEAD_BYTES + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\n" + (b"X-A: " + b"b" * 1021 + b"\r\n") * 64 + b"\r\n",
    b"GET /" + b"a" * MAX_HEAD_BYTES + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"POST " + CHAT.encode() + b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
]


@pytest.mark.parametrize("sent", NOT_HTTP)
def test_what_is_not_http_is_refused_in_the_same_shape(house: House, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", house.port)) as connection:
        connection.sendall(sent)
        got = connection.recv(65536)
    head, _, body = got.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert json.loads(body)["error"]["code"] == "invalid_argument"
