"""What a prompt or a model's name tells the scripted engine to do, and when.

A prompt is words in any order: `from 7` counts from there, `pace 20` takes so many milliseconds a
token, and a fault is `kill at 5`, `hold=20 at 0` or `segv once at 3`: what happens, with a number
where it needs one, once or each time, and how many tokens were sent before. At 0 it happens while
the prompt is read.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any

from kronk.shared.wire.values import Prompt

_START = re.compile(r"\bfrom (\d+)")
_PACE = re.compile(r"\bpace (\d+)")
_FAULT = re.compile(r"\b([a-z]+)(?:=([0-9.]+))?( once)? at (\d+)")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong."""

    what: str
    number: float
    once: bool
    # Tokens sent before it.
    at: int


@dataclass(frozen=True, slots=True)
class Script:
    """A request as the engine plays it. `key` is the same for the same prompt."""

    start: int
    # Seconds a token; None is as fast as the engine goes.
    pace: float | None
    faults: tuple[Fault, ...]
    key: str


def read(prompt: Prompt) -> Script:
    """The script a prompt is."""
    text = _text(prompt)
    start, pace = _START.search(text), _PACE.search(text)
    return Script(
        int(start[1]) if start else 0,
        int(pace[1]) / 1000 if pace else None,
        tuple(
            Fault(what, float(number or 0), bool(once), int(at))
            for what, number, once, at in _FAULT.findall(text)
        ),
        hashlib.sha256(text.encode()).hexdigest()[:16],
    )


def _text(prompt: Prompt) -> str:
    if prompt.messages is None:
        return prompt.text or ""
    return " ".join(_content(message) for message in prompt.messages)


def _content(message: Any) -> str:
    content = message.get("content", "")
    if isinstance(content, str):
        return content
    return " ".join(part.get("text", "") for part in content)
