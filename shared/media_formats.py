"""Which format a file is in, told from its first bytes and never from what its sender calls it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MediaKind = Literal["image", "audio"]

# What a model's projector can be given, for messages.
READABLE = {
    "image": "JPEG, PNG, GIF or BMP",
    "audio": "WAV, MP3 or FLAC",
}


@dataclass(frozen=True, slots=True)
class Format:
    """A file format. `kind` is None for those that are recognised only to be refused by name."""

    name: str
    kind: MediaKind | None


# By how files begin. The readable ones are what mtmd decodes.
_BEGINNINGS: tuple[tuple[bytes, Format], ...] = (
    (b"\xff\xd8\xff", Format("JPEG", "image")),
    (b"\x89PNG\r\n\x1a\n", Format("PNG", "image")),
    (b"GIF87a", Format("GIF", "image")),
    (b"GIF89a", Format("GIF", "image")),
    (b"BM", Format("BMP", "image")),
    (b"ID3", Format("MP3", "audio")),
    (b"fLaC", Format("FLAC", "audio")),
    (b"OggS", Format("Ogg", None)),
    (b"%PDF", Format("PDF", None)),
    (b"II*\0", Format("TIFF", None)),
    (b"MM\0*", Format("TIFF", None)),
    (b"\x1aE\xdf\xa3", Format("WebM or Matroska", None)),
    (b"<svg", Format("SVG", None)),
    (b"<?xml", Format("XML", None)),
)
# By the four bytes behind `RIFF` and a length.
_RIFF = {
    b"WAVE": Format("WAV", "audio"),
    b"WEBP": Format("WebP", None),
    b"AVI ": Format("AVI", None),
}
_MP3 = Format("MP3", "audio")
_AAC = Format("AAC", None)
# MP4, M4A, MOV, HEIC and AVIF are all this box.
_ISO_MEDIA = Format("MP4, M4A, HEIC or AVIF", None)


def sniff(data: bytes) -> Format | None:
    """The format of the file that begins with `data`; None when it is none of those known."""
    if data[:4] == b"RIFF":
        return _RIFF.get(data[8:12])
    if data[4:8] == b"ftyp":
        return _ISO_MEDIA
    for beginning, found in _BEGINNINGS:
        if data.startswith(beginning):
            return found
    return _mpeg_frame(data[:4])


def _mpeg_frame(header: bytes) -> Format | None:
    """MP3 without a tag begins with a frame: eleven set bits, then fields with forbidden values."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, header[1] >> 1 & 3
    bitrate, rate = header[2] >> 4, header[2] >> 2 & 3
    if layer == 0:
        return _AAC if header[1] & 0xF0 == 0xF0 else None
    return None if version == 1 or bitrate == 15 or rate == 3 else _MP3
