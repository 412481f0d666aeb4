"""The content of a chat message: a text, or an array of OpenAI's content parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kronk.gateway.dialects.fields import kind, members, string, wrong
from kronk.gateway.dialects.media import MediaCollector, Part, content_of, text_part
from kronk.shared.errors import InvalidArgument

# Which roles may have which parts. OpenAI's tools answer in text only; here they may show things.
_PARTS = {
    "system": ("text",),
    "developer": ("text",),
    "user": ("text", "image_url", "input_audio"),
    "assistant": ("text", "refusal"),
    "tool": ("text", "image_url", "input_audio"),
}
_DETAILS = ("auto", "low", "high", "original")
_AUDIO_FORMATS = ("wav", "mp3", "flac")
_BREAKPOINT = "prompt_cache_breakpoint"
# Anthropic's word for the same, which programs for many vendors send to all of them.
_CACHE_CONTROL = "cache_control"
_TTLS = ("30m", "12h")
# OpenAI's and others', each with what to do instead.
_NOT_TAKEN = {
    "file": "files are not supported by this version of Kronk; send their text, or an image of it",
    "input_file": "files are not supported by this version of Kronk; send their text",
    "video_url": "video is not supported by this version of Kronk; send frames as images",
    "video": "video is not supported by this version of Kronk; send frames as images",
    "audio_url": "send the recording itself as 'input_audio'",
}


def _object(required: list[str], **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": required,
        "additionalProperties": False,
        "properties": properties,
    }


_BREAKPOINT_SCHEMA = _object(["mode"], mode={"const": "explicit"}, ttl={"enum": [*_TTLS, None]})
_MARKS = {
    _BREAKPOINT: {"anyOf": [_BREAKPOINT_SCHEMA, {"type": "null"}]},
    _CACHE_CONTROL: {"type": ["object", "null"]},
}
_PART_SCHEMAS = {
    "text": _object(
        ["type", "text"],
        type={"const": "text"},
        text={"type": "string"},
        **_MARKS,
    ),
    "refusal": _object(["type", "refusal"], type={"const": "refusal"}, refusal={"type": "string"}),
    "image_url": _object(
        ["type", "image_url"],
        type={"const": "image_url"},
        image_url=_object(
            ["url"],
            url={
                "type": "string",
                "pattern": "^(data:image/|https?://)",
                "description": "A data URL in base64, or an http(s) URL where "
                "the server's settings allow those.",
            },
            detail={"enum": [*_DETAILS, None]},
        ),
        **_MARKS,
    ),
    "input_audio": _object(
        ["type", "input_audio"],
        type={"const": "input_audio"},
        input_audio=_object(
            ["data", "format"],
            data={"type": "string", "contentEncoding": "base64", "minLength": 4},
            format={"enum": list(_AUDIO_FORMATS)},
        ),
        **_MARKS,
    ),
}


def schema(role: str) -> dict[str, Any]:
    """The JSON schema of a content in messages of that role."""
    parts = [_PART_SCHEMAS[name] for name in _PARTS[role]]
    return {"anyOf": [{"type": "string"}, {"type": "array", "items": {"anyOf": parts}}]}


def content(
    value: str | list[Any], role: str, where: str, media: MediaCollector
) -> str | list[Part]:
    """The content for the wire; what it shows or plays goes to `media`."""
    if isinstance(value, list):
        parts = [_part(item, role, f"{where}[{at}]", media) for at, item in enumerate(value)]
        return content_of(parts)
    found = media.detect(value, where) if role == "user" else None
    return value if found is None else [found]


def _part(value: object, role: str, where: str, media: MediaCollector) -> Part:
    if not isinstance(value, dict):
        raise wrong(where, "an object", value)
    name = value.get("type")
    if not isinstance(name, str):
        raise wrong(f"{where}.type", "a string", name)
    if name not in _PARTS[role]:
        raise _not_taken(name, role, where)
    marks = () if name == "refusal" else (_BREAKPOINT, _CACHE_CONTROL)
    part = members(value, where, "type", name, *marks)
    if not isinstance(part.get(_CACHE_CONTROL), dict | None):
        raise wrong(f"{where}.{_CACHE_CONTROL}", "an object", part[_CACHE_CONTROL])
    if part.get(_BREAKPOINT) is not None:
        check_breakpoint(part[_BREAKPOINT], f"{where}.{_BREAKPOINT}")
    return _READERS[name](part.get(name), f"{where}.{name}", media)


def _not_taken(name: str, role: str, where: str) -> InvalidArgument:
    param = f"{where}.type"
    if name in _NOT_TAKEN:
        return InvalidArgument(f"'{param}': {_NOT_TAKEN[name]}", param=param)
    known = sorted({known for names in _PARTS.values() for known in names})
    if name in known:
        roles = [of for of, names in _PARTS.items() if name in names]
        return InvalidArgument(
            f"'{param}': parts of type {name!r} are for messages of role {' or '.join(roles)}, "
            f"not {role}",
            param=param,
        )
    return InvalidArgument(
        f"'{param}': expected one of {', '.join(_PARTS[role])}, got {name[:40]!r}", param=param
    )


def check_breakpoint(value: object, where: str) -> None:
    """`prompt_cache_breakpoint` of a part."""
    # Where a cached prefix may end is found without being told; it changes no answer.
    given = members(value, where, "mode", "ttl")
    if given.get("mode") != "explicit":
        raise InvalidArgument(f"'{where}.mode': expected 'explicit'", param=f"{where}.mode")
    one_of(given.get("ttl"), _TTLS, f"{where}.ttl")


def _text(value: object, where: str, _: MediaCollector) -> Part:
    return text_part(string(value, where))


def _image(value: object, where: str, media: MediaCollector) -> Part:
    given = members(value, where, "url", "detail")
    # Taken and not acted on: the projector decides how much of an image the model sees.
    one_of(given.get("detail"), _DETAILS, f"{where}.detail")
    return media.image_url(given.get("url"), f"{where}.url")


def _audio(value: object, where: str, media: MediaCollector) -> Part:
    given = members(value, where, "data", "format")
    # The file itself says what it is.
    one_of(given.get("format"), _AUDIO_FORMATS, f"{where}.format")
    return media.audio_base64(given.get("data"), f"{where}.data")


def one_of(value: object, choices: tuple[str, ...], where: str) -> None:
    """Refuse what is neither null nor one of these."""
    if value is not None and value not in choices:
        got = repr(value[:40]) if isinstance(value, str) else kind(value)
        raise InvalidArgument(
            f"Invalid value for '{where}': expected one of {', '.join(choices)}, got {got}",
            param=where,
        )


_READERS: dict[str, Callable[[object, str, MediaCollector], Part]] = {
    "text": _text,
    "refusal": _text,
    "image_url": _image,
    "input_audio": _audio,
}
