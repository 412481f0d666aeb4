"""From items to the messages of a chat, which is what chat templates know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kronk.gateway.dialects.media import MediaCollector, content_of, text_part
from kronk.gateway.dialects.media import Part as WirePart
from kronk.gateway.dialects.openai.messages import with_names
from kronk.shared.wire.values import Json

from .items import Item
from .namespaces import joined
from .thoughts import unsealed

# Where items of earlier turns came from, for errors: all of them from there.
EARLIER = "previous_response_id"


def chat_messages(
    instructions: str | None,
    items: Sequence[Item],
    places: Mapping[str, str],
    media: MediaCollector,
) -> tuple[Json, ...]:
    """The items as messages; `places` has the request's field that each id stands in.

    What an assistant thought, said and called in a row is one message, as it was one answer.
    """
    writer = _Writer(media)
    if instructions:
        writer.messages.append({"role": "system", "content": instructions})
    for item in items:
        writer.add(item, places.get(item["id"], EARLIER))
    return with_names(_one_system_message(writer.finish()))


def _one_system_message(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What stands in front as several: many templates take one, and only as the first."""
    count = 0
    while count < len(messages) and messages[count]["role"] == "system":
        count += 1
    if count < 2:
        return messages
    text = "\n\n".join([message["content"] for message in messages[:count]])
    return [{"role": "system", "content": text}, *messages[count:]]


@dataclass(slots=True)
class _Said:
    """An assistant's message in the making."""

    reasoning: list[str] = field(default_factory=list)
    # None until it has said something, if only that it says nothing.
    content: str | None = None
    calls: list[dict[str, Any]] = field(default_factory=list)

    def takes(self, kind: str) -> bool:
        """Whether an item of this type goes on with the message, or begins the next."""
        match kind:
            case "reasoning":
                return self.content is None and not self.calls
            case "message":
                return self.content is None
        return True

    def message(self) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": self.content or ""}
        if reasoning := "".join(self.reasoning):
            message["reasoning_content"] = reasoning
        if self.calls:
            message["tool_calls"] = self.calls
        return message


class _Writer:
    def __init__(self, media: MediaCollector) -> None:
        self.messages: list[dict[str, Any]] = []
        self._media = media
        self._said: _Said | None = None

    def add(self, item: Item, where: str) -> None:
        kind = item["type"]
        if kind == "function_call_output":
            self._end_turn()
            self.messages.append(self._result(item, where))
        elif kind == "message" and item["role"] != "assistant":
            self._end_turn()
            self.messages.append(self._message(item, where))
        else:
            self._assistant(kind, item, where)

    def finish(self) -> list[dict[str, Any]]:
        self._end_turn()
        return self.messages

    def _end_turn(self) -> None:
        if self._said is not None:
            self.messages.append(self._said.message())
            self._said = None

    def _assistant(self, kind: str, item: Item, where: str) -> None:
        if self._said is None or not self._said.takes(kind):
            self._end_turn()
            self._said = _Said()
        match kind:
            case "reasoning":
                self._said.reasoning.append(_thinking(item, where))
            case "message":
                self._said.content = "\n".join(
                    [part.get("text") or part.get("refusal", "") for part in item["content"]]
                )
            case "function_call":
                space, name = item.get("namespace"), item["name"]
                name = name if space is None else joined(space, name)
                function = {"name": name, "arguments": item["arguments"]}
                call = {"type": "function", "function": function, "id": item["call_id"]}
                self._said.calls.append(call)

    def _message(self, item: Item, where: str) -> dict[str, Any]:
        # Templates know no `developer`; it is OpenAI's newer word for the same thing.
        role = "system" if item["role"] == "developer" else item["role"]
        parts = item["content"]
        if role == "user" and len(parts) == 1 and parts[0]["type"] == "input_text":
            found = self._media.detect(parts[0]["text"], f"{where}.content")
            if found is not None:
                return {"role": role, "content": [found]}
        return {"role": role, "content": self._content(parts, where, "content")}

    def _result(self, item: Item, where: str) -> dict[str, Any]:
        output = item["output"]
        content = output if isinstance(output, str) else self._content(output, where, "output")
        return {"role": "tool", "content": content, "tool_call_id": item["call_id"]}

    def _content(
        self, parts: list[dict[str, Any]], where: str, member: str
    ) -> str | list[WirePart]:
        return content_of(
            [self._part(part, f"{where}.{member}[{at}]") for at, part in enumerate(parts)]
        )

    def _part(self, part: dict[str, Any], where: str) -> WirePart:
        match part["type"]:
            case "input_image":
                return self._media.image_url(part["image_url"], _field(where, "image_url"))
            case "input_audio":
                data = part["input_audio"]["data"]
                return self._media.audio_base64(data, _field(where, "input_audio.data"))
        return text_part(part["text"])


def _field(where: str, member: str) -> str:
    return EARLIER if where.startswith(EARLIER) else f"{where}.{member}"


def _thinking(item: Item, where: str) -> str:
    """What is known of it: all of it, or else a summary that another server has made."""
    if item["content"]:
        return "".join([part["text"] for part in item["content"]])
    if "encrypted_content" in item:
        return unsealed(item["encrypted_content"], f"{where}.encrypted_content")
    return "\n\n".join([part["text"] for part in item["summary"]])
