"""Anthropic's content blocks, one at a time, as the parts that the wire's messages are made of.

Every block may have a `cache_control`, which changes nothing: prefixes are cached without being
asked for.
"""

from __future__ import annotations

import json
from typing import Any

from kronk.gateway.dialects.fields import carriable, members, string, wrong
from kronk.gateway.dialects.media import MediaCollector, Part, content_of, text_part
from kronk.shared.errors import InvalidArgument

from .signature import unsealed

IMAGE_SOURCES = ("base64", "url")
# What a system prompt's block of Claude Code begins with; the rest changes with every request.
BILLING_HEADER = "x-anthropic-billing-header:"


def kind_of(block: object, where: str) -> str:
    """The type of a block."""
    if not isinstance(block, dict):
        raise wrong(where, "an object", block)
    kind = block.get("type")
    if kind is None:
        raise InvalidArgument(f"missing {where}.type field", param=f"{where}.type")
    return string(kind, f"{where}.type")


def text(block: object, where: str) -> str:
    """The text of a text block; what it cites does not change what it says."""
    given = _members(block, where, "text", "citations")
    return string(given.get("text"), f"{where}.text")


def system_text(block: object, where: str) -> str:
    """The text of a system prompt's block without Claude Code's billing header.

    The header has another checksum in each request: prompts that begin with it have no common
    prefix.
    """
    if kind_of(block, where) != "text":
        raise unknown(block, where, "must be text in a system prompt")
    return without_billing(text(block, where))


def without_billing(value: str) -> str:
    """A text without its first line, where that is Claude Code's billing header."""
    return value.partition("\n")[2] if value.startswith(BILLING_HEADER) else value


def part(block: object, where: str, media: MediaCollector) -> list[Part]:
    """What a block of text, an image, a document or a search result comes to."""
    match kind_of(block, where):
        case "text":
            return [text_part(text(block, where))]
        case "image":
            return [_image(block, where, media)]
        case "document":
            return _document(block, where, media)
        case "search_result":
            return [text_part(_search_result(block, where))]
    raise unknown(block, where, "must be one of text, image, document, search_result")


def thinking(block: object, where: str) -> str:
    """What was thought. Any signature is good: there is nothing to protect."""
    if kind_of(block, where) == "redacted_thinking":
        given = members(block, where, "type", "data")
        string(given.get("data"), f"{where}.data")
        return ""
    given = members(block, where, "type", "thinking", "signature")
    said = string(given.get("thinking"), f"{where}.thinking")
    signature = string(given.get("signature", ""), f"{where}.signature")
    return said or unsealed(signature)


def tool_call(block: object, where: str) -> dict[str, Any]:
    """A tool_use block as OpenAI's call, which is the wire's form."""
    given = _members(block, where, "id", "name", "input", "caller", "toolset_name")
    if given.get("toolset_name") is not None:
        raise InvalidArgument(
            f"'{where}.toolset_name': Anthropic's toolsets are not supported",
            param=f"{where}.toolset_name",
        )
    value = given.get("input")
    if not isinstance(value, dict):
        raise wrong(f"{where}.input", "an object", value)
    carriable(value, f"{where}.input")
    return {
        "id": string(given.get("id"), f"{where}.id"),
        "type": "function",
        "function": {
            "name": string(given.get("name"), f"{where}.name"),
            "arguments": json.dumps(value, ensure_ascii=False),
        },
    }


def tool_result(block: object, where: str, media: MediaCollector) -> tuple[str, str | list[Part]]:
    """The id of the call that a tool_result block answers, and the answer.

    Templates have no place for `is_error`, so the answer itself says it.
    """
    given = _members(block, where, "tool_use_id", "content", "is_error", "toolset_name")
    is_error = given.get("is_error")
    if not isinstance(is_error, bool | None):
        raise wrong(f"{where}.is_error", "true or false", is_error)
    parts = _result(given.get("content"), f"{where}.content", media)
    if is_error:
        parts = [text_part("Error:"), *parts]
    return string(given.get("tool_use_id"), f"{where}.tool_use_id"), content_of(parts)


