"""Server-sent events, ASCII only: some clients take U+2028 for the end of a line."""

from __future__ import annotations

import json
from json.encoder import encode_basestring_ascii
from typing import Any

NO_MORE = b"data: [DONE]\n\n"

# A JSON string; in C, and bare because it is called for every token.
quoted = encode_basestring_ascii


def sse(value: dict[str, Any]) -> bytes:
    """One event."""
    return f"data: {compact(value)}\n\n".encode()


def compact(value: Any) -> str:
    """JSON without white space."""
    return json.dumps(value, separators=(",", ":"))
