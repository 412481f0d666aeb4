"""Reads the header of a GGUF file and believes nothing in it.

llama.cpp trusts more than it should, so a worker calls `check` before it hands the file over. Every
count and length is compared with what is left of the file before anything is read or allocated,
and totals are capped, so that a hostile file costs a fraction of a second and some megabytes.
Layout: magic, version, number of tensors, number of keys; the keys with their values; name, shape,
type and offset of each tensor; padding; the tensors' data.
"""

from __future__ import annotations

import math
import stat
import struct
from pathlib import Path
from typing import Any, BinaryIO

from kronk.shared.errors import InvalidArgument
from kronk.shared.gguf import (
    TENSOR_TYPES,
    Counted,
    Header,
    Tensor,
    Value,
    other_shards,
    special_tokens,
)

# The largest models have some 2,000 tensors and 100 keys; the largest vocabularies 300,000 strings.
MAX_TENSORS = 65_536
MAX_KEYS = 65_536
MAX_STRINGS = 4_000_000
MAX_HEADER = 512 * 2**20
MAX_STRING = 16 * 2**20
# llama.cpp's own limits: GGUF's key length, GGML_MAX_NAME with its NUL, GGML_MAX_DIMS.
MAX_KEY = 65_535
MAX_NAME = 63
MAX_DIMENSIONS = 4
# Longer arrays (vocabularies) are only counted; those per layer are far shorter.
KEPT_ARRAY = 4096

_CHUNK = 2**20
_TOKENS = "tokenizer.ggml.tokens"
# Of a text that stands for one token, in characters; special ones are short.
_LONGEST_TOKEN = 100
_MAX_INT64 = 2**63 - 1

_STRING, _ARRAY = 8, 9
# GGUF's value types by number: name and how struct reads one.
_SCALARS: dict[int, tuple[str, struct.Struct]] = {
    0: ("uint8", struct.Struct("<B")),
    1: ("int8", struct.Struct("<b")),
    2: ("uint16", struct.Struct("<H")),
    3: ("int16", struct.Struct("<h")),
    4: ("uint32", struct.Struct("<I")),
    5: ("int32", struct.Struct("<i")),
    6: ("float32", struct.Struct("<f")),
    7: ("bool", struct.Struct("<?")),
    10: ("uint64", struct.Struct("<Q")),
    11: ("int64", struct.Struct("<q")),
    12: ("float64", struct.Struct("<d")),
}
_U32 = _SCALARS[4][1]
_U64 = _SCALARS[10][1]


def check(path: Path) -> Header:
    """The header of a model file that llama.cpp may be given; all shards of a split one are read.

    `InvalidArgument` says precisely what is wrong.
    """
    header = read(path)
    if not isinstance(header.metadata.get("general.architecture"), str):
        raise InvalidArgument(f"{path.name}: general.architecture is missing: not a model")
    for shard in other_shards(path, header):
        read(shard)
    return header


def read(path: Path) -> Header:
    """One file's header, checked against the file's size."""
    try:
        facts = path.stat()
        # Opening a pipe would block for ever.
        if not stat.S_ISREG(facts.st_mode):
            raise InvalidArgument(f"{path.name}: not a regular file")
        with path.open("rb") as file:
            return parse(file, facts.st_size, path.name)
    except OSError as error:
        raise InvalidArgument(f"{path.name}: cannot be read: {error.strerror}") from error


def parse(file: BinaryIO, size: int, name: str) -> Header:
    """The header of an open file of that size; errors call it by this name."""
    return _header(_Reader(file, size, name))


class GoesOn(Exception):
    """The header is in order as far as it is there, and goes on. `needs` is the number of bytes,
    from the start of the file, without which the next value cannot be read."""

    def __init__(self, needs: int) -> None:
        super().__init__(needs)
        self.needs = needs


def parse_start(file: BinaryIO, size: int, name: str) -> Header:
    """The same of a file whose first bytes are in `file`, and which has `size` in all. `GoesOn`
    where those are too few; the table of tensors is checked against the whole file's size."""
    return _header(_Reader(file, size, name, is_whole=False))


