"""Every route there is, and a good request for each: what tests of all routes begin with."""

from __future__ import annotations

import io
import wave
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from starlette.routing import WebSocketRoute

from kronk.gateway import site
from kronk.gateway.app import make_app
from kronk.shared.settings import resolve

# The models such requests are for.
CHAT, EMBED, RERANK = "Tiny", "Mean", "Rank"
# Where a request's own text stands in its body.
Steps = tuple[str | int, ...]


@dataclass(frozen=True)
class JsonRoute:
    """A route that takes a JSON object with a model in it."""

    path: str
    # What is answered with 200.
    good: dict[str, Any]
    # What it is about: a text, unless `is_text` says otherwise.
    text: Steps
    # Whether `stream` is a field of it.
    streams: bool = False
    is_text: bool = True
    # Its fields that must be there, where those are not the model and `text`.
    needs: tuple[str, ...] | None = None
    has_model: bool = True
    # The status of the answer to `good`: an example cannot have everything.
    status: int = 200

    @property
    def required(self) -> tuple[str, ...]:
        """Fields that must be there."""
        return ("model", str(self.text[0])) if self.needs is None else self.needs

    def body(self, **more: Any) -> dict[str, Any]:
        """The good body with more fields, or others."""
        return self.good | more


def said(text: str = "Hello!") -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


# Somebody with a token, as another Kronk names him.
WHOSE = {"subject": "5f0c7e0a-3a52-4c1e-9f0e-0d3d0a9f3b11", "key": None}

# Of a conversation in which nothing was said yet.
DOCUMENT: dict[str, Any] = {"version": 1, "head": None, "nodes": {}}

