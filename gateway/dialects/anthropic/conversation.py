"""Anthropic's `system` and `messages` as the messages that chat templates read.

A message of several blocks can become several messages: each tool_result is a message of the role
`tool`. Turns of one role that follow each other are one, as Anthropic has it. A conversation that
ends with the assistant's words has the beginning of the answer there, which the model continues.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from kronk.gateway.dialects.fields import path, unrecognized, wrong
from kronk.gateway.dialects.media import MediaCollector, Part, content_of, text_part
from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.values import Json

from . import blocks

ROLES = ("user", "assistant", "system")
# Anthropic's own bound.
MOST_MESSAGES = 100_000


@dataclass(slots=True)
class _Turn:
    """One message for a template, until no more belongs to it."""

    role: Literal["system", "user", "assistant"]
    parts: list[Part] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)

    def json(self) -> dict[str, Any]:
        message: dict[str, Any] = {"role": self.role, "content": content_of(self.parts)}
        if thought := "\n".join(filter(None, self.thoughts)):
            message["reasoning_content"] = thought
        if self.calls:
            message["tool_calls"] = self.calls
        return message


@dataclass(frozen=True, slots=True)
class Conversation:
    """What is to be answered."""

    messages: tuple[Json, ...]
    # What the answer begins with, where the client says that, and the field it stands in.
    prefill: str | None = None
    prefill_at: str = ""


def conversation(system: object, messages: list[Any], media: MediaCollector) -> Conversation:
    """All of it; `InvalidArgument` names the first fault. `media` gets the images."""
    if not messages:
        raise InvalidArgument("'messages' must have at least one message", param="messages")
    if len(messages) > MOST_MESSAGES:
        raise InvalidArgument(
            f"'messages' takes {MOST_MESSAGES} messages at most, got {len(messages)}",
            param="messages",
        )
    reader = _Reader(media)
    reader.system(system, "system")
    for index, message in enumerate(messages):
        reader.message(message, path("messages", index))
    return reader.finish()


class _Reader:
    """Reads one message after the other."""

    def __init__(self, media: MediaCollector) -> None:
        self._media = media
        self._messages: list[Json] = []
        self._turn: _Turn | None = None
        # Names of the calls that the last turn made and that have no result yet, by their ids.
        self._unanswered: dict[str, str] = {}
        # The messages with the last calls, and the last message of all.
        self._calling = ""
        self._last = ""

    def message(self, message: object, where: str) -> None:
        if not isinstance(message, dict):
            raise wrong(where, "an object", message)
        for key in message.keys() - {"role", "content"}:
            raise unrecognized(f"{where}.{key[:100]}")
        role = message.get("role")
        if role not in ROLES:
            problem = "missing role field" if role is None else f"must be one of {', '.join(ROLES)}"
            raise InvalidArgument(f"'{where}.role': {problem}", param=f"{where}.role")
        content, at = message.get("content"), f"{where}.content"
        if "content" not in message:
            raise InvalidArgument(f"missing {at} field", param=at)
        self._last = where
        match role:
            case "user":
                self._user(content, at)
            case "assistant":
                self._assistant(content, at)
            case _:
                self.system(content, at)

    def system(self, content: object, where: str) -> None:
        """The system prompt, or a message of the role `system` in the middle."""
        if content is None and where == "system":
            return
        texts = (
            [blocks.without_billing(content)]
            if isinstance(content, str)
            else [blocks.system_text(block, at) for block, at in _each(content, where)]
        )
        # A block that was nothing but the header is gone.
        if parts := [text_part(text) for text in texts if text]:
            self._turn_of("system").parts.extend(parts)

    def finish(self) -> Conversation:
        """The whole conversation, with what the answer is to begin with."""
        prefill = None
        if self._turn is not None and self._turn.role == "assistant":
            self._check_answered()
            prefill = self._prefill(self._turn)
            self._turn = None
        self._end_turn()
        self._check_answered()
        return Conversation(tuple(self._messages), prefill, self._last)

    def _prefill(self, turn: _Turn) -> str:
        text = content_of(turn.parts)
        assert isinstance(text, str), "assistants show nothing"
        where, problem = self._last, None
        if all(message["role"] == "system" for message in self._messages):
            problem = "there is no message of the role user that it answers"
        elif turn.thoughts:
            problem = "what an answer begins with is text: it cannot have thinking blocks"
        elif text != text.rstrip():
            # As Anthropic has it: the model's next token brings its own space along.
            problem = "what an answer begins with must not end with white space"
        if problem is not None:
            raise InvalidArgument(f"'{where}': {problem}", param=where)
        return text

    def _user(self, content: object, where: str) -> None:
        if isinstance(content, str):
            self._turn_of("user").parts.append(text_part(content))
            return
        for block, at in _each(content, where):
            if blocks.kind_of(block, at) == "tool_result":
                self._tool_result(block, at)
            else:
                self._turn_of("user").parts.extend(blocks.part(block, at, self._media))

    def _tool_result(self, block: object, where: str) -> None:
        call, content = blocks.tool_result(block, where, self._media)
        self._end_turn()
        if call not in self._unanswered:
            raise InvalidArgument(
                f"'{where}.tool_use_id': the turn before has no tool_use block of this id that is "
                "still to be answered",
                param=f"{where}.tool_use_id",
            )
        name = self._unanswered.pop(call)
        # Some templates write the name of the function above its result.
        self._messages.append(
            {"role": "tool", "tool_call_id": call, "name": name, "content": content}
        )

    def _assistant(self, content: object, where: str) -> None:
        turn = self._turn_of("assistant")
        if isinstance(content, str):
            turn.parts.append(text_part(content))
            return
        for block, at in _each(content, where):
            match blocks.kind_of(block, at):
                case "text":
                    turn.parts.append(text_part(blocks.text(block, at)))
                case "thinking" | "redacted_thinking":
                    turn.thoughts.append(blocks.thinking(block, at))
                case "tool_use":
                    self._call(turn, blocks.tool_call(block, at), at)
                case _:
                    expected = "must be one of text, thinking, redacted_thinking, tool_use"
                    raise blocks.unknown(block, at, expected)

    def _call(self, turn: _Turn, call: dict[str, Any], where: str) -> None:
        if call["id"] in self._unanswered:
            raise InvalidArgument(
                f"'{where}.id': another tool_use block of this turn has the same id",
                param=f"{where}.id",
            )
        self._unanswered[call["id"]] = call["function"]["name"]
        self._calling = self._last
        turn.calls.append(call)

    def _turn_of(self, role: Literal["system", "user", "assistant"]) -> _Turn:
        """The turn that is being read, if it is of that role, or else a new one."""
        if self._turn is None or self._turn.role != role:
            self._end_turn()
            if role == "assistant":
                self._check_answered()
            self._turn = _Turn(role)
        return self._turn

    def _end_turn(self) -> None:
        if self._turn is not None:
            self._messages.append(self._turn.json())
            self._turn = None

    def _check_answered(self) -> None:
        if self._unanswered:
            missing = ", ".join(sorted(self._unanswered))
            raise InvalidArgument(
                f"'{self._calling}': each tool_use block needs a tool_result block in the turn "
                f"after it; there is none for {missing[:200]}",
                param=self._calling,
            )


def _each(content: object, where: str) -> Iterator[tuple[object, str]]:
    """The blocks of a content that is no string, each with where it is."""
    if not isinstance(content, list):
        raise wrong(where, "a string or an array of blocks", content)
    if not content and where != "system":
        raise InvalidArgument(f"'{where}' must have at least one block", param=where)
    return ((block, f"{where}[{index}]") for index, block in enumerate(content))
