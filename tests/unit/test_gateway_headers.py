"""Headers in and out: the request's id, and what pages of other origins may send and read."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from fakes.gateway_house import House
from harness.routes import JSON_ROUTES, PLAIN_ROUTES

ORIGIN, EVIL = "http://app.example", "http://evil.example"
PATHS = sorted({route.path for route in (*JSON_ROUTES, *PLAIN_ROUTES)})
# What the vendors' clients send from a browser.
SENT = [
    "authorization",
    "content-type",
    "x-api-key",
    "anthropic-version",
    "anthropic-beta",
    "anthropic-dangerous-direct-browser-access",
    "x-stainless-retry-count",
    "openai-organization",
    "x-request-id",
    "kronk_imc_id",
]
READ = {"x-request-id", "request-id", "retry-after", "retry-after-ms"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with House(tmp_path_factory.mktemp("h"), cors_allowed_origins=ORIGIN) as house:
        yield house


@pytest.fixture(scope="module")
def http(house: House) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=house.url, timeout=20) as client:
        yield client


def words(text: str) -> set[str]:
    return {word.strip().lower() for word in text.split(",")}


# The request's id.


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_has_the_id_that_was_sent_under_both_names(
    http: httpx.Client, path: str
) -> None:
    for method in ("GET", "POST"):
        answer = http.request(method, path, headers={"x-request-id": "mine:1"})
        assert answer.headers["x-request-id"] == answer.headers["request-id"] == "mine:1"


def test_an_id_is_made_where_none_was_sent(http: httpx.Client) -> None:
    made = [http.get("/v1/liveness").headers["x-request-id"] for _ in range(3)]
    assert len(set(made)) == 3
    assert all(name.startswith("req-") for name in made)


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
def test_anthropics_errors_have_the_id_in_their_body_too(http: httpx.Client, path: str) -> None:
    answer = http.post(path, content=b"{", headers={"x-request-id": "mine-2"})
    assert answer.json()["request_id"] == answer.headers["request-id"] == "mine-2"


# Pages of other origins.


@pytest.mark.parametrize("path", PATHS)
def test_a_page_of_an_allowed_origin_may_send_what_clients_send(
    http: httpx.Client, path: str
) -> None:
    for method in ("GET", "POST", "DELETE"):
        asked = {
            "origin": ORIGIN,
            "access-control-request-method": method,
            "access-control-request-headers": ", ".join(SENT),
        }
        answer = http.options(path, headers=asked)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert set(SENT) <= words(answer.headers["access-control-allow-headers"])
        assert method.lower() in words(answer.headers["access-control-allow-methods"])


@pytest.mark.parametrize("path", PATHS)
def test_a_page_of_another_origin_may_not(http: httpx.Client, path: str) -> None:
    asked = {"origin": EVIL, "access-control-request-method": "POST"}
    answer = http.options(path, headers=asked)
    assert answer.status_code == 400
    assert "access-control-allow-origin" not in answer.headers
    assert "access-control-allow-origin" not in http.get(path, headers={"origin": EVIL}).headers


@pytest.mark.parametrize("path", ["/v1/liveness", "/v1/nope", "/v1/chat/completions"])
def test_a_page_may_read_answers_errors_and_our_headers(http: httpx.Client, path: str) -> None:
    answer = http.get(path, headers={"origin": ORIGIN})
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert words(answer.headers["access-control-expose-headers"]) >= READ
    assert "origin" in words(answer.headers["vary"])
    # No cookies, so no credentials either.
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("stream", [False, True])
def test_a_page_may_read_streams(http: httpx.Client, stream: bool) -> None:
    body = {"model": "tiny", "messages": [{"role": "user", "content": "hi"}], "stream": stream}
    answer = http.post("/v1/chat/completions", json=body, headers={"origin": ORIGIN})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert words(answer.headers["access-control-expose-headers"]) >= READ


def test_every_origin_may_be_allowed_and_by_default_none_is(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    for flags, allowed in (({"cors_allowed_origins": "*"}, "*"), ({}, None)):
        with (
            House(tmp_path_factory.mktemp("h"), **flags) as house,
            httpx.Client(base_url=house.url, timeout=20) as http,
        ):
            answer = http.get("/v1/liveness", headers={"origin": EVIL})
            assert answer.headers.get("access-control-allow-origin") == allowed
            asked = {"origin": EVIL, "access-control-request-method": "GET"}
            preflight = http.options("/v1/liveness", headers=asked)
            assert preflight.status_code == (200 if allowed else 405)