JSON_ROUTES: tuple[JsonRoute, ...] = (
    JsonRoute(
        "/v1/chat/completions",
        {"model": CHAT, "messages": said(), "max_tokens": 1},
        ("messages", 0, "content"),
        streams=True,
    ),
    JsonRoute(
        "/v1/completions",
        {"model": CHAT, "prompt": "Hello!", "max_tokens": 1},
        ("prompt",),
        streams=True,
    ),
    JsonRoute(
        "/v1/messages",
        {"model": CHAT, "messages": said(), "max_tokens": 1},
        ("messages", 0, "content"),
        streams=True,
    ),
    JsonRoute(
        "/v1/messages/count_tokens",
        {"model": CHAT, "messages": said()},
        ("messages", 0, "content"),
    ),
    JsonRoute(
        "/v1/responses",
        {"model": CHAT, "input": "Hello!", "max_output_tokens": 1},
        ("input",),
        streams=True,
    ),
    JsonRoute("/v1/responses/input_tokens", {"model": CHAT, "input": "Hello!"}, ("input",)),
    JsonRoute("/v1/tokenize", {"model": CHAT, "prompt": "Hello!"}, ("prompt",)),
    JsonRoute("/v1/detokenize", {"model": CHAT, "tokens": [5, 6]}, ("tokens",), is_text=False),
    JsonRoute(
        "/v1/apply-template", {"model": CHAT, "messages": said()}, ("messages", 0, "content")
    ),
    JsonRoute("/v1/embeddings", {"model": EMBED, "input": "red fox"}, ("input",)),
    JsonRoute(
        "/v1/rerank",
        {"model": RERANK, "query": "fox", "documents": ["red fox", "dog"]},
        ("query",),
    ),
    *(
        JsonRoute(
            path, {"model": RERANK, "query": "fox", "documents": ["red fox", "dog"]}, ("query",)
        )
        for path in ("/v1/reranking", "/v2/rerank", "/rerank")
    ),
    JsonRoute(
        "/v1/batches",
        {
            "input_file_id": "file-0123456789abcdef01234567",
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
        },
        ("endpoint",),
        is_text=False,
        needs=("input_file_id", "endpoint", "completion_window"),
        has_model=False,
        status=404,
    ),
    JsonRoute(
        "/v1/kronk/jobs",
        {"kind": "pull", "params": {"wanted": "nope"}},
        ("kind",),
        is_text=False,
        needs=("kind",),
        has_model=False,
        status=404,
    ),
    # One that is begun would measure while others are tested.
    JsonRoute(
        "/api/v1/benchmark/runs",
        {"model": "nope"},
        ("model",),
        is_text=False,
        needs=("model",),
        has_model=False,
        status=404,
    ),
    JsonRoute(
        "/api/chat",
        {"model": CHAT, "messages": said(), "stream": False, "options": {"num_predict": 1}},
        ("messages", 0, "content"),
        streams=True,
        needs=("model",),
    ),
    JsonRoute(
        "/api/generate",
        {"model": CHAT, "prompt": "Hello!", "stream": False, "options": {"num_predict": 1}},
        ("prompt",),
        streams=True,
        needs=("model",),
    ),
    JsonRoute("/api/embed", {"model": EMBED, "input": "red fox"}, ("input",), needs=("model",)),
    JsonRoute(
        "/api/embeddings",
        {"model": EMBED, "prompt": "red fox"},
        ("prompt",),
        # The answer has no count of tokens.
        is_text=False,
        needs=("model",),
    ),
    JsonRoute("/api/show", {"model": CHAT}, ("model",), is_text=False),
    JsonRoute("/api/pull", {"model": CHAT}, ("model",), is_text=False),
    JsonRoute("/v1/kronk/vram", {"model": CHAT}, ("model",), is_text=False, needs=("model",)),
    # Without --auth-mode there is nothing to log in for.
    JsonRoute(
        "/v1/kronk/login",
        {"password": "correct horse battery"},
        ("password",),
        is_text=False,
        has_model=False,
        needs=("password",),
        status=409,
    ),
    JsonRoute(
        "/v1/kronk/security/password",
        {"password": "correct horse battery"},
        ("password",),
        is_text=False,
        has_model=False,
        needs=(),
        status=409,
    ),
    JsonRoute(
        "/v1/kronk/security/tokens",
        {"duration": "24h", "endpoints": ["chat-completions:1000/day"]},
        ("duration",),
        is_text=False,
        has_model=False,
        needs=("duration", "endpoints"),
        status=409,
    ),
    JsonRoute(
        "/v1/kronk/security/tokens/inspect",
        {"token": "e30.e30.e30"},
        ("token",),
        is_text=False,
        has_model=False,
        needs=("token",),
        status=409,
    ),
    JsonRoute(
        "/v1/kronk/security/tokens/revoke",
        {"subject": "00000000-0000-4000-8000-000000000000"},
        ("subject",),
        is_text=False,
        has_model=False,
        needs=(),
        status=409,
    ),
    JsonRoute(
        "/v1/kronk/config/check",
        {"text": "models:\n"},
        ("text",),
        is_text=False,
        has_model=False,
        needs=("text",),
    ),
    JsonRoute(
        "/v1/kronk/config/edit",
        {"text": "models:\n", "model": CHAT, "key": "pin", "value": True},
        ("key",),
        is_text=False,
        has_model=False,
        needs=("text", "model", "key", "value"),
    ),
    JsonRoute("/v1/kronk/autotune", {"model": CHAT}, ("model",), is_text=False, needs=("model",)),
    JsonRoute(
        "/api/v1/conversations",
        {"document": DOCUMENT, "title": "A dog"},
        ("title",),
        is_text=False,
        has_model=False,
        needs=("document",),
        status=201,
    ),
    JsonRoute(
        "/api/v1/conversations/import",
        {"object": "kronk.conversations", "conversations": [{"document": DOCUMENT}]},
        # What is wrong inside a conversation is told beside those that are kept.
        ("object",),
        is_text=False,
        has_model=False,
        needs=("conversations",),
    ),
    JsonRoute(
        "/api/v1/prompts",
        {"name": "Greet", "text": "Hello, {{name}}!"},
        ("text",),
        is_text=False,
        has_model=False,
        needs=("name", "text"),
        status=201,
    ),
    JsonRoute(
        "/api/v1/prompts/import",
        {"object": "kronk.prompts", "prompts": [{"name": "Greet", "text": "Hello, {{name}}!"}]},
        ("object",),
        is_text=False,
        has_model=False,
        needs=("prompts",),
    ),
    # A server that checks no tokens says so to all that is asked well.
    *(
        JsonRoute(
            f"/v1/kronk/auth/{name}",
            good,
            text,
            is_text=False,
            needs=needs,
            has_model=False,
            status=409,
        )
        for name, good, text, needs in (
            ("identify", {"token": "a.b.c"}, ("token",), ("token",)),
            ("recheck", WHOSE, ("subject",), ("subject", "key")),
            (
                "charge",
                {**WHOSE, "endpoint": "embeddings", "grants": {}, "request_id": "1"},
                ("subject",),
                ("subject", "key", "endpoint", "grants", "request_id"),
            ),
            ("settle", {"charge": "1"}, ("charge",), ("charge",)),
        )
    ),
)
BY_PATH = {route.path: route for route in JSON_ROUTES}


