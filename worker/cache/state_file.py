"""The file of one saved state: a head that can be trusted by itself, then the state. Pure.

    magic, version, lengths, floor, fingerprint, digest of the payload
    the tokens, 4 bytes each
    digest of all the above
    the payload: what llama.cpp saved

Listing a folder reads the heads only. The payload's digest is checked when it is used.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from .match import Tokens
from .memory import State

# Changes whenever a file of before must not be read; `fingerprint` has it too.
VERSION = 1
_MAGIC = b"KRONK-KV"
# Magic, version, tokens, floor, bytes of the payload, fingerprint, payload's digest.
_HEAD = struct.Struct("<8sIIIQ16s32s")
_DIGEST = 32
# Longest contexts have some millions of tokens: a head that claims more is damaged.
_MOST_TOKENS = 2**28


class Damaged(Exception):
    """The file is not what was written; the message says where. Remove it."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a file says of itself before its payload."""

    fingerprint: bytes
    tokens: Tokens
    floor: int
    payload_size: int
    payload_digest: bytes

    @property
    def file_size(self) -> int:
        """Bytes of the whole file."""
        return _HEAD.size + 4 * self.tokens.size + _DIGEST + self.payload_size


def head_of(fingerprint: str, tokens: Tokens, state: State) -> Head:
    """The head for a state that is about to be written. Reads all of the state."""
    digest = hashlib.sha256(state.data.data).digest()
    return Head(bytes.fromhex(fingerprint), tokens, state.floor, state.data.size, digest)


def encode(head: Head) -> bytes:
    """What stands before the payload."""
    fixed = _HEAD.pack(
        _MAGIC,
        VERSION,
        head.tokens.size,
        head.floor,
        head.payload_size,
        head.fingerprint,
        head.payload_digest,
    )
    data = fixed + head.tokens.astype("<i4").tobytes()
    return data + hashlib.sha256(data).digest()


def read_head(file: BinaryIO, size: int) -> Head:
    """The head of a file of `size` bytes; leaves the file at its payload. Raises `Damaged`."""
    fixed = _take(file, _HEAD.size)
    magic, version, count, floor, payload, fingerprint, digest = _HEAD.unpack(fixed)
    if magic != _MAGIC or version != VERSION:
        raise Damaged("not a state of this version")
    if count > _MOST_TOKENS or _HEAD.size + 4 * count + _DIGEST + payload != size:
        raise Damaged(f"its head and its size of {size} bytes disagree")
    tokens = _take(file, 4 * count)
    if _take(file, _DIGEST) != hashlib.sha256(fixed + tokens).digest():
        raise Damaged("its head was changed")
    return Head(fingerprint, np.frombuffer(tokens, "<i4").astype(np.int32), floor, payload, digest)


def read_state(file: BinaryIO, head: Head) -> State:
    """The payload behind a head. Raises `Damaged`."""
    data = np.empty(head.payload_size, np.uint8)
    if file.readinto(data) != data.size:  # type: ignore[attr-defined]
        raise Damaged("it became shorter")
    if hashlib.sha256(data.data).digest() != head.payload_digest:
        raise Damaged("its state was changed")
    return State(data, head.tokens.size, head.floor)


def _take(file: BinaryIO, count: int) -> bytes:
    data = file.read(count)
    if len(data) != count:
        raise Damaged("it ends in its head")
    return data
