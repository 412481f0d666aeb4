"""What a file would become is known before it is decoded."""

from __future__ import annotations

import struct
import zlib

import pytest

from harness.media_files import GIF, png, wav
from kronk.worker.media import picture, sound
from kronk.worker.media.picture import Size, Unreadable


def png_of(
    width: int,
    height: int,
    data: bytes = b"",
    depth: int = 8,
    colour: int = 2,
    first: bytes = b"IHDR",
) -> bytes:
    """A PNG whose header says that, and whose image data is that."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = [(first, header), (b"IDAT", data), (b"IEND", b"")]
    body = [
        struct.pack(">I", len(part)) + name + part + struct.pack(">I", zlib.crc32(name + part))
        for name, part in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def jpeg(*segments: tuple[int, bytes]) -> bytes:
    """Markers with what follows them; a length is written for each."""
    body = [struct.pack(">BBH", 0xFF, mark, len(data) + 2) + data for mark, data in segments]
    return b"\xff\xd8" + b"".join(body)


def frame(width: int, height: int) -> bytes:
    return struct.pack(">BHHB", 8, height, width, 3) + bytes(9)


def bmp(width: int, height: int) -> bytes:
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, 54) + struct.pack("<Iii", 40, width, height)


@pytest.mark.parametrize(
    ("file", "size"),
    [
        (png(1, 2, 3, size=48), Size(48, 48)),
        (png(1, 2, 3, size=1), Size(1, 1)),
        (GIF, Size(1, 1)),
        (bmp(640, 480), Size(640, 480)),
        (bmp(640, -480), Size(640, 480)),
        (b"BM" + struct.pack("<IHHI", 0, 0, 0, 26) + struct.pack("<IHH", 12, 7, 5), Size(7, 5)),
        (jpeg((0xE0, b"JFIF\0"), (0xC0, frame(320, 200))), Size(320, 200)),
        (jpeg((0xE1, bytes(60)), (0xDB, bytes(65)), (0xC2, frame(9, 8))), Size(9, 8)),
        # Some files have padding between their segments.
        (jpeg((0xE0, b"JFIF")) + b"\0\0\xff" + jpeg((0xC0, frame(3, 4)))[2:], Size(3, 4)),
        # A thumbnail within a segment is no frame.
        (jpeg((0xE1, jpeg((0xC0, frame(9999, 9999)))), (0xC0, frame(3, 4))), Size(3, 4)),
        (png_of(7000, 7000), Size(7000, 7000)),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else None,
)
def test_sizes_are_read_from_headers(file: bytes, size: Size) -> None:
    assert picture.check(file) == size


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (b"", "no JPEG"),
        (b"RIFF", "no JPEG"),
        (png_of(10, 10)[:18], "ends in the middle"),
        (png_of(10, 10)[:25], "ends in the middle"),
        (png_of(10, 10, first=b"CgBI"), "first chunk"),
        (png_of(0, 10), "no pixels: 0 x 10"),
        (png_of(60_000, 60_000), "60000 x 60000 pixels are more than the 50,000,000"),
        (png_of(10_000, 10), "a strip"),
        (png_of(2**32 - 1, 2**32 - 1), "more than"),
        (GIF[:7], "ends in the middle"),
        (b"GIF89a" + struct.pack("<HH", 65_535, 65_535), "more than"),
        (bmp(-(2**31), 2**31 - 1), "more than"),
        (b"\xff\xd8\xff", "ends in the middle"),
        (b"\xff\xd8\xff" + bytes(40), "marker 00"),
        (jpeg((0xE0, b"")), "no frame"),
        (jpeg((0xC0, frame(65_535, 65_535))), "more than"),
        (jpeg((0xC9, frame(10, 10))), "marker c9"),
        (jpeg((0xC0, b"\x08")), "ends in the middle"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else None,
)
def test_images_that_are_not_safe_are_refused(file: bytes, words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        picture.check(file)


def test_a_small_image_does_not_inflate_to_a_large_one() -> None:
    bomb = zlib.compress(bytes(50 << 20), 9)
    assert len(bomb) < 60_000
    with pytest.raises(Unreadable, match="inflates to more"):
        picture.check(png_of(16, 16, bomb))
    # As much as the pixels are is right, however well they were compressed.
    assert picture.check(png_of(4000, 4000, zlib.compress(bytes(4000 * 12001), 9)))
    with pytest.raises(Unreadable, match="damaged"):
        picture.check(png_of(16, 16, bytes(range(256)) * 200))


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(name + struct.pack("<I", len(data)) + data for name, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WAVE" + body


def form(rate: int, channels: int = 1, bits: int = 16, block: int = 2, tag: int = 1) -> bytes:
    return struct.pack("<HHIIHH", tag, channels, rate, rate * block, block, bits)


def flac(rate: int, samples: int) -> bytes:
    packed = rate << 44 | 15 << 36 | samples
    return b"fLaC\0\0\0\x22" + bytes(10) + packed.to_bytes(8, "big") + bytes(16)


# 128 kbit/s at 44.1 kHz: 417 bytes, 1,152 samples.
MP3_FRAME = b"\xff\xfb\x90\x00" + bytes(413)


@pytest.mark.parametrize(
    ("file", "seconds"),
    [
        (wav(200, 1.5), 1.5),
        (riff((b"fmt ", form(8000)), (b"LIST", bytes(9) + b"\0"), (b"data", bytes(16_000))), 1.0),
        (riff((b"fmt ", form(8000, 2, 16, 4)), (b"data", bytes(32_000))), 1.0),
        (riff((b"fmt ", form(8000, 1, 4, 256, 17)), (b"data", bytes(4_000))), 1.0),
        # What the file does not have is not read.
        (riff((b"fmt ", form(8000)), (b"data", bytes(16_000)))[:-8000], 0.5),
        (flac(48_000, 96_000), 2.0),
        (MP3_FRAME * 100, 100 * 1152 / 44_100),
        (b"ID3\x04\0\0\0\0\x02\x00" + b"\xff" * 256 + MP3_FRAME * 50, 50 * 1152 / 44_100),
        (MP3_FRAME * 20 + b"TAG" + bytes(125), 20 * 1152 / 44_100),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else None,
)
def test_lengths_are_read_from_headers(file: bytes, seconds: float) -> None:
    assert sound.check(file) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (b"", "no WAV"),
        (b"OggS", "no WAV"),
        (wav(200, 0.05), "lasts 0.050 seconds"),
        # One sample a second would become sixteen thousand.
        (riff((b"fmt ", form(1)), (b"data", bytes(200_000))), "lasts 100,000 seconds"),
        (riff((b"fmt ", form(0)), (b"data", bytes(200_000))), "0 times a second"),
        (riff((b"fmt ", form(8000, bits=0)), (b"data", bytes(2000))), "of 0 bits"),
        (riff((b"data", bytes(2000)), (b"fmt ", form(8000))), "come before"),
        (riff((b"fmt ", form(8000)), (b"fmt ", form(1)), (b"data", bytes(2000))), "says twice"),
        (riff((b"fmt ", form(8000))), "no samples"),
        (riff((b"fmt ", b"\0")), "ends in the middle"),
        # Blocks of one byte are so many samples.
        (riff((b"fmt ", form(8000, 1, 12, 1)), (b"data", bytes(40_000_000))), "lasts 5,000"),
        (flac(0, 96_000), "how long"),
        (flac(48_000, 0), "how long"),
        (flac(1, 48_000), "lasts 48,000"),
        (b"fLaC\x04" + bytes(60), "first block"),
        (b"ID3\x04\0\0\0\0\0\0" + bytes(1000), "lasts 0.000"),
        (b"\xff\xfb" + b"\xff" * 30_000, "mostly no MP3"),
        # 8 kbit/s: the most seconds that bytes can be.
        (b"\xff\xe3\x18\x00" + (bytes(68) + b"\xff\xe3\x18\x00") * 110_000, "lasts 7,920"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else None,
)
def test_recordings_that_are_not_safe_are_refused(file: bytes, words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        sound.check(file)
