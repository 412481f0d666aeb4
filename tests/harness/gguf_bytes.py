"""GGUF's bytes, as far as the models that tests write need them."""

from __future__ import annotations

import struct

# Types of values.
UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_ALIGNMENT = 32


def end_of_value(data: bytes, at: int) -> int:
    """Where a value ends that begins, with its type, at `at`."""
    (kind,) = struct.unpack_from("<I", data, at)
    at += 4
    if kind == STRING:
        return at + 8 + int(struct.unpack_from("<Q", data, at)[0])
    if kind != ARRAY:
        return at + _SIZES[kind]
    kind, count = struct.unpack_from("<IQ", data, at)
    at += 12
    if kind != STRING:
        return at + count * _SIZES[kind]
    for _ in range(count):
        at += 8 + int(struct.unpack_from("<Q", data, at)[0])
    return at


def entry(name: str, kind: int, value: bytes) -> bytes:
    """A key with its value, whose bytes are given."""
    return string(name) + struct.pack("<I", kind) + value


def string(text: str) -> bytes:
    """A text with its length before it."""
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def padded(size: int) -> int:
    """Bytes that data of this size takes up."""
    return -(-size // _ALIGNMENT) * _ALIGNMENT
