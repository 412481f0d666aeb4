"""Bytes of small media files, written here so that every byte is known."""

from __future__ import annotations

import base64
import math
import struct
import zlib


def png(red: int, green: int, blue: int, size: int = 48) -> bytes:
    """A square image of one colour."""
    row = b"\0" + bytes((red, green, blue)) * size
    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", header),
            _chunk(b"IDAT", zlib.compress(row * size)),
            _chunk(b"IEND", b""),
        )
    )


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def wav(hertz: float, seconds: float = 1.0, rate: int = 16_000) -> bytes:
    """A sine tone, or silence at 0 Hz, mono with 16 bits."""
    count = int(seconds * rate)
    step = 2 * math.pi * hertz / rate
    samples = [round(12_000 * math.sin(step * at)) for at in range(count)]
    data = struct.pack(f"<{count}h", *samples)
    form = struct.pack("<HHIIHH", 1, 1, rate, 2 * rate, 2, 16)
    body = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", len(data))
    return b"RIFF" + struct.pack("<I", len(body) + len(data)) + body + data


# A black pixel: the shortest of its kind that decoders take.
GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
# What files of other formats begin with; not whole files.
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\0" + bytes(32)
BMP = b"BM" + bytes(52)
FLAC = b"fLaC" + bytes(38)
MP3_TAGGED = b"ID3\x04" + bytes(32)
MP3_BARE = b"\xff\xfb\x90\x64" + bytes(32)
WEBP = b"RIFF\x1a\0\0\0WEBPVP8L" + bytes(16)


def text(data: bytes) -> str:
    """Base64."""
    return base64.b64encode(data).decode()


def data_url(data: bytes, media_type: str = "image/png") -> str:
    """The data URL of a file."""
    return f"data:{media_type};base64,{text(data)}"
