"""Server-sent events, ASCII only: some clients take U+2028 for the end of a line."""

from __future__ import annotations

import json
from json.encoder import encode_basestring_ascii
from typing import Any

EVENT_STREAM = "text/event-stream; charset=utf-8"
NO_MORE = b"data: [DONE]\n\n"
# Says that the server still works on it; clients skip what begins with a colon.
COMMENT = b": keep-alive\n\n"

# A JSON string; in C, and bare because it is called for every token.
quoted = encode_basestring_ascii


def comment(words: str) -> bytes:
    """A line that clients skip, before an event or another comment; without a line break in it."""
    return f": {words}\n".encode("ascii", "replace")


def sse(value: dict[str, Any]) -> bytes:
    """One event."""
    return f"data: {compact(value)}\n\n".encode()


def named(name: str, value: dict[str, Any]) -> bytes:
    """One event with a name."""
    return f"event: {name}\ndata: {compact(value)}\n\n".encode()


def compact(value: Any) -> str:
    """JSON without white space."""
    return json.dumps(value, separators=(",", ":"))
