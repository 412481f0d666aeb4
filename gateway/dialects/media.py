"""Images and recordings in requests: from what a dialect's field holds to the wire's `Media`.

How a dialect uses it. One `MediaCollector` for a request; each field that holds a file becomes a
part of its message's content, and the files are the prompt's:

    media = MediaCollector()
    parts = [text_part("What is this?"), media.image_url(url, "messages[0].content[1].image_url")]
    message = {"role": "user", "content": content_of(parts)}
    prompt = Prompt(messages=(message,), media=media.media)

The collector's methods, each of which returns the part and raises `InvalidArgument` that names
`where`, the request's field:

    image_url(url, where)           an image: data URL, http(s) URL or base64
    image_base64(data, where)       an image: base64 (Anthropic's `source.data`, Ollama's `images`)
    audio_base64(data, where)       a recording: base64
    file(data, kind, where)         either, as bytes
    detect(text, where)             what a text is that is nothing but a file in base64, or None

A file that an http(s) URL names is a `LinkedMedia` among `media`; the operation that runs the job
fetches it first, if the server's settings allow it. The dialect has nothing more to do.
"""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kronk.gateway.job import Job
from kronk.shared.errors import InvalidArgument
from kronk.shared.media_formats import READABLE, MediaKind, sniff
from kronk.shared.wire.values import Media

from .fields import string

Part = dict[str, Any]

# Each is a request to somebody else's server.
MOST_LINKS = 32
# Long enough for any address that is not itself a file.
_LONGEST_LINK = 8192

# How JPEG, PNG, GIF and WAV files begin in base64 (manual, 9.4).
_DETECTED = ("/9j/", "iVBORw0KGgo", "R0lGOD", "UklGR")
# Shorter than any file of these formats.
_SHORTEST_DETECTED = 32
# Decoded at a time: a call holds the interpreter's lock, and streams are waiting for it.
_PIECE = 2**18


@dataclass(frozen=True, slots=True)
class LinkedMedia(Media):
    """A file that is still where its URL says; `data` is empty until it is fetched."""

    url: str


def linked(jobs: Sequence[Job]) -> bool:
    """Whether there is anything to fetch."""
    return any(isinstance(media, LinkedMedia) for job in jobs for media in job.media)


class MediaCollector:
    """The files of one request, in the order of their parts."""

    def __init__(self) -> None:
        self._media: list[Media] = []
        self._links = 0

    @property
    def media(self) -> tuple[Media, ...]:
        """For `Prompt.media`."""
        return tuple(self._media)

    def image_url(self, url: object, where: str) -> Part:
        """The part for an image given as a data URL, an http(s) URL or plain base64."""
        text = string(url, where)
        scheme, colon, rest = text[:_LONGEST_LINK].partition(":")
        scheme = scheme.lower()
        if not colon:
            return self.image_base64(text, where)
        if scheme == "data":
            return self.file(_data_url(text, where), "image", where)
        if scheme in ("http", "https") and rest.startswith("//"):
            return self._link(text, "image", where)
        raise InvalidArgument(
            f"'{where}': expected a data URL (data:image/png;base64,...) or an http(s) URL, "
            f"got one with the scheme {scheme[:20]!r}",
            param=where,
        )

    def image_base64(self, data: object, where: str) -> Part:
        """The part for an image given as base64."""
        return self.file(decode_base64(string(data, where), where), "image", where)

    def audio_base64(self, data: object, where: str) -> Part:
        """The part for a recording given as base64."""
        return self.file(decode_base64(string(data, where), where), "audio", where)

    def file(self, data: bytes, kind: MediaKind, where: str) -> Part:
        """The part for a file's bytes, which must be in a format that is read."""
        check_format(data, kind, where)
        return self._add(Media(kind, data, where))

    def detect(self, text: str, where: str) -> Part | None:
        """The part for a text that is nothing but a JPEG, PNG, GIF or WAV file in base64."""
        text = text.strip() if text[:1].isspace() or text[-1:].isspace() else text
        if len(text) < _SHORTEST_DETECTED or not text.startswith(_DETECTED):
            return None
        try:
            data = decode_base64(text, where)
        except InvalidArgument:
            # Prose may begin like that too.
            return None
        found = sniff(data)
        return (
            None if found is None or not found.kind else self._add(Media(found.kind, data, where))
        )

    def _link(self, url: str, kind: MediaKind, where: str) -> Part:
        if len(url) > _LONGEST_LINK:
            raise InvalidArgument(
                f"'{where}': a URL may have {_LONGEST_LINK} characters at most", param=where
            )
        self._links += 1
        if self._links > MOST_LINKS:
            raise InvalidArgument(
                f"'{where}': a request may have {MOST_LINKS} files with http(s) URLs at most",
                param=where,
            )
        return self._add(LinkedMedia(kind, b"", where, url))

    def _add(self, media: Media) -> Part:
        self._media.append(media)
        return {"type": media.kind, "media": len(self._media) - 1}


def text_part(text: str) -> Part:
    """The part for a text."""
    return {"type": "text", "text": text}


def content_of(parts: Sequence[Part]) -> str | list[Part]:
    """A message's content as the wire has it: a string unless there is media among the parts."""
    if all(part["type"] == "text" for part in parts):
        # As llama.cpp joins them for templates that expect a string.
        return "\n".join([part["text"] for part in parts])
    return list(parts)


def decode_base64(text: str, where: str) -> bytes:
    """The bytes; line breaks are passed over, anything else that is not base64 is refused."""
    if "\n" in text or "\r" in text:
        text = text.replace("\r", "").replace("\n", "")
    if not text:
        raise InvalidArgument(f"'{where}': there is no data", param=where)
    try:
        # Padding that ends a piece would pass for the end of it all.
        if "=" in text[:-2]:
            raise binascii.Error("excess data after padding")
        pieces = [text[at : at + _PIECE] for at in range(0, len(text), _PIECE)]
        return b"".join([binascii.a2b_base64(piece, strict_mode=True) for piece in pieces])
    except ValueError as error:
        raise InvalidArgument(f"'{where}': not valid base64 ({error})", param=where) from error


def check_format(data: bytes, kind: MediaKind, where: str) -> None:
    """Refuse a file that is not a readable one of that kind."""
    if not data:
        raise InvalidArgument(f"'{where}': the file is empty", param=where)
    found = sniff(data)
    if found is not None and found.kind == kind:
        return
    got = f"the file is {found.name}" if found else "the file is none of them"
    raise InvalidArgument(f"'{where}': expected {READABLE[kind]}, but {got}", param=where)


def _data_url(url: str, where: str) -> bytes:
    # Nothing that precedes the comma is long.
    comma = url.find(",", 0, 1024)
    if comma < 0 or not url[:comma].lower().endswith(";base64"):
        raise InvalidArgument(
            f"'{where}': a data URL must be of the form data:image/png;base64,...", param=where
        )
    return decode_base64(url[comma + 1 :], where)
