"""What pydantic and JSON parsing find wrong, said as one `InvalidArgument` that names the field."""

from __future__ import annotations

import json
import math
from typing import Any

import pydantic
import pydantic_core

from kronk.shared.errors import InvalidArgument

from .depth import MAX_DEPTH, is_too_deep, may_be_too_deep

# What pydantic says of JSON that is nested more than 200 levels deep.
_RECURSION = "recursion limit exceeded"
NOT_SUPPORTED = "not supported by this version of Kronk"
# What pydantic calls JSON's types.
_WORDS = {"a valid list": "an array", "a valid dictionary": "an object"}
# What msgpack can carry.
_WHOLE_NUMBERS = range(-(2**63), 2**64)


def load_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`; refuses NaN, lone surrogates, bad UTF-8 and deep nesting."""
    try:
        value = pydantic_core.from_json(body, allow_inf_nan=False)
    except ValueError as error:
        if _RECURSION in str(error):
            raise too_deep() from error
        where = _lone_surrogate(body) if b"\\u" in body else None
        if where is not None:
            raise InvalidArgument(
                f"'{where}' has half of a surrogate pair, which is no character", param=where
            ) from error
        raise InvalidArgument(f"The body is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise InvalidArgument(f"The body must be a JSON object, got {kind(value)}")
    if may_be_too_deep(body) and is_too_deep(value):
        raise too_deep()
    return value


def too_deep(where: str | None = None) -> InvalidArgument:
    """For JSON that is nested beyond what is read here."""
    subject = "The body" if where is None else f"'{where}'"
    return InvalidArgument(
        f"{subject} is nested too deeply: at most {MAX_DEPTH} arrays and objects in one another",
        param=where,
    )


def _lone_surrogate(body: bytes) -> str | None:
    """The first field whose text is not Unicode; only Python's own parser reads that far."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    found: list[tuple[Any, tuple[str | int, ...]]] = [(value, ())]
    while found:
        value, steps = found.pop()
        if isinstance(value, str) and not _is_unicode(value):
            return path(*steps)
        if isinstance(value, list):
            found += [(item, (*steps, at)) for at, item in enumerate(value)]
        elif isinstance(value, dict):
            found += [(item, (*steps, key)) for key, item in value.items() if _is_unicode(key)]
    return None


def _is_unicode(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def path(*steps: str | int) -> str:
    """`messages[0].content`."""
    text = ""
    for step in steps:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step}" if text else step
    return text


def kind(value: object) -> str:
    """The JSON type of a value, with the value itself where it is short and no one's prose."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value) if abs(value) < 10**21 else "a number out of any range"
        case str():
            return "a string" if value else "an empty string"
        case list():
            return "an array"
        case _:
            return "an object"


def first_error(error: pydantic.ValidationError) -> InvalidArgument:
    """The first of the errors, in words a caller can act on."""
    found = error.errors(include_url=False, include_context=False)[0]
    where = path(*(step for step in found["loc"] if step not in ("str", "list[str]")))
    if found["type"] == "missing":
        return InvalidArgument(f"missing {where} field", param=where)
    if found["type"] == "extra_forbidden":
        return unrecognized(where)
    message = found["msg"].removeprefix("Input ").removeprefix("String ")
    for python, words in _WORDS.items():
        message = message.replace(python, words)
    return InvalidArgument(
        f"Invalid value for '{where}': {message}, got {kind(found['input'])}", param=where
    )


def unrecognized(where: str) -> InvalidArgument:
    """OpenAI's own words for a field nobody knows."""
    return InvalidArgument(f"Unrecognized request argument supplied: {where}", param=where)


def unsupported(where: str) -> InvalidArgument:
    """A field that OpenAI or the manual has and this version has not."""
    return InvalidArgument(f"'{where}': {NOT_SUPPORTED}", param=where)


def wrong(where: str, expected: str, got: object) -> InvalidArgument:
    """A value of the wrong type."""
    return InvalidArgument(
        f"Invalid value for '{where}': expected {expected}, got {kind(got)}", param=where
    )


def string(value: object, where: str) -> str:
    """`value`, which must be a string."""
    if not isinstance(value, str):
        raise wrong(where, "a string", value)
    return value


def members(value: object, where: str, *known: str) -> dict[str, Any]:
    """`value`, which must be an object without other members than these."""
    if not isinstance(value, dict):
        raise wrong(where, "an object", value)
    for key in value:
        if key not in known:
            raise unrecognized(f"{where}.{key[:100]}")
    return value


def carriable(value: object, where: str) -> None:
    """Refuse JSON with numbers that the wire, or JSON written anew, cannot carry."""
    if isinstance(value, dict):
        for key, item in value.items():
            carriable(item, f"{where}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            carriable(item, f"{where}[{index}]")
    elif isinstance(value, int) and value not in _WHOLE_NUMBERS:
        raise InvalidArgument(f"'{where}': the number has more than 64 bits", param=where)
    elif isinstance(value, float) and not math.isfinite(value):
        raise InvalidArgument(f"'{where}': the number is out of any range", param=where)
