"""Limits of tokens as clients meet them: the real gateway, its workers played."""

from __future__ import annotations

import json
import shutil
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anthropic
import httpx
import openai
import pytest

from fakes.gateway_house import House, hang_after, play, say
from harness.waiting import wait_until
from kronk.shared.security.grants import Grants, Limit, parse_endpoints
from kronk.shared.security.keys import Keyring
from kronk.shared.security.tokens import issue
from kronk.shared.wire.to_gateway import Delta, Failed, Refused, Started
from kronk.shared.wire.to_supervisor import LeaseRequest
from kronk.shared.wire.to_worker import Submit

ORIGIN = "https://a.example"
CHAT = "/v1/chat/completions"
HI: list[Any] = [{"role": "user", "content": "hi"}]
TINY = Path(__file__).parents[1] / "models/tiny-chat-q8_0.gguf"
USAGE = "/v1/kronk/security/usage"
GONE = "client_gone"
Client = Callable[..., httpx.Client]


@pytest.fixture(scope="module")
def shared_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = House(tmp_path_factory.mktemp("h"), auth_mode="protected", cors_allowed_origins=ORIGIN)
    for name in ("tiny", "secret"):
        (house.base / "models/org" / name).mkdir(parents=True)
        shutil.copy(TINY, house.base / f"models/org/{name}/{name}.gguf")
    with house:
        yield house


@pytest.fixture
def house(shared_house: House) -> House:
    shared_house.forget()
    return shared_house


def token(
    house: House, endpoints: str, subject: str | None = None, *, admin: bool = False, **grants: Any
) -> str:
    granted = Grants({} if admin else parse_endpoints(endpoints), **grants)
    keyring, now = Keyring(house.base / "keys"), time.time()
    made = issue(
        keyring, "kronk", duration=3600.0, grants=granted, admin=admin, subject=subject, now=now
    )
    return made.token


@pytest.fixture
def client(house: House) -> Iterator[Client]:
    opened: list[httpx.Client] = []

    def make(endpoints: str = "chat-completions", **grants: Any) -> httpx.Client:
        headers = {"Authorization": f"Bearer {token(house, endpoints, **grants)}"}
        opened.append(httpx.Client(base_url=house.url, headers=headers, timeout=20))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def chat(http: httpx.Client, **more: Any) -> httpx.Response:
    return http.post(CHAT, json={"model": "tiny", "messages": HI, **more})


def test_openais_client_is_told_of_the_limit_and_does_not_try_again(house: House) -> None:
    key = token(house, "chat-completions:1/year")
    with openai.OpenAI(base_url=f"{house.url}/v1", api_key=key, timeout=20) as official:
        ask = official.chat.completions.with_raw_response.create
        good = ask(model="tiny", messages=HI)
        assert good.headers["x-ratelimit-limit"] == "1"
        assert good.headers["x-ratelimit-remaining"] == "0"
        with pytest.raises(openai.RateLimitError) as caught:
            ask(model="tiny", messages=HI)
    headers = caught.value.response.headers
    reset = int(headers["x-ratelimit-reset"])
    assert reset % 86400 == 0
    assert 0 <= reset - time.time() - int(headers["retry-after"]) + 1 < 30
    assert headers["x-should-retry"] == "false"
    assert caught.value.code == "rate_limited"
    assert caught.value.message.startswith("Error code: 429")
    assert len(house.all(Submit)) == 1


def test_anthropics_client_is_told_in_its_own_form(house: House) -> None:
    key = token(house, "messages:1/year")
    with anthropic.Anthropic(base_url=house.url, api_key=key, timeout=20) as official:
        ask = official.messages.with_raw_response.create
        good = ask(model="tiny", max_tokens=9, messages=HI)
        assert good.headers["x-ratelimit-remaining"] == "0"
        with pytest.raises(anthropic.RateLimitError) as caught:
            ask(model="tiny", max_tokens=9, messages=HI)
    body: Any = caught.value.body
    assert body["error"]["type"] == "rate_limit_error"
    assert body["error"]["message"].startswith(
        "rate limit exceeded: the one call a year of messages"
    )
    assert len(house.all(Submit)) == 1


def test_a_browser_of_another_origin_may_read_the_headers(house: House) -> None:
    answer = httpx.get(f"{house.url}/v1/liveness", headers={"Origin": ORIGIN}, timeout=20)
    exposed = answer.headers["access-control-expose-headers"].lower()
    assert "x-ratelimit-remaining" in exposed