def _result(content: object, where: str, media: MediaCollector) -> list[Part]:
    if content is None:
        return [text_part("")]
    if isinstance(content, str):
        return [text_part(content)]
    if not isinstance(content, list):
        raise wrong(where, "a string or an array of blocks", content)
    parts: list[Part] = []
    for index, block in enumerate(content):
        parts += part(block, f"{where}[{index}]", media)
    return parts


def _image(block: object, where: str, media: MediaCollector) -> Part:
    given = _members(block, where, "source", "transformations")
    if given.get("transformations"):
        raise InvalidArgument(
            f"'{where}.transformations': images are always made to fit, which is the default",
            param=f"{where}.transformations",
        )
    where = f"{where}.source"
    source = members(given.get("source"), where, "type", "media_type", "data", "url", "file_id")
    match source.get("type"):
        case "base64":
            string(source.get("media_type"), f"{where}.media_type")
            return media.image_base64(source.get("data"), f"{where}.data")
        case "url":
            return media.image_url(source.get("url"), f"{where}.url")
        case "file":
            raise InvalidArgument(
                f"'{where}.type': files of Anthropic's Files API cannot be reached from here; "
                "send the image as base64",
                param=f"{where}.type",
            )
    raise InvalidArgument(
        f"'{where}.type': must be one of {', '.join(IMAGE_SOURCES)}", param=f"{where}.type"
    )


def _document(block: object, where: str, media: MediaCollector) -> list[Part]:
    """A document's text below its title; only text can be read."""
    given = _members(block, where, "source", "title", "context", "citations")
    _no_citations(given.get("citations"), f"{where}.citations")
    above = [
        text_part(string(given[key], f"{where}.{key}"))
        for key in ("title", "context")
        if given.get(key) is not None
    ]
    where = f"{where}.source"
    source = members(
        given.get("source"), where, "type", "media_type", "data", "content", "url", "file_id"
    )
    match source.get("type"):
        case "text":
            return [*above, text_part(string(source.get("data"), f"{where}.data"))]
        case "content":
            return [*above, *_result(source.get("content"), f"{where}.content", media)]
    raise InvalidArgument(
        f"'{where}.type': only documents of type 'text' or 'content' can be read; extract the "
        "text of others first",
        param=f"{where}.type",
    )


def _search_result(block: object, where: str) -> str:
    given = _members(block, where, "source", "title", "content", "citations")
    _no_citations(given.get("citations"), f"{where}.citations")
    lines = [string(given.get(key), f"{where}.{key}") for key in ("title", "source")]
    where = f"{where}.content"
    content = given.get("content")
    if not isinstance(content, list):
        raise wrong(where, "an array of text blocks", content)
    return "\n".join([*lines, *(text(item, f"{where}[{at}]") for at, item in enumerate(content))])


def _no_citations(value: object, where: str) -> None:
    if value is not None and members(value, where, "enabled").get("enabled"):
        raise InvalidArgument(
            f"'{where}.enabled': models here do not cite", param=f"{where}.enabled"
        )


def _members(block: object, where: str, *known: str) -> dict[str, Any]:
    given = members(block, where, "type", "cache_control", *known)
    cache_control(given.get("cache_control"), f"{where}.cache_control")
    return given


def cache_control(value: object, where: str) -> None:
    """Check that a `cache_control` is one; it changes nothing."""
    if not isinstance(value, dict | None):
        raise wrong(where, "an object", value)


def unknown(block: object, where: str, expected: str) -> InvalidArgument:
    """The error for a block that has no place there, or that nobody knows."""
    kind = kind_of(block, where)[:60]
    return InvalidArgument(f"'{where}.type': {expected}, got {kind!r}", param=f"{where}.type")
