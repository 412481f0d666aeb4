"""A chat's turns, and a prompt without the first of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kronk.shared.wire.values import Json, Prompt


def turn_starts(messages: tuple[Json, ...]) -> list[int]:
    """Where turns begin: at what the user says after somebody else.

    Whatever stands before the first (system messages above all) is part of none, and an answer with
    its calls and their results is part of the turn it answers.
    """
    roles = ["", *(message["role"] for message in messages)]
    return [at for at, role in enumerate(roles[1:]) if role == "user" != roles[at]]


def without_turns(prompt: Prompt, count: int) -> Prompt:
    """The prompt without its first `count` turns, of which one at least is left."""
    messages = prompt.messages
    assert messages is not None
    starts = turn_starts(messages)
    assert count < len(starts)
    kept = [*messages[: starts[0]], *messages[starts[count] :]]
    # The files of what is left, in their order.
    used = [part["media"] for message in kept for part in _media_parts(message)]
    numbers = {old: new for new, old in enumerate(used)}
    return replace(
        prompt,
        messages=tuple([_renumbered(message, numbers) for message in kept]),
        media=tuple([prompt.media[old] for old in used]),
    )


def _media_parts(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message.get("content")
    return [part for part in content if "media" in part] if isinstance(content, list) else []


def _renumbered(message: dict[str, Any], numbers: dict[int, int]) -> dict[str, Any]:
    if not _media_parts(message):
        return message
    content = [
        {**part, "media": numbers[part["media"]]} if "media" in part else part
        for part in message["content"]
    ]
    return {**message, "content": content}
