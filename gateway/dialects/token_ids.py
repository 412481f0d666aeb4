"""Lists of token ids in requests."""

from __future__ import annotations

from typing import Any

from .fields import wrong

# They fit 32 bits in llama.cpp. What the vocabulary has, only the worker knows.
_MOST = 2**31
SCHEMA: dict[str, Any] = {
    "type": "array",
    "minItems": 1,
    "items": {"type": "integer", "minimum": 0, "exclusiveMaximum": _MOST},
}


def token_ids(value: object, where: str) -> tuple[int, ...]:
    """`value`, which must be an array of at least one token id."""
    if not isinstance(value, list) or not value:
        raise wrong(where, "an array with at least one token id", value)
    for at, item in enumerate(value):
        # `type is`: to Python True is 1, and to a caller it is a mistake.
        if type(item) is not int or not 0 <= item < _MOST:
            raise wrong(f"{where}[{at}]", "a token id", item)
    return tuple(value)
