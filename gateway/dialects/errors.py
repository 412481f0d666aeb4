"""Each dialect's shape of an error, and which routes speak which dialect."""

from __future__ import annotations

from typing import Any

from kronk.shared.errors import KronkError

# Anthropic's words for an HTTP status.
_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "invalid_request_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


def openai(error: KronkError) -> dict[str, Any]:
    """OpenAI's, with the `code` that tells our errors apart."""
    return {
        "error": {
            "message": error.message,
            "type": error.type,
            "code": error.code,
            "param": error.param,
        }
    }


def anthropic(error: KronkError, request_id: str | None) -> dict[str, Any]:
    """Anthropic's; `code` and `param` are additions that its clients pass over."""
    kind = "invalid_request_error" if error.status < 500 else "api_error"
    return {
        "type": "error",
        "error": {
            "type": _ANTHROPIC_TYPES.get(error.status, kind),
            "message": error.message,
            "code": error.code,
            "param": error.param,
        },
        "request_id": request_id,
    }


def ollama(error: KronkError) -> dict[str, Any]:
    """Ollama's; `code` and `param` are additions that its clients pass over."""
    return {"error": error.message, "code": error.code, "param": error.param}


def envelope(error: KronkError, path: str, request_id: str | None = None) -> dict[str, Any]:
    """The error in the dialect of the route at `path`."""
    if path == "/v1/messages" or path.startswith("/v1/messages/"):
        return anthropic(error, request_id)
    if path.startswith("/api/"):
        return ollama(error)
    return openai(error)
