"""The tasks of an event loop, told from another thread: where each of them waits."""

from __future__ import annotations

import asyncio
from collections import Counter
from types import CodeType
from typing import Any

# Awaits within awaits.
_DEEPEST = 40
_LONGEST_LIST = 200


def described(loop: asyncio.AbstractEventLoop) -> list[str]:
    """A text for each, equal ones counted once, most frequent first. Places in code only."""
    counts = Counter(_described(task) for task in _all(loop))
    rows = [f"{count} x {text}" for text, count in counts.most_common()]
    left = len(rows) - _LONGEST_LIST
    return rows if left <= 0 else [*rows[:_LONGEST_LIST], f"and {left} other places"]


def _all(loop: asyncio.AbstractEventLoop) -> list[asyncio.Task[Any]]:
    try:
        return list(asyncio.all_tasks(loop))
    except RuntimeError:
        # They come and go faster than a set can be copied.
        return []


def _described(task: asyncio.Task[Any]) -> str:
    # Names that asyncio gives are numbers, which would make equal tasks differ.
    name = task.get_name()
    head = "a task" if name.startswith("Task-") else name
    return f"{head}\n" + "\n".join(_places(task.get_coro()))


def _places(awaited: Any) -> list[str]:
    """From the outermost function to the one that waits."""
    places: list[str] = []
    while awaited is not None and len(places) < _DEEPEST:
        kind = next((kind for kind in ("cr", "gi", "ag") if hasattr(awaited, f"{kind}_frame")), "")
        if not kind:
            # A future, or what a task waits for one with.
            break
        frame, code = getattr(awaited, f"{kind}_frame"), getattr(awaited, f"{kind}_code")
        places.append(_place(code, None if frame is None else frame.f_lineno))
        awaited = getattr(awaited, "gi_yieldfrom" if kind == "gi" else f"{kind}_await", None)
    return places


def _place(code: CodeType, line: int | None) -> str:
    return f'  File "{code.co_filename}", line {line or code.co_firstlineno} in {code.co_qualname}'
