"""The contract of every error, in the three dialects that routes speak."""

from __future__ import annotations

from typing import Any, NamedTuple

import httpx


class Refusal(NamedTuple):
    """What an error has to say. `param` None is "names no field"."""

    status: int
    code: str
    param: str | None


_OPENAI_TYPES = {429: "rate_limit_error", 503: "overloaded_error", 504: "timeout_error"}
_ANTHROPIC_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}

# The vendors' to the letter: there are clients that look for them.
_VENDORS_WORDS = (
    "Response with id",
    "prompt is too long",
    "No tool call found",
    "No tool output found",
    "No such File object",
    "No such Batch object",
)


def bad(param: str | None) -> Refusal:
    """The field is not acceptable."""
    return Refusal(400, "invalid_argument", param)


def missing(param: str | None) -> Refusal:
    """What the field names is not there."""
    return Refusal(404, "not_found", param)


TOO_LARGE = Refusal(413, "too_large", None)
NO_ROUTE = missing(None)
NO_METHOD = Refusal(405, "method_not_allowed", None)


def assert_refused(answer: httpx.Response, expected: Refusal) -> str:
    """The answer is this refusal and nothing else; returns its message."""
    assert answer.status_code == expected.status, answer.text[:500]
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"] == answer.headers["request-id"]
    body = answer.json()
    path = answer.request.url.path
    if path == "/v1/messages" or path.startswith("/v1/messages/"):
        error = _anthropic(body, expected.status, answer.headers["request-id"])
    elif path.startswith("/api/") and not path.startswith("/api/v1/"):
        assert isinstance(body["error"], str)
        error = {"message": body.pop("error"), **body}
    else:
        assert body.keys() == {"error"}
        error = body["error"]
        assert error.pop("type") == _openai_type(expected.status)
    assert error.keys() == {"message", "code", "param"}
    assert (error["code"], error["param"]) == (expected.code, expected.param), error["message"]
    message = error["message"]
    assert isinstance(message, str)
    assert 0 < len(message) < 1000
    assert "Traceback" not in message
    if expected.param is not None and not message.startswith(_VENDORS_WORDS):
        # The words name the field, too: many clients show nothing else.
        assert _last_name(expected.param) in message, message
    return message


def _anthropic(body: dict[str, Any], status: int, request_id: str) -> dict[str, Any]:
    assert body.keys() == {"type", "error", "request_id"}
    assert body["type"] == "error"
    assert body["request_id"] == request_id
    error: dict[str, Any] = body["error"]
    kind = "invalid_request_error" if status < 500 else "api_error"
    assert error.pop("type") == _ANTHROPIC_TYPES.get(status, kind)
    return error


def _openai_type(status: int) -> str:
    if status < 500:
        return "invalid_request_error"
    return _OPENAI_TYPES.get(status, "server_error")


def _last_name(param: str) -> str:
    return param.rpartition(".")[2].partition("[")[0]
