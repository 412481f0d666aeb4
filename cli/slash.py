"""The commands one can type in `kronk run`: `/set temperature 0.2` and its kin."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kronk.shared.errors import InvalidArgument
from kronk.shared.sampling_params import PARAMETERS, SAMPLING_LIMITS

from .chat import Conversation


class Quit(Exception):
    """The user is done."""


def obey(conversation: Conversation, line: str) -> str:
    """Carry out one command; returns what to say about it, `InvalidArgument` when it is wrong."""
    name, _, rest = line.partition(" ")
    if name not in _COMMANDS:
        raise InvalidArgument(f"no command {name}; /help lists them")
    return _COMMANDS[name][0](conversation, rest.strip())


def _help(conversation: Conversation, rest: str) -> str:
    width = max(len(usage) for _, usage, _ in _COMMANDS.values())
    lines = [f"{usage:<{width}}  {what}" for _, usage, what in _COMMANDS.values()]
    return "\n".join([*lines, "Ctrl-C stops an answer, Ctrl-D ends the chat."])


def _reset(conversation: Conversation, rest: str) -> str:
    conversation.messages.clear()
    return "forgotten; the system prompt and the parameters stay"


def _system(conversation: Conversation, rest: str) -> str:
    conversation.system = rest or None
    return "system prompt set" if rest else "system prompt removed"


def _set(conversation: Conversation, rest: str) -> str:
    name, _, text = rest.partition(" ")
    name = name.replace("-", "_")
    if not rest:
        return _parameters(conversation)
    if name not in _SETTABLE:
        raise InvalidArgument(f"no parameter {name}; there are {', '.join(_SETTABLE)}")
    if not text:
        conversation.parameters.pop(name, None)
        return f"{name} is the model's default again"
    conversation.parameters[name] = _number(name, text.strip())
    return f"{name} = {text.strip()}"


def _number(name: str, text: str) -> float | int:
    whole = name == "max_tokens" or PARAMETERS[name].kind == "int"
    least, most = _SETTABLE[name]
    try:
        value = int(text) if whole else float(text)
    except ValueError as error:
        kind = "a whole number" if whole else "a number"
        raise InvalidArgument(f"{name}: expected {kind}, got {text!r}") from error
    if not least <= value <= most:
        raise InvalidArgument(f"{name}: expected {least} to {most}, got {text}")
    return value


def _parameters(conversation: Conversation) -> str:
    given = [f"{name} = {value}" for name, value in conversation.parameters.items()]
    return "\n".join(given) or "no parameter is set: the model's defaults are in force"


def _history(conversation: Conversation, rest: str) -> str:
    turns = [f"{message['role']}: {message['content']}" for message in conversation.messages]
    return "\n".join(turns) or "nothing said yet"


def _save(conversation: Conversation, rest: str) -> str:
    if not rest:
        raise InvalidArgument("/save needs the name of a file")
    path = Path(rest).expanduser()
    body: dict[str, Any] = conversation.body()
    kept = {key: body[key] for key in body if key not in ("stream", "stream_options")}
    try:
        path.write_text(json.dumps(kept, ensure_ascii=False, indent=2) + "\n", "utf-8")
    except OSError as error:
        raise InvalidArgument(f"cannot write {path}: {error.strerror}") from error
    return f"saved to {path}"


def _bye(conversation: Conversation, rest: str) -> str:
    raise Quit


_SETTABLE: dict[str, tuple[float, float]] = {**SAMPLING_LIMITS, "max_tokens": (1, 2**31 - 1)}

# Name: what it does, how it is written, what it is for.
_COMMANDS: dict[str, tuple[Callable[[Conversation, str], str], str, str]] = {
    "/help": (_help, "/help", "this list"),
    "/reset": (_reset, "/reset", "forget what was said"),
    "/system": (_system, "/system TEXT", "set the system prompt; without TEXT remove it"),
    "/set": (_set, "/set NAME VALUE", "set a parameter, for example /set temperature 0.2"),
    "/history": (_history, "/history", "what was said so far"),
    "/save": (_save, "/save FILE", "write the conversation as a request body"),
    "/bye": (_bye, "/bye", "end the chat"),
}