class _Reader:
    """Takes values off the front of a file; `fail` builds the error of what it meets."""

    def __init__(self, file: BinaryIO, size: int, name: str, *, is_whole: bool = True) -> None:
        self._file = file
        self._is_whole = is_whole
        self._name = name
        self._buffer = b""
        self._at = 0  # in the buffer
        self._start = 0  # of the buffer, in the file
        self.size = size

    @property
    def position(self) -> int:
        return self._start + self._at

    @property
    def left(self) -> int:
        return self.size - self.position

    def fail(self, what: str) -> InvalidArgument:
        return InvalidArgument(f"{self._name}: {what}")

    def need(self, count: int, what: str) -> None:
        """Refuse what the file cannot hold, before anything is read or allocated for it."""
        if count > self.left:
            raise self.fail(
                f"the file ends at byte {self.size}; {what} at byte {self.position} "
                f"needs {count} bytes"
            )
        if self.position + count > MAX_HEADER:
            raise self.fail(f"the header is longer than {MAX_HEADER} bytes at {what}")

    def take(self, count: int, what: str) -> bytes:
        self._ahead(count, what)
        taken = self._buffer[self._at : self._at + count]
        self._at += count
        return taken

    def number(self, form: struct.Struct, what: str) -> Any:
        """One scalar; of what Python type, `form` says."""
        self._ahead(form.size, what)
        value = form.unpack_from(self._buffer, self._at)[0]
        self._at += form.size
        return value

    def _ahead(self, count: int, what: str) -> None:
        """Have the next `count` bytes in the buffer."""
        if self._at + count <= len(self._buffer):
            return
        self.need(count, what)
        self._start += self._at
        self._file.seek(self._start)
        self._buffer, self._at = self._file.read(max(count, _CHUNK)), 0
        if len(self._buffer) < count and not self._is_whole:
            raise GoesOn(self._start + count)
        if len(self._buffer) < count:
            raise self.fail("the file became shorter while it was read")

    def skip(self, count: int, what: str) -> None:
        self.need(count, what)
        self._at += count
        if self._at > len(self._buffer):
            self._start, self._at, self._buffer = self.position, 0, b""

    def skip_strings(self, count: int, what: str) -> None:
        """Past so many strings; a vocabulary has some 100,000, and as many merges."""
        size, unpack = _U64.size, _U64.unpack_from
        while count:
            buffer, at, end = self._buffer, self._at, len(self._buffer) - size
            while count and at <= end:
                length = unpack(buffer, at)[0]
                if length > end - at:
                    break
                at += size + length
                count -= 1
            self._at = at
            if count:
                # Across the buffer's end, or too long for the file.
                self.skip(self.number(_U64, what), what)
                count -= 1

    def text(self, most: int, what: str) -> str:
        length = self.number(_U64, what)
        self.need(length, what)
        if length > most:
            raise self.fail(f"{what} has {length} bytes; at most {most} are allowed")
        # Names are compared, not shown, and llama.cpp takes any bytes in them.
        return self.take(length, what).decode("utf-8", "replace")


def special_texts(file: BinaryIO, header: Header, name: str) -> dict[str, str]:
    """What the tokens that the header's keys name are written as, by what they are for (`bos`,
    `eos`, ...); the header was read from this file."""
    wanted = special_tokens(header.metadata)
    reader = _Reader(file, header.file_size, name)
    _version(reader)
    _count(reader, "tensors", MAX_TENSORS, smallest=24)
    for _ in range(_count(reader, "keys", MAX_KEYS, smallest=13)):
        key = reader.text(MAX_KEY, "a key")
        if key == _TOKENS:
            texts = _texts(reader, set(wanted.values()))
            return {what: texts[token] for what, token in wanted.items() if token in texts}
        _value(reader, "a key")
    return {}


def _texts(reader: _Reader, wanted: set[int]) -> dict[int, str]:
    """Those of an array of strings that is next."""
    if reader.number(_U32, "a type") != _ARRAY or reader.number(_U32, "a type") != _STRING:
        return {}
    count = reader.number(_U64, "the number of tokens")
    found, at = {}, 0
    for token in sorted(one for one in wanted if 0 <= one < count):
        _skip_strings(reader, token - at, "the tokens")
        found[token] = reader.text(MAX_STRING, "a token")[:_LONGEST_TOKEN]
        at = token + 1
    return found


