"""System texts that present tools, for chat templates that do not take them."""

from __future__ import annotations

import json
from collections.abc import Sequence

from .base import Tool


def described(tools: Sequence[Tool]) -> str:
    """The tools as JSON, one on each line."""
    fields = ("name", "description", "parameters")
    return "\n".join(
        json.dumps({field: getattr(tool, field) for field in fields}, ensure_ascii=False)
        for tool in tools
    )


def presented(tools: Sequence[Tool], form: str) -> str:
    """The tools, and the form of a call to them."""
    return (
        "You can call tools. These are the tools, one JSON object a line:\n"
        f"{described(tools)}\n\n{form}\nIf no tool is needed, answer in plain text."
    )