@pytest.mark.parametrize(
    ("path", "endpoint", "body"),
    [
        ("/v1/completions", "completions", {"prompt": ["a", "b"], "max_tokens": 3}),
        ("/v1/responses", "responses", {"input": "hi", "store": False}),
        ("/api/chat", "chat-completions", {"messages": HI, "stream": False}),
        ("/api/generate", "completions", {"prompt": "hi", "stream": False}),
    ],
)
def test_a_request_is_one_call_of_its_endpoint(
    house: House, client: Client, path: str, endpoint: str, body: dict[str, Any]
) -> None:
    http = client(f"{endpoint}:1/year")
    statuses = [http.post(path, json={"model": "tiny", **body}).status_code for _ in range(2)]
    assert statuses == [200, 429]


def refused(house: House) -> None:
    house.grant = lambda ask: Refused(ask.lease, "model_failed", "it is broken", None, 30.0)


def failed(house: House) -> None:
    house.script = play(lambda request: Failed(request, "internal", "a bug", None))


def failed_late(house: House) -> None:
    house.script = play(
        lambda request: Delta(request, 0, "Hel", (1,)),
        lambda request: Failed(request, "model_crashed", "it died", None),
    )


def wrong(house: House) -> None:
    house.script = play(lambda request: Failed(request, "invalid_argument", "no", "messages"))


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("what", "left"), [(refused, 2), (failed, 2), (failed_late, 2), (wrong, 1)]
)
def test_what_the_server_failed_at_is_given_back(
    house: House, client: Client, what: Callable[[House], None], left: int, stream: bool
) -> None:
    http = client("chat-completions:3/year")
    what(house)
    assert "error" in chat(http, stream=stream).text
    house.forget()
    assert chat(http).headers["x-ratelimit-remaining"] == str(left)


def test_a_request_that_is_no_request_costs_a_call(client: Client) -> None:
    http = client("chat-completions:2/year")
    assert http.post(CHAT, content=b"{").status_code == 400
    assert chat(http).headers["x-ratelimit-remaining"] == "0"


def test_tokens_are_counted_until_the_budget_is_used_up(house: House, client: Client) -> None:
    http = client("chat-completions,messages", tokens=Limit(14, "year"))
    first, second, third = chat(http), chat(http, stream=True), chat(http)
    assert first.headers["x-ratelimit-remaining-tokens"] == "14"
    assert second.headers["x-ratelimit-remaining-tokens"] == "7"
    assert third.status_code == 429
    assert "the 14 tokens a year are used up" in third.json()["error"]["message"]
    assert third.headers["x-ratelimit-limit"] == "14"


def test_who_leaves_pays_what_was_written_until_then(house: House, client: Client) -> None:
    http = client("chat-completions", tokens=Limit(100, "year"))

    def script(submit: Submit) -> Iterator[Any]:
        yield from list(hang_after()(submit))
        yield Started(submit.request, 40, 0)
        yield Delta(submit.request, 0, "Hello", (1, 2, 3))

    house.script, before = script, len(house.logged(GONE))
    with http.stream(
        "POST", CHAT, json={"model": "tiny", "messages": HI, "stream": True}
    ) as answer:
        text, parts = "", answer.iter_text()
        while "Hello" not in text:
            text += next(parts)
    wait_until(lambda: len(house.logged(GONE)) > before, "its line in the log, once it is settled")
    house.script = say("Hi")
    assert chat(http).headers["x-ratelimit-remaining-tokens"] == str(100 - 43)


def test_a_place_is_free_again_when_its_client_left_the_queue(house: House, client: Client) -> None:
    key = token(house, "chat-completions", concurrency=1)
    http = httpx.Client(base_url=house.url, headers={"Authorization": f"Bearer {key}"}, timeout=20)
    # Nobody is given the model.
    house.grant = lambda ask: None
    body = json.dumps({"model": "tiny", "messages": HI}).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with http:
        with socket.create_connection(("127.0.0.1", house.port)) as connection:
            connection.sendall(head.encode() + body)
            house.wait_for(LeaseRequest)
            busy = chat(http)
            assert (busy.status_code, busy.headers["retry-after"]) == (429, "1")
            assert "x-should-retry" not in busy.headers
            assert "1 request at once" in busy.json()["error"]["message"]
        assert house.settled()
        house.forget()
        wait_until(lambda: chat(http).status_code == 200, "a place")


