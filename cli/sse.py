"""Streams of events, as the server sends them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from kronk.shared.errors import Internal

_DATA, _DONE = "data:", "[DONE]"


def data(lines: Iterable[str]) -> Iterator[str]:
    """What the events of a stream say, up to `[DONE]`. Comments and other fields of its lines are
    skipped, and so is an event that was cut off."""
    parts: list[str] = []
    for line in lines:
        if line.startswith(_DATA):
            parts.append(line.removeprefix(_DATA).removeprefix(" "))
        elif not line and parts:
            text, parts = "\n".join(parts), []
            if text == _DONE:
                return
            yield text


def objects(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The same of a stream of JSON objects; raises `Internal` for anything else in it."""
    for text in data(lines):
        try:
            event = json.loads(text)
        except ValueError as error:
            raise Internal(
                f"the server streamed something that is not JSON: {text[:80]}"
            ) from error
        if not isinstance(event, dict):
            raise Internal(f"the server streamed something that is not an object: {text[:80]}")
        yield event
