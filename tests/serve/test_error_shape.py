"""Every way to ask wrongly, on every route, ends in one shape.

The contract: a 4xx with the right code, in the envelope of the route's dialect, that names the
field at fault in its words and in `param`; whatever was sent, never a 500, never a guess. A route
that is not in the tables of `harness.routes` fails the first test here.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from harness import random_pooled
from harness.bad_bodies import MODELS, RAW, TEXTS, replaced, text_param, with_raw
from harness.bad_fields import CONVERSATION, LIMITS, OPENAI_FORM, SAMPLING, STREAM, Cases
from harness.bad_fields_auth import (
    CHARGE_FIELDS,
    IDENTIFY_FIELDS,
    RECHECK_FIELDS,
    SETTLE_FIELDS,
)
from harness.bad_fields_benchmark import BENCHMARK_FIELDS
from harness.bad_fields_config import CONFIG_CHECK_FIELDS, CONFIG_EDIT_FIELDS
from harness.bad_fields_jobs import JOB_FIELDS
from harness.bad_fields_library import (
    CONVERSATION_FIELDS,
    IMPORT_FIELDS,
    PROMPT_FIELDS,
    PROMPT_IMPORT_FIELDS,
)
from harness.bad_fields_login import LOGIN_FIELDS, PASSWORD_FIELDS
from harness.bad_fields_openai import (
    BATCH_FIELDS,
    CHAT_FIELDS,
    CHAT_RUN,
    COMPLETION_FIELDS,
    DETOKENIZE_FIELDS,
    EMBEDDING_FIELDS,
    RERANK_FIELDS,
    RESPONSE_FIELDS,
    RESPONSE_RUN,
    TOKENIZE_FIELDS,
)
from harness.bad_fields_security import INSPECT_FIELDS, REVOKE_FIELDS, TOKEN_FIELDS
from harness.bad_fields_sizing import SIZING_FIELDS, TUNING_FIELDS
from harness.bad_fields_vendors import (
    MESSAGE_FIELDS,
    MESSAGE_RUN,
    OLLAMA_CHAT,
    OLLAMA_EMBED,
    OLLAMA_FORM,
    OLLAMA_GENERATE,
    OLLAMA_NAME,
    OPTIONS,
)
from harness.bad_forms import FORM, FORMS_OF
from harness.error_shape import (
    NO_METHOD,
    NO_ROUTE,
    TOO_LARGE,
    Refusal,
    assert_refused,
    bad,
    missing,
)
from harness.nul_bodies import NULS, RICH, with_nuls
from harness.random_pooled import MEAN, RERANKER
from harness.routes import (
    BY_PATH,
    FORM_ROUTES,
    JSON_ROUTES,
    PLAIN_ROUTES,
    WEBSOCKET,
    FormRoute,
    JsonRoute,
    known,
    said,
    served,
)
from harness.server import SMALL, Server, running_server

CHAT, COMPLETIONS, MESSAGES = "/v1/chat/completions", "/v1/completions", "/v1/messages"
RESPONSES = "/v1/responses"
COUNT, EMBEDDINGS, RERANK = "/v1/messages/count_tokens", "/v1/embeddings", "/v1/rerank"
HUNDRED_MB = 100 * 1024 * 1024


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("models")
    files = {
        "test/tiny/Tiny.gguf": random_pooled.CHAT,
        "test/pooled/Mean.gguf": random_pooled.encoder(folder / "mean.gguf", MEAN),
        "test/pooled/Rank.gguf": RERANKER,
    }
    config: dict[str, Any] = {"Mean": {"n_threads": 1}, "Rank": {"n_threads": 1}}
    base = tmp_path_factory.mktemp("shapes")
    flags = ("--cache-ttl=0", "--models-in-cache=9")
    with running_server(base, files, config | {"Tiny": SMALL}, *flags) as server:
        yield server
        # All of it was in a day's work: no traceback, no dead worker.
        assert server.alarms() == []


@pytest.fixture(scope="module")
def client(server: Server) -> httpx.Client:
    return server.http()


def test_every_route_has_its_cases_here() -> None:
    assert served() == known()


@pytest.mark.parametrize("route", JSON_ROUTES, ids=lambda route: route.path)
def test_the_good_requests_are_good(client: httpx.Client, route: JsonRoute) -> None:
    answer = client.post(route.path, json=route.good)
    assert answer.status_code == route.status, answer.text


# Bodies that are no requests at all.


@pytest.mark.parametrize("case", RAW)
@pytest.mark.parametrize("route", JSON_ROUTES, ids=lambda route: route.path)
def test_a_body_that_is_no_request(client: httpx.Client, route: JsonRoute, case: str) -> None:
    content, expected = RAW[case]
    assert_refused(client.post(route.path, content=content), expected)


@pytest.mark.parametrize("case", TEXTS)
@pytest.mark.parametrize("route", JSON_ROUTES, ids=lambda route: route.path)
def test_a_text_that_is_none(client: httpx.Client, route: JsonRoute, case: str) -> None:
    value, is_named = TEXTS[case]
    answer = client.post(route.path, content=with_raw(route, value))
    assert_refused(answer, bad(text_param(route) if is_named else None))


@pytest.mark.parametrize("route", JSON_ROUTES, ids=lambda route: route.path)
def test_a_body_that_is_cut_off(client: httpx.Client, route: JsonRoute) -> None:
    whole = json.dumps(route.good).encode()
    for end in (1, len(whole) // 2, len(whole) - 1):
        assert_refused(client.post(route.path, content=whole[:end]), bad(None))


@pytest.mark.parametrize("route", [*JSON_ROUTES, *FORM_ROUTES], ids=lambda route: route.path)
def test_a_body_of_100_mb_is_refused_before_it_is_sent(
    server: Server, route: JsonRoute | FormRoute
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    with contextlib.closing(connection):
        connection.putrequest("POST", route.path)
        size = HUNDRED_MB if isinstance(route, JsonRoute) else route.too_large
        connection.putheader("Content-Length", str(size))
        connection.putheader("Content-Type", FORM)
        connection.endheaders()
        with connection.getresponse() as got:
            content = got.read()
    request = httpx.Request("POST", f"{server.url}{route.path}")
    answer = httpx.Response(got.status, headers=got.getheaders(), content=content, request=request)
    named = None if isinstance(route, JsonRoute) else route.too_large_param
    assert_refused(answer, TOO_LARGE._replace(param=named))


@pytest.mark.parametrize("route", [*JSON_ROUTES, *FORM_ROUTES[:2]], ids=lambda route: route.path)
def test_a_body_that_grows_too_large_is_refused(
    client: httpx.Client, route: JsonRoute | FormRoute
) -> None:
    # Without its length, so that only counting finds out.
    parts = (b" " * 2**20 for _ in range(40))
    answer = client.post(route.path, content=parts, headers={"content-type": FORM})
    assert_refused(answer, TOO_LARGE)


@pytest.mark.parametrize("route", JSON_ROUTES, ids=lambda route: route.path)
def test_a_client_that_leaves_in_the_middle_of_its_body_leaves_nothing(
    server: Server, route: JsonRoute
) -> None:
    body = json.dumps(route.good).encode()
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        head = (
            f"POST {route.path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        connection.sendall(head.encode() + body[:9])
    assert server.status()["data"] is not None


# Which model.

OF_MODELS = [route for route in JSON_ROUTES if route.has_model]


@pytest.mark.parametrize("case", MODELS)
@pytest.mark.parametrize("route", OF_MODELS, ids=lambda route: route.path)
def test_a_model_that_is_none(client: httpx.Client, route: JsonRoute, case: str) -> None:
    model, expected = MODELS[case]
    assert_refused(client.post(route.path, json=route.body(model=model)), expected)
    if route.streams:
        streamed = route.body(model=model, stream=True)
        assert_refused(client.post(route.path, json=streamed), expected)


@pytest.mark.parametrize("route", JSON_ROUTES, ids=lambda route: route.path)
def test_each_field_that_must_be_there(client: httpx.Client, route: JsonRoute) -> None:
    for name in route.required:
        body = {key: value for key, value in route.good.items() if key != name}
        assert_refused(client.post(route.path, json=body), bad(name))


@pytest.mark.parametrize("route", JSON_ROUTES, ids=lambda route: route.path)
def test_a_field_that_nobody_knows(client: httpx.Client, route: JsonRoute) -> None:
    for name in ("temprature", "x" * 64, "\u00e4", "__proto__", "a\0b"):
        assert_refused(client.post(route.path, json=route.body(**{name: 1})), bad(name))


@pytest.mark.parametrize("route", OF_MODELS, ids=lambda route: route.path)
def test_of_a_field_that_is_there_twice_the_last_counts(
    client: httpx.Client, route: JsonRoute
) -> None:
    """As JavaScript and Python have it; what does not count is not looked at."""
    good = json.dumps(route.good)
    wrong = good.replace(json.dumps(route.good["model"]), '"nope"')
    for first, last, status in ((good, wrong, 404), (wrong, good, 200)):
        twice = f"{first[:-1]},{last[1:]}"
        assert client.post(route.path, content=twice).status_code == status


# A NUL that is written as an escape is a character like any other.


@pytest.mark.parametrize(
    "route", [route for route in JSON_ROUTES if route.is_text], ids=lambda route: route.path
)
def test_a_text_with_a_nul_is_read_to_its_end(client: httpx.Client, route: JsonRoute) -> None:
    tokens = [
        input_tokens(client.post(route.path, json=replaced(route, text)))
        for text in ("a", "a\0 and so on to the end", "\0" * 100)
    ]
    assert tokens[0] < tokens[1]


def input_tokens(answer: httpx.Response) -> int:
    assert answer.status_code == 200, answer.text
    body = answer.json()
    for name in ("tokens", "prompt"):
        if name in body:
            return len(body[name])
    found = body.get("usage", body)
    names = ("prompt_tokens", "input_tokens", "prompt_eval_count")
    return int(next(found[name] for name in names if name in found))


@pytest.mark.parametrize("extra", [*with_nuls(RICH), *NULS])
def test_a_nul_anywhere_is_read_or_refused(client: httpx.Client, extra: dict[str, Any]) -> None:
    answer = client.post(CHAT, json=BY_PATH[CHAT].body(**{"max_tokens": 60, **extra}))
    if answer.status_code != 200:
        param = answer.json()["error"]["param"]
        assert param, answer.text
        assert_refused(answer, bad(param))


# What a field of a request may not be.

FIELDS: dict[str, list[Cases]] = {
    CHAT: [SAMPLING, LIMITS, STREAM, OPENAI_FORM, CONVERSATION, CHAT_FIELDS, CHAT_RUN],
    COMPLETIONS: [SAMPLING, LIMITS, STREAM, OPENAI_FORM, COMPLETION_FIELDS],
    MESSAGES: [SAMPLING, LIMITS, STREAM, CONVERSATION, MESSAGE_FIELDS, MESSAGE_RUN],
    COUNT: [CONVERSATION, MESSAGE_FIELDS],
    RESPONSES: [SAMPLING, STREAM, RESPONSE_FIELDS, RESPONSE_RUN],
    "/v1/responses/input_tokens": [STREAM, RESPONSE_FIELDS],
    "/v1/tokenize": [TOKENIZE_FIELDS],
    "/v1/detokenize": [DETOKENIZE_FIELDS],
    "/v1/apply-template": [LIMITS, CONVERSATION, CHAT_FIELDS],
    EMBEDDINGS: [EMBEDDING_FIELDS],
    RERANK: [RERANK_FIELDS],
    "/v1/reranking": [RERANK_FIELDS],
    "/v2/rerank": [RERANK_FIELDS],
    "/rerank": [RERANK_FIELDS],
    "/v1/batches": [BATCH_FIELDS],
    "/api/chat": [OPTIONS, STREAM, OLLAMA_FORM, OLLAMA_CHAT],
    "/api/generate": [OPTIONS, STREAM, OLLAMA_FORM, OLLAMA_GENERATE],
    "/api/embed": [OPTIONS, OLLAMA_EMBED],
    "/api/embeddings": [OPTIONS, {}],
    "/api/show": [OLLAMA_NAME],
    "/api/pull": [OLLAMA_NAME],
    "/v1/kronk/jobs": [JOB_FIELDS],
    "/api/v1/conversations": [CONVERSATION_FIELDS],
    "/api/v1/conversations/import": [IMPORT_FIELDS],
    "/v1/kronk/config/check": [CONFIG_CHECK_FIELDS],
    "/v1/kronk/config/edit": [CONFIG_EDIT_FIELDS],
    "/api/v1/benchmark/runs": [BENCHMARK_FIELDS],
    "/api/v1/prompts": [PROMPT_FIELDS],
    "/api/v1/prompts/import": [PROMPT_IMPORT_FIELDS],
    "/v1/kronk/vram": [SIZING_FIELDS],
    "/v1/kronk/autotune": [SIZING_FIELDS, TUNING_FIELDS],
    "/v1/kronk/login": [LOGIN_FIELDS],
    "/v1/kronk/security/password": [PASSWORD_FIELDS],
    "/v1/kronk/security/tokens": [TOKEN_FIELDS],
    "/v1/kronk/security/tokens/inspect": [INSPECT_FIELDS],
    "/v1/kronk/security/tokens/revoke": [REVOKE_FIELDS],
    "/v1/kronk/auth/identify": [IDENTIFY_FIELDS],
    "/v1/kronk/auth/recheck": [RECHECK_FIELDS],
    "/v1/kronk/auth/charge": [CHARGE_FIELDS],
    "/v1/kronk/auth/settle": [SETTLE_FIELDS],
}
FIELD_CASES = [
    pytest.param(path, fields, refused, id=f"{path}: {name}")
    for path, tables in FIELDS.items()
    for table in tables
    for name, (fields, refused) in table.items()
]


def test_every_route_with_a_body_has_fields_to_get_wrong() -> None:
    assert FIELDS.keys() == BY_PATH.keys()


@pytest.mark.parametrize(("path", "fields", "refused"), FIELD_CASES)
def test_a_field_that_is_not_acceptable(
    client: httpx.Client, path: str, fields: dict[str, Any], refused: str | Refusal
) -> None:
    route = BY_PATH[path]
    expected = bad(refused) if isinstance(refused, str) else refused
    assert_refused(client.post(path, json=route.body(**fields)), expected)
    if route.streams and "stream" not in fields and "stream_options" not in fields:
        # Errors come before the first byte of a stream: they are real statuses.
        assert_refused(client.post(path, json=route.body(stream=True, **fields)), expected)


# Forms.


FORM_CASES = [
    pytest.param(route, *case, id=f"{route.path}: {name}")
    for route in FORM_ROUTES
    for name, case in FORMS_OF[route.path].items()
]


@pytest.mark.parametrize(("route", "body", "content_type", "expected"), FORM_CASES)
def test_a_form_that_is_not_acceptable(
    client: httpx.Client,
    route: FormRoute,
    body: Callable[[FormRoute], bytes],
    content_type: str,
    expected: Refusal,
) -> None:
    headers = {"content-type": content_type} if content_type else {}
    answer = client.post(route.path, content=body(route), headers=headers)
    assert_refused(answer, expected)


# Queries.

FILES, BATCHES = "/v1/files", "/v1/batches"
QUERIES = [
    (path, query, query.partition("=")[0])
    for path in (FILES, BATCHES)
    for query in (
        "limit=x",
        "limit=0",
        "limit=-1",
        "limit=1.5",
        "limit=" + "9" * 5000,
        "after=nope",
        "after=%00",
    )
] + [
    (FILES, "order=up", "order"),
    ("/v1/kronk/history", "limit=101", "limit"),
    ("/v1/kronk/logs", "lines=10001", "lines"),
    ("/v1/kronk/logs", "level=loud", "level"),
    ("/v1/kronk/logs", "process=web", "process"),
    ("/v1/kronk/logs", "since=soon", "since"),
    ("/v1/kronk/logs", "model=", "model"),
    ("/v1/kronk/logs", "request=", "request"),
    ("/v1/kronk/logs", "follow=yes", "follow"),
]


@pytest.mark.parametrize(("path", "query", "param"), QUERIES)
def test_a_query_that_is_not_acceptable(
    client: httpx.Client, path: str, query: str, param: str
) -> None:
    assert_refused(client.get(f"{path}?{query}"), bad(param))


# Too long for the model.

TOO_LONG = {
    CHAT: ({"messages": said("word " * 5000)}, "messages"),
    COMPLETIONS: ({"prompt": "word " * 5000}, "prompt"),
    MESSAGES: ({"messages": said("word " * 5000)}, "messages"),
    RESPONSES: ({"input": "word " * 5000}, "input"),
    "/api/chat": ({"messages": said("word " * 5000)}, "messages"),
    "/api/generate": ({"prompt": "word " * 5000}, "prompt"),
    EMBEDDINGS: ({"input": ["fox", "fox " * 5000]}, "input[1]"),
    RERANK: ({"documents": ["fox", "fox " * 5000]}, "documents[1]"),
}


@pytest.mark.parametrize("path", TOO_LONG)
def test_what_is_too_long_for_the_model_is_told_both_numbers(
    client: httpx.Client, path: str
) -> None:
    fields, param = TOO_LONG[path]
    answer = client.post(path, json=BY_PATH[path].body(**fields))
    message = assert_refused(answer, Refusal(400, "context_length_exceeded", param))
    assert sum(word.strip(".,;").isdigit() for word in message.split()) >= 2, message


# Routes and methods.

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
PATHS = sorted({path for _, path in known()})
NOWHERE = [
    "/v1/nope",
    "/nope",
    "/v1",
    "/v1/chat/completions/",
    "/v1/chat/completions/x",
    "/v1/messages/nope",
    "/v1/messages/count_tokens/x",
    "/v2/models",
    "/api/nope",
    "/%00",
    "/v1/%2e%2e/x",
    "/v1//models",
]


def leads_to(path: str, concrete: str) -> bool:
    """Whether a request for `concrete` comes to the route at `path`."""
    pattern = re.sub("{[^}]*:path}", ".+", path)
    return re.fullmatch(re.sub("{[^}]*}", "[^/]+", pattern), concrete) is not None


@pytest.mark.parametrize("path", PATHS)
def test_a_method_that_a_route_does_not_take(client: httpx.Client, path: str) -> None:
    concrete = re.sub("{[^}]*}", "Tiny", path)
    taken = {method for method, known_path in known() if leads_to(known_path, concrete)}
    # Asked for with a GET.
    taken -= {WEBSOCKET}
    for method in METHODS:
        if method not in taken:
            answer = client.request(method, concrete)
            assert_refused(answer, NO_METHOD)
            assert taken <= set(answer.headers["allow"].replace(" ", "").split(","))


@pytest.mark.parametrize("path", NOWHERE)
def test_a_path_that_leads_nowhere(client: httpx.Client, path: str) -> None:
    for method in ("GET", "POST"):
        assert_refused(client.request(method, path), NO_ROUTE)


@pytest.mark.parametrize(
    "route", [route for route in PLAIN_ROUTES if route.missing], ids=lambda route: route.path
)
def test_an_object_that_is_not_there(client: httpx.Client, route: Any) -> None:
    assert_refused(client.request(route.method, route.missing), missing(route.param))
    for odd in ("%00", "x" * 5000, "%ff", "%F0%9F%98%80"):
        path = route.missing.replace("nope", odd)
        assert_refused(client.request(route.method, path), missing(route.param))
    upwards = route.missing.replace("nope", "..%2f..%2fetc%2fpasswd")
    # Ids of models have slashes; of what is not one there is no route with slashes.
    expected = missing(route.param) if ":path" in route.path else NO_ROUTE
    assert_refused(client.request(route.method, upwards), expected)


def test_after_all_that_the_same_processes_serve(server: Server, client: httpx.Client) -> None:
    for route in JSON_ROUTES:
        assert client.post(route.path, json=route.good).status_code == route.status
    assert server.events("worker died") == []