@pytest.mark.parametrize(("admin", "told"), [(False, None), (True, 7.0)])
def test_how_long_a_model_stays_is_an_administrators_to_say(
    house: House, admin: bool, told: float | None
) -> None:
    key = token(house, "chat-completions", admin=admin)
    with httpx.Client(base_url=house.url, headers={"x-api-key": key}, timeout=20) as http:
        assert chat(http, ttl=7).status_code == 200
    assert [ask.ttl for ask in house.wait_for(LeaseRequest)] == [told]


@pytest.mark.parametrize(("admin", "status"), [(False, 403), (True, 200)])
def test_only_an_administrator_unloads_a_model(house: House, admin: bool, status: int) -> None:
    key = token(house, "completions", admin=admin)
    with httpx.Client(base_url=house.url, headers={"x-api-key": key}, timeout=20) as http:
        answer = http.post("/api/generate", json={"model": "tiny", "keep_alive": 0})
        other = http.post("/api/generate", json={"model": "tiny"})
    assert (answer.status_code, other.status_code) == (status, 200)
    assert [ask.ttl for ask in house.all(LeaseRequest)] == ([0.0, None] if admin else [None])


@pytest.mark.parametrize("asked", ["chat", "route", "show"])
def test_what_was_meant_instead_is_not_said_to_who_may_not_use_it(
    house: House, client: Client, asked: str
) -> None:
    http = client(models=("secre*x",))
    hint = "there is no model 'secretx'; did you mean secret?"
    house.grant = lambda ask: Refused(ask.lease, "not_found", hint, "model", None)
    answer = {
        "chat": lambda: http.post(CHAT, json={"model": "secretx", "messages": HI}),
        "route": lambda: http.get("/v1/models/secretx"),
        "show": lambda: http.post("/api/show", json={"model": "secretx"}),
    }[asked]()
    said = answer.json()["error"]
    assert answer.status_code == 404
    assert (said if asked == "show" else said["message"]) == "there is no model 'secretx'"


@pytest.mark.parametrize("name", ["secret", "there-is-none", "org/secret/secret", "secret.gguf"])
def test_a_model_that_is_not_granted_is_refused_whether_it_exists_or_not(
    house: House, client: Client, name: str
) -> None:
    http = client("chat-completions,tokenize", models=("ti*",))
    answers = [
        chat(http, model=name),
        http.post("/v1/tokenize", json={"model": name, "content": "hi"}),
        http.get(f"/v1/models/{name}"),
        http.post("/api/show", json={"model": name}),
        http.post("/api/chat", json={"model": f"{name}:latest", "messages": HI}),
    ]
    assert [answer.status_code for answer in answers] == [403] * len(answers)
    assert "model not authorized" in answers[0].json()["error"]["message"]
    assert not house.all(LeaseRequest)


def test_lists_have_the_models_that_are_granted(house: House, client: Client) -> None:
    http = client("chat-completions", models=("ti*",))
    everything = client("chat-completions")
    for one, expected in ((http, ["tiny"]), (everything, ["secret", "tiny"])):
        assert sorted(row["id"] for row in one.get("/v1/models").json()["data"]) == expected
        assert sorted(row["name"] for row in one.get("/api/tags").json()["models"]) == expected
    assert http.get("/v1/models/tiny").status_code == 200
    assert http.post("/api/show", json={"model": "tiny:latest"}).status_code == 200
    assert chat(http).status_code == 200


def test_the_administrator_sees_what_each_has_used(house: House, client: Client) -> None:
    subject = str(uuid.uuid4())
    http = client("embeddings,chat-completions:7/year", subject=subject)
    assert chat(http).status_code == 200
    assert http.get(USAGE).status_code == 403
    admin = (house.base / "keys/master.jwt").read_text().strip()
    with httpx.Client(
        base_url=house.url, headers={"Authorization": f"Bearer {admin}"}, timeout=20
    ) as boss:
        assert subject in [row["subject"] for row in boss.get(USAGE).json()["data"]]
        (row,) = boss.get(USAGE, params={"subject": subject}).json()["data"]
        spent = {"calls": 1, "prompt_tokens": 5, "completion_tokens": 2}
        assert (row["endpoint"], row["name"], row["year"]) == ("chat-completions", None, spent)
        assert boss.get(USAGE, params={"subject": "nobody"}).json()["days"] == []
        assert boss.get(USAGE, params={"limit": "0"}).status_code == 400
