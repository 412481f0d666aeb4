"""Bodies that are no requests, and texts and models that are none, for every route."""

from __future__ import annotations

import copy
import json
from typing import Any

from .error_shape import Refusal, bad, missing
from .routes import JsonRoute

DEEP = 10_000


def nested(opening: str, closing: str) -> bytes:
    return (opening * DEEP + closing * DEEP).encode()


def replaced(route: JsonRoute, value: Any) -> dict[str, Any]:
    """The route's good body with another value for its text."""
    body = copy.deepcopy(route.good)
    inner: Any = body
    for step in route.text[:-1]:
        inner = inner[step]
    inner[route.text[-1]] = value
    return body


def text_param(route: JsonRoute) -> str:
    first, *rest = route.text
    return str(first) + "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in rest)


def with_raw(route: JsonRoute, value: bytes) -> bytes:
    """The good body with these bytes for its text."""
    mark = "@@@"
    return json.dumps(replaced(route, mark)).encode().replace(b'"@@@"', value)


RAW: dict[str, tuple[bytes, Refusal]] = {
    "nothing": (b"", bad(None)),
    "white space": (b"  \n", bad(None)),
    "words": (b"{model: Tiny}", bad(None)),
    "an array": (b"[]", bad(None)),
    "null": (b"null", bad(None)),
    "a text": (b'"Tiny"', bad(None)),
    "a number": (b"1e400", bad(None)),
    "bytes that are not UTF-8": (b'{"model": "\xff"}', bad(None)),
    "UTF-16": ('{"model": "Tiny"}'.encode("utf-16"), bad(None)),
    "NUL bytes": (b"\0" * 64, bad(None)),
    "10,000 arrays": (nested("[", "]"), bad(None)),
    "10,000 objects": (nested('{"model":', "}").replace(b":}", b":1}"), bad(None)),
    "arrays without end": (b"[" * 1_000_000, bad(None)),
    "a form": (b"model=Tiny&prompt=x", bad(None)),
}


# What the text of a request may not be: as it is sent, and whether the field is named.
TEXTS: dict[str, tuple[bytes, bool]] = {
    "half a surrogate pair": (b'"\\ud83d"', True),
    "the other half": (b'"x\\udc00"', True),
    "bytes that are not UTF-8": (b'"\xc3("', False),
    "an encoded surrogate": (b'"\xed\xa0\x80"', False),
    "a raw NUL": (b'"a\0b"', False),
    "NaN": (b"NaN", False),
    "Infinity": (b"-Infinity", False),
    "10,000 arrays": (nested("[", "]"), False),
    "a number": (b"5", True),
    "a boolean": (b"true", True),
    "an object": (b"{}", True),
    "a number out of any range": (b"1e999", True),
}

MODELS: dict[str, tuple[Any, Refusal]] = {
    "null": (None, bad("model")),
    "a number": (5, bad("model")),
    "an array": (["Tiny"], bad("model")),
    "empty": ("", bad("model")),
    "very long": ("x" * 5000, bad("model")),
    "not there": ("nope", missing("model")),
    "a path": ("../../etc/passwd", missing("model")),
    "an absolute path": ("/etc/passwd", missing("model")),
    "with a NUL": ("Tiny\0", missing("model")),
    "of a variant that is not there": ("Tiny/NOPE", missing("model")),
    "with a line's end": ("Tiny\n", missing("model")),
}
