"""A chat's messages and tools, as chat templates expect them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from kronk.shared.wire.values import Json, Prompt
from kronk.worker.parsers.base import Tool


def for_template(messages: Sequence[Json], markers: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Messages with tool calls' arguments as objects, as most templates write them as JSON anew,
    and with `markers` where files stand in their contents."""
    return [_with_text(_with_objects(message), markers) for message in messages]


def _with_text(message: dict[str, Any], markers: Sequence[str]) -> dict[str, Any]:
    """The content as a text: what templates write for an image, mtmd writes itself."""
    content = message.get("content")
    if not isinstance(content, list):
        return message
    text, is_behind_text = "", False
    for part in content:
        is_text = part["type"] == "text"
        # As where all of the content is text.
        text += "\n" if is_text and is_behind_text else ""
        text += part["text"] if is_text else markers[part["media"]]
        is_behind_text = is_text
    return message | {"content": text}


def as_parts(messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same chat for a template that reads contents as lists only."""
    return [
        message | {"content": [{"type": "text", "text": message["content"]}]}
        if isinstance(message.get("content"), str)
        else message
        for message in messages
    ]


def _with_objects(message: dict[str, Any]) -> dict[str, Any]:
    calls = message.get("tool_calls")
    if not calls:
        return message
    return message | {"tool_calls": [_call(call) for call in calls]}


def _call(call: dict[str, Any]) -> dict[str, Any]:
    function = call["function"]
    arguments = function.get("arguments")
    if isinstance(arguments, str):
        try:
            value = json.loads(arguments) if arguments else {}
        except ValueError:
            # Not JSON: the model once wrote it so, and sees it again so.
            return call
        if isinstance(value, dict):
            return call | {"function": function | {"arguments": value}}
    return call


def without_tools(
    messages: Sequence[dict[str, Any]], instructions: str, write_call: Callable[[str, Any], str]
) -> list[dict[str, Any]]:
    """The same chat for a template that knows no tools.

    The instructions go into the system message, calls into the assistant's text, written by
    `write_call` from name and arguments, and results into user messages.
    """
    plain = [_plain(message, write_call) for message in messages]
    if not instructions:
        return plain
    if plain and plain[0]["role"] == "system":
        first = plain[0] | {"content": f"{plain[0]['content']}\n\n{instructions}"}
        return [first, *plain[1:]]
    return [{"role": "system", "content": instructions}, *plain]


def _plain(message: dict[str, Any], write_call: Callable[[str, Any], str]) -> dict[str, Any]:
    if message["role"] == "tool":
        return {"role": "user", "content": f"Tool result: {message['content']}"}
    calls = message.get("tool_calls")
    if not calls:
        return message
    written = [
        write_call(call["function"]["name"], call["function"].get("arguments", {}))
        for call in calls
    ]
    parts = [message["content"], *written] if message.get("content") else written
    return {"role": message["role"], "content": "\n".join(parts)}


def tools_of(prompt: Prompt) -> tuple[Tool, ...]:
    """The functions in the prompt's tool objects."""
    names = [f"tools[{at}].function.parameters" for at in range(len(prompt.tools))]
    return tuple(
        Tool(
            tool["function"]["name"],
            tool["function"].get("parameters") or {"type": "object"},
            tool["function"].get("description") or "",
            name,
            bool(tool["function"].get("strict")),
        )
        for tool, name in zip(prompt.tools, prompt.tool_params or names, strict=True)
    )
