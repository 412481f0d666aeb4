"""The content parts of items: checked, and with nothing in them but what is kept."""

from __future__ import annotations

from typing import Any

from kronk.gateway.dialects.fields import NOT_SUPPORTED, members, string, wrong
from kronk.gateway.dialects.openai.content import check_breakpoint, one_of
from kronk.shared.errors import InvalidArgument

Part = dict[str, Any]

_BREAKPOINT = "prompt_cache_breakpoint"
_TEXTS = ("input_text",)
_SHOWN = ("input_text", "input_image", "input_audio")
# What each role may say. Assistants' own words are `output_text`; some clients send `input_text`.
_BY_ROLE = {
    "user": _SHOWN,
    "system": _TEXTS,
    "developer": _TEXTS,
    "assistant": ("output_text", "refusal", "input_text"),
}
_DETAILS = ("auto", "low", "high", "original")
_AUDIO_FORMATS = ("wav", "mp3", "flac")


def message_parts(value: object, role: str, where: str) -> list[Part]:
    """The content of a message, which may be a string."""
    if isinstance(value, str):
        return [
            output_text(value) if role == "assistant" else {"type": "input_text", "text": value}
        ]
    return [
        _part(item, _BY_ROLE[role], role, f"{where}[{at}]") for at, item in _listed(value, where)
    ]


def output_parts(value: object, where: str) -> list[Part]:
    """What a function returned, where it is not a string."""
    return [_part(item, _SHOWN, "user", f"{where}[{at}]") for at, item in _listed(value, where)]


def texts(value: object, name: str, where: str) -> list[Part]:
    """A list of texts that are all of one type."""
    found = []
    for at, item in _listed(value, where):
        given = members(item, f"{where}[{at}]", "type", "text")
        if given.get("type") != name:
            raise InvalidArgument(
                f"'{where}[{at}].type': expected {name!r}", param=f"{where}[{at}].type"
            )
        found.append({"type": name, "text": string(given.get("text"), f"{where}[{at}].text")})
    return found


def output_text(text: str, logprobs: list[Any] | None = None) -> Part:
    """What an assistant said."""
    return {"type": "output_text", "annotations": [], "logprobs": logprobs or [], "text": text}


def _listed(value: object, where: str) -> list[tuple[int, Any]]:
    if not isinstance(value, list):
        raise wrong(where, "a string or an array of content parts", value)
    return list(enumerate(value))


def _part(value: object, allowed: tuple[str, ...], role: str, where: str) -> Part:
    if not isinstance(value, dict):
        raise wrong(where, "an object", value)
    part = {key: member for key, member in value.items() if member is not None}
    name = part.get("type")
    if not isinstance(name, str):
        raise wrong(f"{where}.type", "a string", name)
    if name == "input_file":
        raise InvalidArgument(
            f"'{where}.type': files are {NOT_SUPPORTED}; send their text", param=f"{where}.type"
        )
    if name not in allowed:
        raise InvalidArgument(
            f"'{where}.type': expected one of {', '.join(allowed)}, got {name[:40]!r}",
            param=f"{where}.type",
        )
    if _BREAKPOINT in part:
        check_breakpoint(part[_BREAKPOINT], f"{where}.{_BREAKPOINT}")
    match name:
        case "input_image":
            return _image(part, where)
        case "input_audio":
            return _audio(part, where)
        case "refusal":
            given = members(part, where, "type", "refusal")
            return {"type": name, "refusal": string(given.get("refusal"), f"{where}.refusal")}
    # What an answer's text came with says nothing to the model.
    known = ("annotations", "logprobs") if name == "output_text" else (_BREAKPOINT,)
    text = string(members(part, where, "type", "text", *known).get("text"), f"{where}.text")
    return output_text(text) if role == "assistant" else {"type": name, "text": text}


def _image(part: Part, where: str) -> Part:
    given = members(part, where, "type", "image_url", "detail", "file_id", _BREAKPOINT)
    if "file_id" in given:
        raise InvalidArgument(
            f"'{where}.file_id': images by the id of a file are {NOT_SUPPORTED}; send a data URL "
            "as 'image_url'",
            param=f"{where}.file_id",
        )
    one_of(given.get("detail"), _DETAILS, f"{where}.detail")
    return {
        "type": "input_image",
        "image_url": string(given.get("image_url"), f"{where}.image_url"),
        "detail": given.get("detail", "auto"),
    }


def _audio(part: Part, where: str) -> Part:
    where, given = f"{where}.input_audio", members(part, where, "type", "input_audio", _BREAKPOINT)
    inner = members(given.get("input_audio"), where, "data", "format")
    one_of(inner.get("format"), _AUDIO_FORMATS, f"{where}.format")
    audio = {"data": string(inner.get("data"), f"{where}.data")}
    if "format" in inner:
        audio["format"] = inner["format"]
    return {"type": "input_audio", "input_audio": audio}
