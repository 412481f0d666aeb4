"""Each dialect's shape of an error, and which routes speak which dialect."""

from __future__ import annotations

import re
from typing import Any, Literal

from kronk.shared.errors import KronkError, Overloaded

from .schemas import TEXT, Schema, closed, nullable

# Anthropic's words for an HTTP status. Its own 529, for what is overloaded, is nobody else's: here
# that is 503 with Retry-After, which its clients retry as well.
_ANTHROPIC_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
}
_INDEX = re.compile(r"\[(\d+)\]")

_PARAM = nullable(TEXT)
OPENAI_SCHEMA: Schema = closed(
    {"error": closed({"message": TEXT, "type": TEXT, "code": TEXT, "param": _PARAM})}
)
ANTHROPIC_SCHEMA: Schema = closed(
    {
        "type": {"const": "error"},
        "error": closed({"type": TEXT, "message": TEXT, "code": TEXT, "param": _PARAM}),
        "request_id": nullable(TEXT),
    }
)
OLLAMA_SCHEMA: Schema = closed({"error": TEXT, "code": TEXT, "param": _PARAM})


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
    """Anthropic's; `code` and `param` are additions that its clients pass over.

    The message has the field as Anthropic writes it: `messages.0.content`.
    """
    message, param = error.message, error.param
    if param is not None:
        # The wire has a tool's schema where OpenAI has it.
        own = param.replace(".function.parameters", ".input_schema")
        message, param = message.replace(param, _INDEX.sub(r".\1", own)), own
    return {
        "type": "error",
        "error": {
            "type": _anthropic_type(error),
            "message": message,
            "code": error.code,
            "param": param,
        },
        "request_id": request_id,
    }


def _anthropic_type(error: KronkError) -> str:
    if error.status < 500:
        return _ANTHROPIC_TYPES.get(error.status, "invalid_request_error")
    if isinstance(error, Overloaded):
        return "overloaded_error"
    return _ANTHROPIC_TYPES.get(error.status, "api_error")


def ollama(error: KronkError) -> dict[str, Any]:
    """Ollama's; `code` and `param` are additions that its clients pass over."""
    return {"error": error.message, "code": error.code, "param": error.param}


def envelope(error: KronkError, path: str, request_id: str | None = None) -> dict[str, Any]:
    """The error in the dialect of the route at `path`."""
    match dialect_of(path):
        case "anthropic":
            return anthropic(error, request_id)
        case "ollama":
            return ollama(error)
        case "openai":
            return openai(error)


def dialect_of(path: str) -> Literal["openai", "anthropic", "ollama"]:
    """Whose words errors are in on that route; where no vendor's, OpenAI's."""
    if path == "/v1/messages" or path.startswith("/v1/messages/"):
        return "anthropic"
    return "ollama" if path.startswith("/api/") else "openai"