def chat_request(prompt: str, most: int) -> dict[str, Any]:
    return {"messages": said(prompt), "max_tokens": most}


def ollama_request(most: int) -> dict[str, Any]:
    return {"options": {"num_predict": most}}


# Routes that write text, and what each calls a prompt and the most tokens of an answer.
WRITING: dict[str, Callable[[str, int], dict[str, Any]]] = {
    "/v1/chat/completions": chat_request,
    "/v1/completions": lambda prompt, most: {"prompt": prompt, "max_tokens": most},
    "/v1/responses": lambda prompt, most: {"input": prompt, "max_output_tokens": most},
    "/v1/messages": chat_request,
    "/api/chat": lambda prompt, most: ollama_request(most) | {"messages": said(prompt)},
    "/api/generate": lambda prompt, most: ollama_request(most) | {"prompt": prompt},
}


@dataclass(frozen=True)
class PlainRoute:
    """A route without a body."""

    method: str
    path: str
    # The same with something that is not there in place of its parameter, and what that is called.
    missing: str | None = None
    param: str | None = None


PLAIN_ROUTES: tuple[PlainRoute, ...] = (
    PlainRoute("GET", "/"),
    PlainRoute("GET", "/openapi.json"),
    *(PlainRoute("GET", path) for path in site.PAGES),
    *(PlainRoute("GET", f"{path}/{{rest:path}}") for path in site.PAGES),
    PlainRoute("GET", "/assets/{name}", "/assets/nope", "name"),
    PlainRoute("GET", "/favicon.svg"),
    PlainRoute("GET", "/v1/models"),
    PlainRoute("GET", "/v1/kronk/capabilities"),
    PlainRoute("GET", "/v1/models/{model:path}", "/v1/models/nope", "model"),
    PlainRoute("GET", "/v1/responses/{response_id}", "/v1/responses/nope", "response_id"),
    PlainRoute("DELETE", "/v1/responses/{response_id}", "/v1/responses/nope", "response_id"),
    PlainRoute(
        "GET",
        "/v1/responses/{response_id}/input_items",
        "/v1/responses/nope/input_items",
        "response_id",
    ),
    PlainRoute(
        "POST",
        "/v1/responses/{response_id}/cancel",
        "/v1/responses/nope/cancel",
        "response_id",
    ),
    PlainRoute("GET", "/v1/files"),
    PlainRoute("GET", "/v1/files/{file_id}", "/v1/files/nope", "file_id"),
    PlainRoute("DELETE", "/v1/files/{file_id}", "/v1/files/nope", "file_id"),
    PlainRoute("GET", "/v1/files/{file_id}/content", "/v1/files/nope/content", "file_id"),
    PlainRoute("GET", "/v1/batches"),
    PlainRoute("GET", "/v1/batches/{batch_id}", "/v1/batches/nope", "batch_id"),
    PlainRoute("POST", "/v1/batches/{batch_id}/cancel", "/v1/batches/nope/cancel", "batch_id"),
    PlainRoute("GET", "/api/v1/conversations"),
    PlainRoute("GET", "/api/v1/conversations/stats"),
    *(
        PlainRoute(
            method,
            f"/api/v1/conversations/{{conversation_id}}{tail}",
            f"/api/v1/conversations/nope{tail}",
            "conversation_id",
        )
        for method, tail in (
            ("GET", ""),
            ("PUT", ""),
            ("DELETE", ""),
            ("POST", "/title"),
            ("GET", "/export"),
        )
    ),
    PlainRoute("GET", "/api/v1/prompts"),
    PlainRoute("GET", "/api/v1/prompts/export"),
    PlainRoute("GET", "/api/v1/prompts/categories"),
    PlainRoute("PUT", "/api/v1/prompts/categories"),
    *(
        PlainRoute(
            method,
            f"/api/v1/prompts/{{prompt_id}}{tail}",
            f"/api/v1/prompts/nope{tail}",
            "prompt_id",
        )
        for method, tail in (
            ("GET", ""),
            ("PUT", ""),
            ("DELETE", ""),
            ("GET", "/versions"),
            ("POST", "/restore"),
            ("POST", "/use"),
        )
    ),
    # There is an empty note on every model.
    PlainRoute("GET", "/api/v1/notes"),
    PlainRoute("GET", "/api/v1/notes/{model:path}", "/api/v1/notes/nope", "model"),
    PlainRoute("PUT", "/api/v1/notes/{model:path}"),
    PlainRoute("GET", "/v1/kronk/libs"),
    PlainRoute(
        "DELETE", "/v1/kronk/libs/{processor}/{version}", "/v1/kronk/libs/cpu/nope", "lib_version"
    ),
    PlainRoute("GET", "/api/tags"),
    PlainRoute("GET", "/api/ps"),
    PlainRoute("GET", "/api/version"),
    # What changes models is not done through this API, but for removing them.
    PlainRoute("POST", "/api/push"),
    PlainRoute("POST", "/api/create"),
    PlainRoute("POST", "/api/copy"),
    PlainRoute("DELETE", "/api/delete"),
    PlainRoute("POST", "/api/blobs/{digest}"),
    PlainRoute("POST", "/v1/kronk/logout"),
    PlainRoute("GET", "/v1/kronk/session"),
    PlainRoute("GET", "/v1/kronk/security"),
    PlainRoute("GET", "/v1/kronk/security/whoami"),
    PlainRoute("GET", "/v1/kronk/security/keys"),
    PlainRoute("POST", "/v1/kronk/security/keys"),
    # What is not there is asked for in tests of keys: without --auth-mode there is a 409 for all.
    PlainRoute("DELETE", "/v1/kronk/security/keys/{keyid}"),
    PlainRoute("GET", "/v1/kronk/security/tokens"),
    PlainRoute("GET", "/v1/kronk/security/revocations"),
    PlainRoute("GET", "/v1/kronk/security/audit"),
    PlainRoute("GET", "/v1/kronk/security/usage"),
    PlainRoute("GET", "/v1/liveness"),
    PlainRoute("GET", "/v1/readiness"),
    PlainRoute("GET", "/v1/kronk/ps"),
    PlainRoute("POST", "/v1/kronk/reload"),
    PlainRoute("GET", "/v1/kronk/history"),
    PlainRoute("GET", "/v1/kronk/statistics"),
    PlainRoute("DELETE", "/v1/kronk/statistics"),
    PlainRoute("GET", "/v1/kronk/statistics/{model:path}", "/v1/kronk/statistics/nope", "model"),
    PlainRoute("DELETE", "/v1/kronk/statistics/{model:path}", "/v1/kronk/statistics/nope", "model"),
    PlainRoute("GET", "/v1/kronk/logs"),
    PlainRoute("GET", "/v1/kronk/models"),
    PlainRoute("GET", "/v1/kronk/config"),
    PlainRoute("GET", "/v1/kronk/config/schema"),
    PlainRoute("GET", "/v1/kronk/config/file"),
    # What it refuses is in tests of the model-config file.
    PlainRoute("PUT", "/v1/kronk/config/file"),
    PlainRoute("GET", "/v1/kronk/presets"),
    PlainRoute(
        "GET", "/v1/kronk/models/{model:path}/history", "/v1/kronk/models/nope/history", "model"
    ),
    PlainRoute("GET", "/v1/kronk/models/{model:path}", "/v1/kronk/models/nope", "model"),
    PlainRoute("DELETE", "/v1/kronk/models/{model:path}", "/v1/kronk/models/nope", "model"),
    PlainRoute(
        "GET", "/v1/kronk/models/{model:path}/template", "/v1/kronk/models/nope/template", "model"
    ),
    PlainRoute(
        "GET",
        "/v1/kronk/models/{model:path}/template/test",
        "/v1/kronk/models/nope/template/test",
        "model",
    ),
    PlainRoute("GET", "/v1/kronk/loads"),
    PlainRoute("GET", "/v1/kronk/catalog"),
    PlainRoute("GET", "/v1/kronk/catalog/{model_id}", "/v1/kronk/catalog/nope", "model_id"),
    PlainRoute("GET", "/v1/kronk/jobs"),
    PlainRoute("GET", "/v1/kronk/jobs/{job_id}", "/v1/kronk/jobs/nope", "job_id"),
    PlainRoute("DELETE", "/v1/kronk/jobs/{job_id}", "/v1/kronk/jobs/nope", "job_id"),
    PlainRoute("GET", "/v1/kronk/jobs/{job_id}/events", "/v1/kronk/jobs/nope/events", "job_id"),
    PlainRoute("POST", "/v1/kronk/jobs/{job_id}/cancel", "/v1/kronk/jobs/nope/cancel", "job_id"),
    PlainRoute("GET", "/api/v1/benchmark/presets"),
    PlainRoute("GET", "/api/v1/benchmark/runs"),
    PlainRoute("GET", "/api/v1/benchmark/runs/{run_id}", "/api/v1/benchmark/runs/nope", "run_id"),
    PlainRoute(
        "DELETE", "/api/v1/benchmark/runs/{run_id}", "/api/v1/benchmark/runs/nope", "run_id"
    ),
    PlainRoute(
        "POST",
        "/api/v1/benchmark/runs/{run_id}/cancel",
        "/api/v1/benchmark/runs/nope/cancel",
        "run_id",
    ),
    PlainRoute("GET", "/api/v1/benchmark/compare"),
    PlainRoute("GET", "/api/v1/benchmark/stats"),
    PlainRoute("GET", "/v1/kronk/resolve"),
    PlainRoute(
        "GET", "/v1/kronk/models/{model:path}/files", "/v1/kronk/models/nope/files", "model"
    ),
    PlainRoute("GET", "/v1/kronk/blobs/{path:path}", "/v1/kronk/blobs/nope", "path"),
    PlainRoute("PUT", "/v1/kronk/blobs/{path:path}"),
    PlainRoute("GET", "/v1/kronk/uploads/{path:path}"),
    # Their bodies may be left out.
    *(
        PlainRoute(
            "POST",
            f"/v1/kronk/models/{{model:path}}/{action}",
            f"/v1/kronk/models/nope/{action}",
            "model",
        )
        for action in ("load", "unload", "pin", "unpin", "reset")
    ),
)


