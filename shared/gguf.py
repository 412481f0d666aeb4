"""What a GGUF's header says, as values, and the form they have between processes.

Reading a header is `worker.gguf_file`, which only workers do: `models.headers` asks one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import InvalidArgument

# ggml's tensor types by number: name, values per block, bytes per block.
TENSOR_TYPES: dict[int, tuple[str, int, int]] = {
    0: ("f32", 1, 4),
    1: ("f16", 1, 2),
    2: ("q4_0", 32, 18),
    3: ("q4_1", 32, 20),
    6: ("q5_0", 32, 22),
    7: ("q5_1", 32, 24),
    8: ("q8_0", 32, 34),
    9: ("q8_1", 32, 36),
    10: ("q2_K", 256, 84),
    11: ("q3_K", 256, 110),
    12: ("q4_K", 256, 144),
    13: ("q5_K", 256, 176),
    14: ("q6_K", 256, 210),
    15: ("q8_K", 256, 292),
    16: ("iq2_xxs", 256, 66),
    17: ("iq2_xs", 256, 74),
    18: ("iq3_xxs", 256, 98),
    19: ("iq1_s", 256, 50),
    20: ("iq4_nl", 32, 18),
    21: ("iq3_s", 256, 110),
    22: ("iq2_s", 256, 82),
    23: ("iq4_xs", 256, 136),
    24: ("i8", 1, 1),
    25: ("i16", 1, 2),
    26: ("i32", 1, 4),
    27: ("i64", 1, 8),
    28: ("f64", 1, 8),
    29: ("iq1_m", 256, 56),
    30: ("bf16", 1, 2),
    34: ("tq1_0", 256, 54),
    35: ("tq2_0", 256, 66),
    39: ("mxfp4", 32, 17),
    40: ("nvfp4", 64, 36),
    41: ("q1_0", 128, 18),
    42: ("q2_0", 64, 18),
}

_SPECIAL = re.compile(r"tokenizer\.ggml\.(\w+)_token_id")
# Of a header's JSON in bytes; a table of the most tensors that are allowed has half of it.
LONGEST_JSON = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Counted:
    """An array that was skipped: what it holds and how many."""

    kind: str
    count: int


Value = str | int | float | bool | tuple[int | float | bool, ...] | Counted


@dataclass(frozen=True, slots=True)
class Tensor:
    """One row of the tensor table; `offset` counts from the start of the data."""

    name: str
    shape: tuple[int, ...]
    kind: str
    offset: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Header:
    """All of a GGUF file but its data."""

    version: int
    metadata: dict[str, Value]
    tensors: tuple[Tensor, ...]
    data_offset: int
    file_size: int
    # How the tokens of `special_tokens` are written, where that was read too.
    special: Mapping[str, str] = field(default_factory=dict, compare=False)


def special_tokens(metadata: Mapping[str, Value]) -> dict[str, int]:
    """The ids of tokens by what they are for: `bos`, `eos`, `eot`, `fim_pre`, ..."""
    return {
        match[1]: value
        for key, value in sorted(metadata.items())
        if (match := _SPECIAL.fullmatch(key)) and type(value) is int
    }


def other_shards(path: Path, header: Header) -> Iterator[Path]:
    """The files beside the first of a split model; none for a model in one file."""
    count = header.metadata.get("split.count", 0)
    if type(count) is not int or count < 2:
        return
    first = f"-00001-of-{count:05d}"
    if not path.stem.endswith(first):
        raise InvalidArgument(
            f"{path.name}: part of a model split into {count} files, whose first is named *{first}"
        )
    for number in range(2, count + 1):
        yield path.with_stem(f"{path.stem.removesuffix(first)}-{number:05d}-of-{count:05d}")


def to_json(header: Header) -> dict[str, Any]:
    """A header as JSON; `from_json` reads it."""
    return {
        "version": header.version,
        "metadata": {key: _plain(value) for key, value in header.metadata.items()},
        "tensors": [
            [one.name, list(one.shape), one.kind, one.offset, one.size_bytes]
            for one in header.tensors
        ],
        "data_offset": header.data_offset,
        "file_size": header.file_size,
        "special": dict(header.special),
    }


def from_json(value: Any) -> Header:
    """The header of which `to_json` made this; `ValueError` for anything else."""
    try:
        version, offset, size = (value[key] for key in ("version", "data_offset", "file_size"))
        metadata = {_text(key): _value(one) for key, one in value["metadata"].items()}
        tensors = tuple(_tensor(*row) for row in value["tensors"])
        special = {_text(what): _text(one) for what, one in value["special"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("not a header") from error
    return Header(_count(version), metadata, tensors, _count(offset), _count(size), special)


def _plain(value: Value) -> Any:
    match value:
        case Counted(kind, count):
            return {"kind": kind, "count": count}
        case tuple():
            return list(value)
        case _:
            return value


def _value(value: Any) -> Value:
    match value:
        case {"kind": kind, "count": count}:
            return Counted(_text(kind), _count(count))
        case list():
            return tuple(_number(one) for one in value)
        case str():
            return value
        case _:
            return _number(value)


def _tensor(name: Any, shape: Any, kind: Any, offset: Any, size_bytes: Any) -> Tensor:
    dimensions = tuple(_count(one) for one in shape)
    return Tensor(_text(name), dimensions, _text(kind), _count(offset), _count(size_bytes))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("not a text")
    return value


def _number(value: Any) -> int | float | bool:
    if not isinstance(value, int | float):
        raise ValueError("not a number")
    return value


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("not a count")
    return value
