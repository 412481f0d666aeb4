"""Each dialect's shape of an error, and which routes speak which dialect."""

from __future__ import annotations

from typing import Any, Literal

from kronk.shared.errors import KronkError

from .anthropic import errors as anthropic
from .schemas import TEXT, Schema, closed, nullable

_PARAM = nullable(TEXT)
OPENAI_SCHEMA: Schema = closed(
    {"error": closed({"message": TEXT, "type": TEXT, "code": TEXT, "param": _PARAM})}
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


def ollama(error: KronkError) -> dict[str, Any]:
    """Ollama's; `code` and `param` are additions that its clients pass over."""
    return {"error": error.message, "code": error.code, "param": error.param}


def envelope(error: KronkError, path: str, request_id: str | None = None) -> dict[str, Any]:
    """The error in the dialect of the route at `path`."""
    match dialect_of(path):
        case "anthropic":
            return anthropic.envelope(error, request_id)
        case "ollama":
            return ollama(error)
        case "openai":
            return openai(error)


def dialect_of(path: str) -> Literal["openai", "anthropic", "ollama"]:
    """Whose words errors are in on that route; where no vendor's, OpenAI's."""
    if path == "/v1/messages" or path.startswith("/v1/messages/"):
        return "anthropic"
    is_ollamas = path.startswith("/api/") and not path.startswith("/api/v1/")
    return "ollama" if is_ollamas else "openai"
