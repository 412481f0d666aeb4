"""The OpenAPI document: what the routes say of themselves, and what all of them have in common.

Pure: a document of FastAPI's in, the same made complete out.
"""

from __future__ import annotations

from typing import Any

from .dialects.anthropic.errors import SCHEMA as ANTHROPIC_SCHEMA
from .dialects.errors import OLLAMA_SCHEMA, OPENAI_SCHEMA, dialect_of
from .dialects.schemas import Schema

JSON = "application/json"
DESCRIPTION = """\
A server for local GGUF models that speaks OpenAI's API, Anthropic's and Ollama's.

Every answer has an `X-Request-Id` (and the same as `Request-Id`), which is the request's own where
it sent one. Errors are JSON in the envelope of the route's dialect. A stream that fails after its
first byte ends with one error event.
"""

_ERRORS = {
    400: "A field is not acceptable; the error names it.",
    401: "The token is missing or not valid.",
    403: "The token may not do this.",
    404: "There is no such model, or no such object.",
    409: "It exists already, or its state does not allow this.",
    413: "The body is too large, or what it asks for.",
    429: "Too many requests; `Retry-After` says when to come again.",
    500: "A bug of ours; the server's log says more.",
    503: "Too busy, or the model cannot be loaded or died; the `code` tells which.",
    504: "A bounded wait ran out.",
    507: "The model does not fit into memory; the message has the numbers and what to change.",
}
# What a route is to those who may or may not use it.
ACCESS = "x-access"
_SECURITY = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A token of `kronk security token create`; needed as `--auth-mode` says.",
    },
    "apiKey": {
        "type": "apiKey",
        "in": "header",
        "name": "x-api-key",
        "description": "The same token, where Anthropic's clients have it.",
    },
}
# The last is "without", which is so in the mode `open`.
_NEEDS: list[dict[str, list[str]]] = [{"bearer": []}, {"apiKey": []}, {}]
_BODY_ERRORS, _OTHER_ERRORS = (400, 404, 413, 500, 503, 504, 507), (400, 500, 503, 504)
_SCHEMAS = {
    "OpenAIError": OPENAI_SCHEMA,
    "AnthropicError": ANTHROPIC_SCHEMA,
    "OllamaError": OLLAMA_SCHEMA,
}
_DIALECT_ERROR = {"openai": "OpenAIError", "anthropic": "AnthropicError", "ollama": "OllamaError"}
_REQUEST_ID: Schema = {
    "name": "X-Request-Id",
    "in": "header",
    "required": False,
    "description": "An id of the client's own, of 1 to 128 letters, digits, `.`, `_`, `:` and `-`;"
    " the answer and the log have it. Anything else is replaced by one of ours.",
    "schema": {"type": "string"},
}
_HEADERS = {
    "X-Request-Id": {
        "description": "What the server's log calls this request.",
        "schema": {"type": "string"},
    }
}
_RETRY = {
    "Retry-After": {
        "description": "Seconds after which it may work, where that is known.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "Retry-After-Ms": {
        "description": "The same in milliseconds.",
        "schema": {"type": "integer", "minimum": 0},
    },
}
_LIMITS = {
    f"X-RateLimit-{name}": {"description": words, "schema": {"type": "integer", "minimum": 0}}
    for name, words in (
        ("Limit", "What the token grants in the present window, where it has a limit."),
        ("Remaining", "What is left of it."),
        ("Reset", "When the next window begins, in seconds since 1970."),
    )
}
_MAY_PASS = (429, 503, 507)
# FastAPI's own, for parameters that it checks: ours are strings, and nothing else is checked there.
_FOREIGN = ("HTTPValidationError", "ValidationError")


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """Errors and headers for each operation; schemas where references find them."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in _FOREIGN:
        schemas.pop(name, None)
    schemas |= _SCHEMAS
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _complete_operation(path, operation, schemas)
    document["components"]["securitySchemes"] = _SECURITY
    document["components"]["parameters"] = {"RequestId": _REQUEST_ID}
    return document


def _complete_operation(path: str, operation: dict[str, Any], schemas: dict[str, Schema]) -> None:
    operation.setdefault("tags", [_tag(path)])
    operation.setdefault("parameters", []).append({"$ref": "#/components/parameters/RequestId"})
    responses = operation["responses"]
    responses.pop("422", None)
    statuses = _BODY_ERRORS if "requestBody" in operation else _OTHER_ERRORS
    if "{" in path:
        statuses = (*statuses, 404)
    access = operation.get(ACCESS)
    if access != "public":
        operation["security"] = _NEEDS
        statuses = (*statuses, 401, 403, *((429,) if access == "inference" else ()))
    for status in statuses:
        responses.setdefault(str(status), {})
    for status, response in responses.items():
        _complete_response(path, int(status), response)
    for status in [status for status, response in responses.items() if not response["content"]]:
        # FastAPI insists on a 200, also where there is none.
        del responses[status]
    for content in _contents(operation):
        content["schema"] = _hoisted(content["schema"], schemas)
    operation["responses"] = dict(sorted(responses.items()))


def _tag(path: str) -> str:
    """Whose API the route is of."""
    if path.startswith("/v1/kronk/") or path in ("/v1/liveness", "/v1/readiness"):
        return "Kronk"
    return {"openai": "OpenAI and like it", "anthropic": "Anthropic", "ollama": "Ollama"}[
        dialect_of(path)
    ]


def _complete_response(path: str, status: int, response: dict[str, Any]) -> None:
    response["headers"] = (
        _HEADERS | (_RETRY if status in _MAY_PASS else {}) | (_LIMITS if status == 429 else {})
    )
    content = response.setdefault("content", {})
    if status >= 400:
        response["description"] = response.get("description") or _ERRORS[status]
        error = {"$ref": f"#/components/schemas/{_DIALECT_ERROR[dialect_of(path)]}"}
        if not content:
            content[JSON] = {"schema": error}
    elif content.get(JSON) == {"schema": {}}:
        # FastAPI's guess where a route says nothing, or something else.
        del content[JSON]


def _contents(operation: dict[str, Any]) -> list[dict[str, Any]]:
    bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
    return [content for body in bodies for content in body.get("content", {}).values()]


def _hoisted(value: Any, schemas: dict[str, Schema]) -> Any:
    """A schema with the definitions in it put where the whole document finds them."""
    if isinstance(value, list):
        return [_hoisted(item, schemas) for item in value]
    if not isinstance(value, dict):
        return value
    for name, definition in value.get("$defs", {}).items():
        moved = _hoisted(definition, schemas)
        assert schemas.setdefault(name, moved) == moved, f"two schemas are called {name}"
    return {
        key: item.replace("#/$defs/", "#/components/schemas/")
        if key == "$ref" and isinstance(item, str)
        else _hoisted(item, schemas)
        for key, item in value.items()
        if key != "$defs"
    }