# Answered for as long as the client stays.
ENDLESS_ROUTES: tuple[PlainRoute, ...] = (PlainRoute("GET", "/v1/kronk/events"),)
# What the method of a WebSocket is called in these tables.
WEBSOCKET = "WEBSOCKET"
SOCKET_ROUTES: tuple[PlainRoute, ...] = (PlainRoute(WEBSOCKET, "/v1/kronk/events"),)


@dataclass(frozen=True)
class FormRoute:
    """A route that takes a form with a file in it."""

    path: str
    # The fields of a good one, and its file.
    fields: dict[str, str]
    file: bytes
    # The size from which on it is too large, and what that error names.
    too_large: int = 100 * 1024 * 1024
    too_large_param: str | None = None


def silence(seconds: float = 0.1) -> bytes:
    """A recording of nothing."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(bytes(2 * int(16000 * seconds)))
    return out.getvalue()


FORM_ROUTES: tuple[FormRoute, ...] = (
    FormRoute("/v1/audio/transcriptions", {"model": CHAT}, silence()),
    FormRoute("/v1/audio/translations", {"model": CHAT}, silence()),
    FormRoute("/v1/files", {"purpose": "batch"}, b"{}\n" * 100, 1024 * 1024 * 1024, "file"),
)


def known() -> set[tuple[str, str]]:
    """Method and path of all that these tables have."""
    posts = {("POST", route.path) for route in (*JSON_ROUTES, *FORM_ROUTES)}
    others = (*PLAIN_ROUTES, *ENDLESS_ROUTES, *SOCKET_ROUTES)
    return posts | {(route.method, route.path) for route in others}


def served() -> set[tuple[str, str]]:
    """Method and path of all that the application answers."""
    services: Any = SimpleNamespace(
        settings=resolve({}, {}), activity=None, audit=None, telemetry=None
    )
    return {
        (method, path)
        for path, methods in _walk(make_app(services).routes)
        for method in methods
        # Every GET is one too.
        if method != "HEAD"
    }


def _walk(routes: Iterable[Any]) -> Iterator[tuple[str, set[str]]]:
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from _walk(inner.routes)
        else:
            yield route.path, methods_of(route)


def methods_of(route: Any) -> set[str]:
    """Its methods, or what stands for them where there are none."""
    return {WEBSOCKET} if isinstance(route, WebSocketRoute) else set(route.methods)
