"""How long a recording becomes when it is decoded, without decoding it. Pure.

The decoder behind mtmd (miniaudio) makes samples at the model's own rate of all that is there. A
file that claims one sample a second becomes sixteen thousand times as many; so rates and lengths
are read here first, as that decoder reads them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from .picture import Unreadable

# An hour is 230 MB of samples, and more tokens than any model reads well.
MOST_SECONDS = 3600.0
# Preprocessing looks at windows of some hundred samples, and reads past the end of less.
LEAST_SECONDS = 0.1
# Bytes that could begin an MP3 frame and do not. A tag with a picture has some thousands of them.
_MOST_MISTAKES = 20_000

# kbit/s by MPEG version (1, or 2 and 2.5) and layer (1 to 3); 0 is "free", which is refused.
_BITRATES = {
    (1, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = (44_100, 48_000, 32_000)
# What two bits of a frame say: the rates' divisor, by MPEG version.
_DIVISORS = {3: 1, 2: 2, 0: 4}


def check(data: bytes) -> float:
    """The seconds of a WAV, MP3 or FLAC that is safe to decode; raises `Unreadable`."""
    try:
        seconds = _reader(data)(data)
    except struct.error as error:
        raise Unreadable("the file ends in the middle of its header") from error
    if seconds > MOST_SECONDS:
        raise Unreadable(
            f"it lasts {seconds:,.0f} seconds; {MOST_SECONDS:,.0f} are read at the most"
        )
    if seconds < LEAST_SECONDS:
        raise Unreadable(f"it lasts {seconds:.3f} seconds; {LEAST_SECONDS} are the least")
    return seconds


def _reader(data: bytes) -> Callable[[bytes], float]:
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return _wav
    if data[:4] == b"fLaC":
        return _flac
    if data[:3] == b"ID3" or data[:1] == b"\xff":
        return _mp3
    raise Unreadable("it is no WAV, MP3 or FLAC")


def _wav(data: bytes) -> float:
    form: tuple[int, int, int, int] | None = None
    at = 12
    while at + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, at)
        at += 8
        if name == b"fmt ":
            if form is not None:
                raise Unreadable("it says twice what it is")
            _, channels, rate, _, block, bits = struct.unpack_from("<HHIIHH", data, at)
            form = channels, rate, block, bits
        elif name == b"data":
            if form is None:
                raise Unreadable("its samples come before it says what they are")
            return _samples(min(length, len(data) - at), *form)
        at += length + length % 2
    raise Unreadable("it has no samples")


def _samples(size: int, channels: int, rate: int, block: int, bits: int) -> float:
    """Seconds of so many bytes."""
    if not channels or not rate or not block or not bits:
        raise Unreadable(f"it has {channels} channels of {bits} bits, {rate} times a second")
    # Compressed ones count in bits, uncompressed ones in blocks.
    return max(size * 8 / (bits * channels), size / block) / rate


def _flac(data: bytes) -> float:
    if data[4] & 0x7F or len(data) < 42:
        raise Unreadable("its first block does not say what it is")
    packed = int.from_bytes(data[18:26], "big")
    rate, total = packed >> 44, packed & (2**36 - 1)
    if not rate or not total:
        raise Unreadable("it does not say how long it is")
    return total / rate


def _mp3(data: bytes) -> float:
    return sum(_frames(data))


def _frames(data: bytes) -> Iterator[float]:
    """The seconds of each frame."""
    at = _after_tag(data)
    mistakes = 0
    while (at := data.find(b"\xff", at)) >= 0:
        frame = _frame(data[at : at + 4])
        if frame is None:
            mistakes, at = mistakes + 1, at + 1
        else:
            yield frame[1]
            at += frame[0]
        if mistakes > _MOST_MISTAKES:
            raise Unreadable("it is mostly no MP3")


def _after_tag(data: bytes) -> int:
    """Where an ID3v2 tag ends: its size has seven bits a byte."""
    if data[:3] != b"ID3" or len(data) < 10:
        return 0
    size = 0
    for byte in data[6:10]:
        size = size << 7 | byte & 0x7F
    return size + 10


def _frame(header: bytes) -> tuple[int, float] | None:
    """Bytes and seconds of a frame; None where this is no header of one."""
    if len(header) < 4 or header[1] & 0xE0 != 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    bitrate, rate, padding = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1
    if version == 1 or layer == 4 or bitrate in (0, 15) or rate == 3:
        return None
    is_first = version == 3
    bits = _BITRATES[1 if is_first else 2, layer][bitrate] * 1000
    hertz = _RATES[rate] // _DIVISORS[version]
    samples = 384 if layer == 1 else 576 if layer == 3 and not is_first else 1152
    size = samples // 8 * bits // hertz
    slot = 4 if layer == 1 else 1
    return (size // slot * slot + padding * slot), samples / hertz
