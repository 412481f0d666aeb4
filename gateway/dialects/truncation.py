"""A text that is longer than its model takes is refused, unless `truncate` says to cut it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import WithJsonSchema

from kronk.shared.errors import InvalidArgument

# Ours is a truth value, Cohere's names the end that is cut.
Truncate = Annotated[
    Any,
    WithJsonSchema(
        {
            "anyOf": [{"type": "boolean"}, {"enum": ["NONE", "END"]}, {"type": "null"}],
            "description": "Texts that are too long lose their end (true or END) instead of being "
            "refused (false or NONE, the default).",
        }
    ),
]
_MEANINGS = {"NONE": False, "END": True}


def truncates(value: object, *, default: bool = False) -> bool:
    """Whether texts are cut."""
    if value is None:
        return default
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value in _MEANINGS:
        return _MEANINGS[value]
    if value == "START":
        raise InvalidArgument(
            "'truncate': a text can lose its end (END) and not its start", param="truncate"
        )
    raise InvalidArgument("'truncate' must be true, false, END or NONE", param="truncate")
