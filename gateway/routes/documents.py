"""What the OpenAPI document says of routes whose bodies FastAPI does not see."""

from __future__ import annotations

from typing import Any

_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "code", "param"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "code": {"type": "string"},
                "param": {"type": ["string", "null"]},
            },
        }
    },
}
_ERRORS = {
    400: "A field is not acceptable; `param` names it.",
    404: "There is no such model.",
    503: "Too busy, or the model cannot be loaded or died; `code` tells which.",
    504: "A bounded wait ran out.",
}


def request_document(schema: dict[str, Any]) -> dict[str, Any]:
    """For `openapi_extra`: a body of JSON."""
    content = {"application/json": {"schema": schema}}
    return {"requestBody": {"required": True, "content": content}}


def answer_documents(
    kind: str, streamed_kind: str | None = None
) -> dict[int | str, dict[str, Any]]:
    """For `responses`: an object of that kind, or with `stream` events of the other."""
    answer = {
        "description": f"`{kind}`, or with `stream` events with `{streamed_kind or kind}`.",
        "content": {"application/json": {"schema": _answer(kind)}, "text/event-stream": {}},
    }
    errors: dict[int | str, dict[str, Any]] = {
        status: {
            "description": description,
            "content": {"application/json": {"schema": _ERROR}},
        }
        for status, description in _ERRORS.items()
    }
    return {200: answer, **errors}


def _answer(kind: str) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["id", "object", "created", "model", "choices", "usage"],
        "properties": {
            "id": {"type": "string"},
            "object": {"const": kind},
            "created": {"type": "integer"},
            "model": {"type": "string"},
            "system_fingerprint": {"type": "string"},
            "choices": {"type": "array", "items": {"type": "object"}},
            "usage": {"type": "object"},
            "timings": {"type": "object"},
        },
    }