def _header(reader: _Reader) -> Header:
    version = _version(reader)
    tensor_count = _count(reader, "tensors", MAX_TENSORS, smallest=24)
    key_count = _count(reader, "keys", MAX_KEYS, smallest=13)
    metadata: dict[str, Value] = {}
    for number in range(key_count):
        key = reader.text(MAX_KEY, f"the name of key {number + 1} of {key_count}")
        if key in metadata:
            raise reader.fail(f"key {key[:80]!r} occurs twice")
        metadata[key] = _value(reader, f"key {key[:80]!r}")
    alignment = _alignment(reader, metadata)
    tensors = [_tensor(reader, f"entry {n + 1} of {tensor_count}") for n in range(tensor_count)]
    data_offset = -(-reader.position // alignment) * alignment
    _within(reader, tensors, data_offset, alignment)
    return Header(version, metadata, tuple(tensors), data_offset, reader.size)


def _version(reader: _Reader) -> int:
    if not reader.size:
        raise reader.fail("the file is empty")
    magic = reader.take(min(4, reader.size), "the magic")
    if magic != b"GGUF":
        raise reader.fail(f"not a GGUF file: it starts with {magic!r}")
    version: int = reader.number(_U32, "the version")
    if version in (2, 3):
        return version
    if int.from_bytes(version.to_bytes(4, "little"), "big") in (2, 3):
        raise reader.fail("a GGUF file for big-endian machines")
    raise reader.fail(f"GGUF version {version} is not supported; versions 2 and 3 are")


def _count(reader: _Reader, what: str, most: int, smallest: int) -> int:
    count: int = reader.number(_U64, f"the number of {what}")
    if count > most:
        raise reader.fail(f"claims {count} {what}; at most {most} are allowed")
    if count * smallest > reader.left:
        raise reader.fail(f"claims {count} {what}, too many for a file of {reader.size} bytes")
    return count


def _value(reader: _Reader, what: str) -> Value:
    kind = reader.number(_U32, f"the type of {what}")
    if kind == _STRING:
        return reader.text(MAX_STRING, what)
    if kind == _ARRAY:
        return _array(reader, what)
    scalar: int | float | bool = reader.number(_scalar(reader, kind, what)[1], what)
    return scalar


def _scalar(reader: _Reader, kind: int, what: str) -> tuple[str, struct.Struct]:
    if kind not in _SCALARS:
        raise reader.fail(f"{what} has the unknown type {kind}")
    return _SCALARS[kind]


def _array(reader: _Reader, what: str) -> Value:
    kind = reader.number(_U32, f"the type of {what}")
    count = reader.number(_U64, f"the length of {what}")
    if kind == _STRING:
        _skip_strings(reader, count, what)
        return Counted("string", count)
    if kind == _ARRAY:
        raise reader.fail(f"{what} is an array of arrays, which GGUF readers refuse")
    name, form = _scalar(reader, kind, what)
    reader.need(count * form.size, what)
    if count > KEPT_ARRAY:
        reader.skip(count * form.size, what)
        return Counted(name, count)
    return tuple(value for (value,) in form.iter_unpack(reader.take(count * form.size, what)))


def _skip_strings(reader: _Reader, count: int, what: str) -> None:
    if count > MAX_STRINGS:
        raise reader.fail(f"{what} claims {count} strings; at most {MAX_STRINGS} are allowed")
    reader.need(count * _U64.size, what)
    reader.skip_strings(count, what)


def _alignment(reader: _Reader, metadata: dict[str, Value]) -> int:
    alignment = metadata.get("general.alignment", 32)
    if type(alignment) is not int or not 1 <= alignment <= 2**20 or alignment & (alignment - 1):
        raise reader.fail(f"general.alignment must be a power of two, got {alignment!r}")
    return alignment


def _tensor(reader: _Reader, entry: str) -> Tensor:
    what = f"the tensor table's {entry}"
    name = reader.text(MAX_NAME, what)
    what = f"tensor {name!r}"
    dimensions = reader.number(_U32, what)
    if dimensions > MAX_DIMENSIONS:
        raise reader.fail(f"{what} has {dimensions} dimensions; at most 4 are allowed")
    shape = tuple(reader.number(_U64, what) for _ in range(dimensions))
    number = reader.number(_U32, what)
    if number not in TENSOR_TYPES:
        raise reader.fail(f"{what} has type {number}, which this version's llama.cpp cannot read")
    kind, block, block_bytes = TENSOR_TYPES[number]
    row = shape[0] if shape else 1
    if row % block:
        raise reader.fail(f"{what} has rows of {row} values, no multiple of {kind}'s {block}")
    values = math.prod(shape)
    if max(shape, default=0) > _MAX_INT64 or values > _MAX_INT64:
        raise reader.fail(f"{what} has an impossible shape: {' x '.join(map(str, shape))}")
    offset = reader.number(_U64, what)
    return Tensor(name, shape, kind, offset, values // block * block_bytes)


def _within(reader: _Reader, tensors: list[Tensor], data_offset: int, alignment: int) -> None:
    """Each tensor lies in the file, where llama.cpp will look, under a name of its own."""
    seen: set[str] = set()
    for tensor in tensors:
        if tensor.name in seen:
            raise reader.fail(f"tensor {tensor.name!r} occurs twice")
        seen.add(tensor.name)
        if tensor.offset % alignment:
            raise reader.fail(f"tensor {tensor.name!r} is not aligned to {alignment} bytes")
    last = max(tensors, key=lambda one: one.offset + one.size_bytes, default=None)
    end = 0 if last is None else data_offset + last.offset + last.size_bytes
    if last is not None and end > reader.size:
        raise reader.fail(
            f"truncated: {end - reader.size} bytes are missing; the file ends at byte "
            f"{reader.size}, tensor {last.name!r} needs it up to byte {end}"
        )
