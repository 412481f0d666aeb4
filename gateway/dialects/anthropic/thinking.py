"""Anthropic's `thinking`: whether a model thinks, for how long, and whether the client sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kronk.gateway.dialects.fields import members, wrong
from kronk.gateway.dialects.generation import MOST_TOKENS
from kronk.shared.errors import InvalidArgument

_DISPLAY = {"display": {"enum": ["summarized", "omitted", None]}}
_NO_BUDGET = {"budget_tokens": {"enum": [0, None]}}
SCHEMA: dict[str, Any] = {
    "anyOf": [
        {
            "type": "object",
            "required": ["type", "budget_tokens"],
            "additionalProperties": False,
            "properties": {
                "type": {"const": "enabled"},
                "budget_tokens": {"type": "integer", "minimum": 1, "maximum": MOST_TOKENS},
                **_DISPLAY,
            },
        },
        {
            "type": "object",
            "required": ["type"],
            "additionalProperties": False,
            "properties": {"type": {"const": "adaptive"}, **_NO_BUDGET, **_DISPLAY},
        },
        {
            "type": "object",
            "required": ["type"],
            "additionalProperties": False,
            "properties": {"type": {"enum": ["disabled", "between_tools"]}, **_NO_BUDGET},
        },
        {"type": "null"},
    ]
}


@dataclass(frozen=True, slots=True)
class Thinking:
    """What a request says about thinking. `wanted` is None where the model's own way is wanted,
    as when a request says nothing."""

    wanted: bool | None = None
    budget: int | None = None
    is_shown: bool = True


def thinking_of(value: object, max_tokens: int | None) -> Thinking:
    """`thinking` of a request; its budget must leave some of `max_tokens`, if that is given.

    Anthropic's least budget is 1,024 tokens. Models here may have a window of as many, so any is
    taken.
    """
    if value is None:
        return Thinking()
    if not isinstance(value, dict):
        raise wrong("thinking", "an object", value)
    match value.get("type"):
        case "enabled":
            given = members(value, "thinking", "type", "budget_tokens", "display")
            budget = _budget(given.get("budget_tokens"), max_tokens)
            return Thinking(True, budget, _is_shown(given.get("display")))
        case "adaptive":
            given = members(value, "thinking", "type", "budget_tokens", "display")
            _no_budget(given)
            return Thinking(True, None, _is_shown(given.get("display")))
        # Between tools a model only reports its progress, where it does so at all.
        case "disabled" | "between_tools":
            _no_budget(members(value, "thinking", "type", "budget_tokens"))
            return Thinking(False)
    raise InvalidArgument(
        "'thinking.type': must be one of enabled, adaptive, disabled, between_tools",
        param="thinking.type",
    )


def _budget(value: object, max_tokens: int | None) -> int:
    where = "thinking.budget_tokens"
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MOST_TOKENS:
        raise wrong(where, f"a whole number from 1 to {MOST_TOKENS}", value)
    if max_tokens is not None and value >= max_tokens:
        raise InvalidArgument(
            f"'{where}' ({value}) must be less than 'max_tokens' ({max_tokens})", param=where
        )
    return value


def _no_budget(given: dict[str, Any]) -> None:
    """Claude Code sends a budget of 0 with every way to think; any other would mean something."""
    value = given.get("budget_tokens")
    if value not in (None, 0) or isinstance(value, bool):
        raise InvalidArgument(
            "'thinking.budget_tokens': only thinking of the type 'enabled' has a budget",
            param="thinking.budget_tokens",
        )


def _is_shown(value: object) -> bool:
    if value not in (None, "summarized", "omitted"):
        raise InvalidArgument(
            "'thinking.display': must be summarized or omitted", param="thinking.display"
        )
    return value != "omitted"
