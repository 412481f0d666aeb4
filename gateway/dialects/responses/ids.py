"""Names of responses and of their items.

A response's name begins with the second of its birth, as OpenAI's do, so that names sort by age; an
item's has its response's in it, so that a reference to an item says where it is kept.
"""

from __future__ import annotations

import re
from typing import Literal

ItemType = Literal["message", "reasoning", "function_call", "function_call_output"]

RANDOM_BYTES = 20
_PREFIXES = {
    "message": "msg_",
    "reasoning": "rs_",
    "function_call": "fc_",
    "function_call_output": "fco_",
}
_RESPONSE = re.compile(r"resp_([0-9a-f]{8})[0-9a-f]{40}")
_ITEM = re.compile(r"(?:msg|rs|fc|fco)_([0-9a-f]{48})[0-9a-f]{4,8}")


def response_name(now: int, random: bytes) -> str:
    """The name of a response born at `now`, in seconds; `random` has `RANDOM_BYTES`."""
    assert len(random) == RANDOM_BYTES
    return f"resp_{now:08x}{random.hex()}"


def birth(name: str) -> int | None:
    """The second in which the response of that name was born; None for what is no such name."""
    found = _RESPONSE.fullmatch(name)
    return int(found[1], 16) if found else None


def keeper(item: str) -> str | None:
    """The response that an item of that name came with; None where it is no name of ours."""
    found = _ITEM.fullmatch(item)
    return f"resp_{found[1]}" if found else None


class ItemNames:
    """Names for the items of one response, its input's and then its output's."""

    def __init__(self, response: str) -> None:
        self._core = response.removeprefix("resp_")
        self._count = 0

    def new(self, kind: ItemType) -> str:
        """The next item's name."""
        name = f"{_PREFIXES[kind]}{self._core}{self._count:04x}"
        self._count += 1
        return name
