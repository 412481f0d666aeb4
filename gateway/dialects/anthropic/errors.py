"""Anthropic's shape of an error."""

from __future__ import annotations

import re
from typing import Any

from kronk.gateway.dialects.schemas import TEXT, Schema, closed, nullable
from kronk.shared.errors import ContextLengthExceeded, KronkError, Overloaded

# Anthropic's words for an HTTP status. Its own 529, for what is overloaded, is nobody else's: here
# that is 503 with Retry-After, which its clients retry as well.
_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
}
# What Anthropic's clients act on, by the field at fault: told so, they send whole conversations.
_DETAILS = {"thread": {"error_code": "thread_unsupported_request"}}
_NUMBER = re.compile(r"\d+")
_INDEX = re.compile(r"\[(\d+)\]")

SCHEMA: Schema = closed(
    {
        "type": {"const": "error"},
        "error": closed(
            {"type": TEXT, "message": TEXT, "code": TEXT, "param": nullable(TEXT)},
            {"details": {"type": "object"}},
        ),
        "request_id": nullable(TEXT),
    }
)


def envelope(error: KronkError, request_id: str | None) -> dict[str, Any]:
    """The error; `code` and `param` are additions that Anthropic's clients pass over.

    The message has the field as Anthropic writes it: `messages.0.content`.
    """
    message, param = error.message, error.param
    if isinstance(error, ContextLengthExceeded):
        message = _too_long(message)
    elif param is not None:
        # The wire has a tool's schema where OpenAI has it.
        own = param.replace(".function.parameters", ".input_schema")
        message, param = message.replace(param, _INDEX.sub(r".\1", own)), own
    told: dict[str, Any] = {
        "type": _type(error),
        "message": message,
        "code": error.code,
        "param": param,
    }
    if param in _DETAILS:
        told["details"] = _DETAILS[param]
    return {"type": "error", "error": told, "request_id": request_id}


def _too_long(message: str) -> str:
    """Anthropic's words for a prompt that does not fit: Claude Code knows them, and then makes its
    conversation shorter."""
    numbers = _NUMBER.findall(message)
    if len(numbers) < 2:
        return f"prompt is too long: {message}"
    window, tokens, *_ = numbers
    return f"prompt is too long: {tokens} tokens > {window} maximum"


def _type(error: KronkError) -> str:
    if error.status < 500:
        return _TYPES.get(error.status, "invalid_request_error")
    if isinstance(error, Overloaded):
        return "overloaded_error"
    return _TYPES.get(error.status, "api_error")
