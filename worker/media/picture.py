"""How large an image becomes when it is decoded, from its header alone. Pure.

The decoder behind mtmd (stb_image) allocates what a header asks for, and inflates all that a PNG
holds. So what a file of some kilobytes can make of itself is known here before it is decoded: the
headers are read as that decoder reads them, and what it would read otherwise is refused.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

# More than the largest cameras have; some 600 MB while the image is decoded.
MOST_PIXELS = 50_000_000
# A model sees nothing in a longer strip, and some preprocessing divides by its width.
MOST_ASPECT = 200
# deflate makes no more of a byte.
_DEFLATE = 1032
# Inflated at a time.
_STEP = 1 << 20

_PNG = b"\x89PNG\r\n\x1a\n"
# Samples of a pixel, by PNG's colour type.
_PNG_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# JPEG's segments: the frames that are read, and those that may precede one.
_JPEG_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
_JPEG_SEGMENTS = frozenset({*range(0xE0, 0xF0), 0xFE, 0xDB, 0xC4, 0xDD})


class Unreadable(Exception):
    """The file is damaged or not for us; the message says how, as the end of a sentence."""


@dataclass(frozen=True, slots=True)
class Size:
    """In pixels."""

    width: int
    height: int


def check(data: bytes) -> Size:
    """The size of a JPEG, PNG, GIF or BMP that is safe to decode; raises `Unreadable`."""
    try:
        size = _reader(data)(data)
    except (struct.error, IndexError) as error:
        raise Unreadable("the file ends in the middle of its header") from error
    width, height = size.width, size.height
    if width < 1 or height < 1:
        raise Unreadable(f"it has no pixels: {width} x {height}")
    if width * height > MOST_PIXELS:
        raise Unreadable(
            f"{width} x {height} pixels are more than the {MOST_PIXELS:,} that are read"
        )
    if max(width, height) > MOST_ASPECT * min(width, height):
        raise Unreadable(
            f"{width} x {height} pixels are a strip; at most {MOST_ASPECT} to 1 is read"
        )
    if data.startswith(_PNG):
        _check_inflated(data, size)
    return size


def _reader(data: bytes) -> Callable[[bytes], Size]:
    for beginning, read in _READERS:
        if data.startswith(beginning):
            return read
    raise Unreadable("it is no JPEG, PNG, GIF or BMP")


def _png(data: bytes) -> Size:
    if data[12:16] != b"IHDR":
        raise Unreadable("its first chunk is not the header")
    width, height, _, _ = struct.unpack_from(">IIBB", data, 16)
    return Size(width, height)


def _gif(data: bytes) -> Size:
    return Size(*struct.unpack_from("<HH", data, 6))


def _bmp(data: bytes) -> Size:
    header: int = struct.unpack_from("<I", data, 14)[0]
    if header == 12:
        return Size(*struct.unpack_from("<HH", data, 18))
    width, height = struct.unpack_from("<ii", data, 18)
    # A negative height is an image from top to bottom.
    return Size(abs(width), abs(height))


def _jpeg(data: bytes) -> Size:
    at = 2
    while True:
        at = data.find(b"\xff", at)
        if at < 0:
            raise Unreadable("it has no frame")
        while data[at] == 0xFF:
            at += 1
        marker, at = data[at], at + 1
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 3)
            return Size(width, height)
        if marker not in _JPEG_SEGMENTS:
            raise Unreadable(f"it is a JPEG of a kind that is not read (marker {marker:02x})")
        at += max(2, struct.unpack_from(">H", data, at)[0])


_READERS: tuple[tuple[bytes, Callable[[bytes], Size]], ...] = (
    (b"\xff\xd8\xff", _jpeg),
    (_PNG, _png),
    (b"GIF8", _gif),
    (b"BM", _bmp),
)


def _check_inflated(data: bytes, size: Size) -> None:
    """Refuse a PNG whose compressed data is more than its pixels: all of it would be inflated."""
    depth, colour = data[24], data[25]
    samples = _PNG_SAMPLES.get(colour, 4)
    # A byte for each row's filter; interlaced images have seven passes of rows.
    wanted = size.height * (size.width * samples * depth // 8 + 2) * 2 + 4096
    parts = list(_image_data(data))
    if sum(len(part) for part in parts) * _DEFLATE <= wanted:
        return
    inflate = zlib.decompressobj()
    try:
        for part in parts:
            rest: bytes | memoryview = part
            while rest:
                wanted -= len(inflate.decompress(rest, _STEP))
                if wanted < 0:
                    raise Unreadable("its data inflates to more than its pixels")
                rest = inflate.unconsumed_tail
    except zlib.error as error:
        raise Unreadable("its data is damaged") from error


def _image_data(data: bytes) -> Iterator[memoryview]:
    view = memoryview(data)
    at = len(_PNG)
    while at + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        if name == b"IDAT":
            yield view[at + 8 : at + 8 + length]
        at += 12 + length
