"""How deeply a value may be nested: what is read here by code that calls itself."""

from __future__ import annotations

from typing import Any

# Python gives up at about a thousand calls, which several per level come to. The schema of a tool
# takes two levels for each of its own; the worker refuses those of more than 96 by their names.
MAX_DEPTH = 128


def is_too_deep(value: Any) -> bool:
    """Whether arrays and objects stand in one another more than `MAX_DEPTH` deep. Takes them level
    by level, so that it is never too deep itself."""
    level: list[Any] = [[value]]
    for _ in range(MAX_DEPTH + 1):
        level = [
            item
            for container in level
            for item in (container.values() if type(container) is dict else container)
            if type(item) is dict or type(item) is list
        ]
        if not level:
            return False
    return True


def may_be_too_deep(text: bytes | str) -> bool:
    """Whether JSON has as many brackets as that takes: most has not, and need not be looked at."""
    if isinstance(text, str):
        return text.count("[") + text.count("{") > MAX_DEPTH
    return text.count(b"[") + text.count(b"{") > MAX_DEPTH
