"""Anthropic's `context_management`: what is left out of a conversation before the model sees it.

Of the edits only the removal of old thinking is built, which Claude Code asks for. Others wait for
a conversation to grow past a limit and then change what is in it: they are refused, as a client
that asks for them counts on it.
"""

from __future__ import annotations

from typing import Any

from kronk.gateway.dialects.fields import members, wrong
from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.values import Json

CLEAR_THINKING = "clear_thinking_20251015"
SCHEMA: dict[str, Any] = {
    "anyOf": [
        {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "edits": {
                    "type": ["array", "null"],
                    "maxItems": 1,
                    "items": {
                        "type": "object",
                        "required": ["type"],
                        "additionalProperties": False,
                        "properties": {"type": {"const": CLEAR_THINKING}, "keep": {}},
                    },
                }
            },
        },
        {"type": "null"},
    ]
}


def thinking_turns(value: object) -> int | None:
    """How many turns keep their thinking by the `context_management` of a request; None is all."""
    if value is None:
        return None
    edits = members(value, "context_management", "edits").get("edits")
    if edits is None:
        return None
    where = "context_management.edits"
    if not isinstance(edits, list):
        raise wrong(where, "an array", edits)
    for index, edit in enumerate(edits):
        _check_kind(edit, f"{where}[{index}]")
    if len(edits) > 1:
        raise InvalidArgument(f"'{where}': send one edit of a kind", param=where)
    return _keep(edits[0], f"{where}[0]") if edits else None


def _check_kind(edit: object, where: str) -> None:
    if not isinstance(edit, dict):
        raise wrong(where, "an object", edit)
    if edit.get("type") != CLEAR_THINKING:
        raise InvalidArgument(
            f"'{where}.type': of Anthropic's edits only {CLEAR_THINKING} is supported",
            param=f"{where}.type",
        )


def _keep(edit: object, where: str) -> int | None:
    keep = members(edit, where, "type", "keep").get("keep")
    where = f"{where}.keep"
    match keep:
        case None:
            # Anthropic's default.
            return 1
        case "all" | {"type": "all"}:
            return None
        case {"type": "thinking_turns", "value": int(value)} if value > 0:
            return value
    raise InvalidArgument(
        f"'{where}': must be 'all', or an object of type 'all', or one of type 'thinking_turns' "
        "with a 'value' above 0",
        param=where,
    )


def without_old_thinking(messages: tuple[Json, ...], keep: int | None) -> tuple[Json, ...]:
    """The conversation with the thinking of only the last `keep` turns that have any."""
    if keep is None:
        return messages
    thoughtful = [at for at, message in enumerate(messages) if "reasoning_content" in message]
    old = set(thoughtful[:-keep])
    return tuple(
        {key: value for key, value in message.items() if key != "reasoning_content"}
        if at in old
        else message
        for at, message in enumerate(messages)
    )
