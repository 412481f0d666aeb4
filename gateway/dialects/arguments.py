"""A tool call's arguments as an object, for dialects that do not send them as text."""

from __future__ import annotations

import json
import math
import sys
from typing import Any

# Python refuses to read longer ones, and nobody's numbers hold them.
_LONGEST_NUMBER = 4000


def arguments_of(text: str) -> Any:
    """The JSON a model wrote, as a value that can be written again.

    A number beyond all range becomes the largest there is, and half of a surrogate pair a
    question mark: the text is JSON, but such values are in no other JSON.
    """
    value = json.loads(
        text or "{}", parse_float=_number, parse_int=_whole, parse_constant=lambda _: None
    )
    if "\\ud" in text.lower():
        plain = json.dumps(value, ensure_ascii=False)
        value = json.loads(plain.encode("utf-8", "replace").decode())
    return value


def _number(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else math.copysign(sys.float_info.max, number)


def _whole(text: str) -> float:
    return int(text) if len(text) < _LONGEST_NUMBER else _number(text)
