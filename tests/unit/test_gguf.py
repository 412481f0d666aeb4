"""The header reader: real files are read, anything else gets a precise reason and nothing more."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kronk.shared import gguf
from kronk.shared.errors import InvalidArgument
from kronk.worker import gguf_file

MODELS = Path(__file__).resolve().parents[1] / "models"
REAL = MODELS / "tiny-chat-q8_0.gguf"


def u32(value: int) -> bytes:
    return struct.pack("<I", value)


def u64(value: int) -> bytes:
    return struct.pack("<Q", value)


def text(value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return u64(len(data)) + data


def header(tensors: int, keys: int, *, version: int = 3) -> bytes:
    return b"GGUF" + u32(version) + u64(tensors) + u64(keys)


ARCHITECTURE = text("general.architecture") + u32(8) + text("llama")


def model(*rows: bytes, data: bytes = b"", keys: bytes = ARCHITECTURE, key_count: int = 1) -> bytes:
    """A file with that tensor table, its data padded to where it has to start."""
    head = header(len(rows), key_count) + keys + b"".join(rows)
    return head + b"\0" * (-len(head) % 32) + data


def tensor(name: str = "t", shape: tuple[int, ...] = (8,), kind: int = 0, offset: int = 0) -> bytes:
    return text(name) + u32(len(shape)) + b"".join(map(u64, shape)) + u32(kind) + u64(offset)


def key(name: str, kind: int, value: bytes) -> bytes:
    return text(name) + u32(kind) + value


@pytest.mark.parametrize("path", sorted(MODELS.glob("*.gguf")), ids=lambda path: path.name)
def test_real_models_are_read_to_the_last_tensor(path: Path) -> None:
    found = gguf_file.check(path)
    last = max(found.tensors, key=lambda tensor: tensor.offset)
    end = found.data_offset + last.offset + last.size_bytes
    assert end <= found.file_size <= end + 32


@pytest.mark.parametrize("chunk", [1, 9, 100, 4096])
def test_it_does_not_matter_how_much_of_a_file_is_read_at_a_time(
    monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    at_once = gguf_file.read(REAL)
    monkeypatch.setattr(gguf_file, "_CHUNK", chunk)
    assert gguf_file.read(REAL) == at_once


def test_metadata_of_every_kind_is_read(tmp_path: Path) -> None:
    keys = [
        ARCHITECTURE,
        key("u8", 0, b"\xff"),
        key("i16", 3, struct.pack("<h", -2)),
        key("f32", 6, struct.pack("<f", 0.5)),
        key("yes", 7, b"\x01"),
        key("layers", 9, u32(4) + u64(3) + u32(1) + u32(2) + u32(3)),
        key("tokens", 9, u32(8) + u64(2) + text("a") + text("bc")),
        key("many", 9, u32(0) + u64(5000) + b"\0" * 5000),
    ]
    path = tmp_path / "m.gguf"
    path.write_bytes(model(tensor(), data=b"\0" * 32, keys=b"".join(keys), key_count=len(keys)))
    assert gguf_file.check(path).metadata == {
        "general.architecture": "llama",
        "u8": 255,
        "i16": -2,
        "f32": 0.5,
        "yes": True,
        "layers": (1, 2, 3),
        "tokens": gguf.Counted("string", 2),
        "many": gguf.Counted("uint8", 5000),
    }


def with_key(kind: int, value: bytes) -> bytes:
    return model(keys=ARCHITECTURE + key("k", kind, value), key_count=2)


BROKEN = {
    "empty": (b"", "the file is empty"),
    "a web page": (b"<html>hello", "not a GGUF file: it starts with b'<htm'"),
    "two bytes": (b"GG", "not a GGUF file: it starts with b'GG'"),
    "only the magic": (b"GGUF", "the file ends at byte 4; the version at byte 4 needs 4 bytes"),
    "version 1": (header(0, 0, version=1), "GGUF version 1 is not supported"),
    "version 4": (header(0, 0, version=4), "GGUF version 4 is not supported"),
    "big-endian": (b"GGUF\0\0\0\x03" + b"\0" * 16, "big-endian"),
    "absurd tensor count": (header(2**63, 0), "claims 9223372036854775808 tensors; at most 65536"),
    "more tensors than bytes": (header(1000, 0), "claims 1000 tensors, too many for a file of 24"),
    "absurd key count": (header(0, 2**64 - 1), "claims 18446744073709551615 keys; at most"),
    "key name past the end": (header(0, 1) + u64(2**62) + b"abcde", "needs 4611686018427387904"),
    "unknown value type": (with_key(99, b"\0" * 8), "key 'k' has the unknown type 99"),
    "string past the end": (with_key(8, u64(10**9)), "key 'k' at byte"),
    "array of arrays": (with_key(9, u32(9) + u64(1)), "array of arrays"),
    "array past the end": (with_key(9, u32(4) + u64(2**61)), "the file ends at byte"),
    "endless strings": (with_key(9, u32(8) + u64(2**40)), "claims 1099511627776 strings"),
    "a key twice": (model(keys=ARCHITECTURE * 2, key_count=2), "occurs twice"),
    "no architecture": (model(keys=key("k", 0, b"\1")), "general.architecture is missing"),
    "architecture a number": (
        model(keys=key("general.architecture", 0, b"\1")),
        "general.architecture is missing",
    ),
    "odd alignment": (
        model(keys=ARCHITECTURE + key("general.alignment", 4, u32(24)), key_count=2),
        "power of two, got 24",
    ),
    "truncated data": (
        model(tensor("blk.0.w", (64,)), data=b"\0" * 100),
        "truncated: 156 bytes are missing; the file ends at byte 228",
    ),
    "tensor far away": (model(tensor(offset=2**63), data=b"\0" * 32), "tensor 't' needs it up to"),
    "not aligned": (model(tensor(offset=4), data=b"\0" * 64), "'t' is not aligned to 32 bytes"),
    "five dimensions": (model(tensor(shape=(1, 1, 1, 1, 1))), "has 5 dimensions; at most 4"),
    "half a block": (
        model(tensor(shape=(33,), kind=8)),
        "rows of 33 values, no multiple of q8_0's",
    ),
    "removed type": (model(tensor(kind=4)), "has type 4, which this version"),
    "too large a shape": (model(tensor(shape=(2**40, 2**40))), "impossible shape"),
    "negative size": (model(tensor(shape=(2**64 - 32, 0))), "impossible shape"),
    "one name twice": (model(tensor(), tensor(), data=b"\0" * 64), "tensor 't' occurs twice"),
    "long tensor name": (model(tensor("n" * 64), data=b"\0" * 32), "has 64 bytes; at most 63"),
}


@pytest.mark.parametrize(("content", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_gets_a_precise_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(content)
    with pytest.raises(InvalidArgument) as caught:
        gguf_file.check(path)
    assert caught.value.message.startswith("broken.gguf: ")
    assert reason in caught.value.message


def test_a_truncated_model_is_told_by_its_first_tensor_past_the_end(tmp_path: Path) -> None:
    path = tmp_path / "cut.gguf"
    path.write_bytes(REAL.read_bytes()[:-1])
    last = max(gguf_file.read(REAL).tensors, key=lambda tensor: tensor.offset)
    with pytest.raises(InvalidArgument, match=f"tensor '{last.name}' needs it up to byte"):
        gguf_file.check(path)


def test_what_is_no_file_is_refused_without_opening_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.gguf")
    for name in ("pipe.gguf", "absent.gguf", "."):
        with pytest.raises(InvalidArgument):
            gguf_file.check(tmp_path / name)


def test_all_shards_of_a_split_model_are_read(tmp_path: Path) -> None:
    split = key("split.count", 2, struct.pack("<H", 2))
    first, second = (tmp_path / f"m-0000{n}-of-00002.gguf" for n in (1, 2))
    first.write_bytes(model(keys=ARCHITECTURE + split, key_count=2))
    with pytest.raises(InvalidArgument, match=r"m-00002-of-00002.gguf: cannot be read"):
        gguf_file.check(first)
    second.write_bytes(model(tensor(), keys=split))
    with pytest.raises(InvalidArgument, match=r"m-00002-of-00002.gguf: truncated"):
        gguf_file.check(first)
    second.write_bytes(model(tensor(), data=b"\0" * 32, keys=split))
    gguf_file.check(first)


def real_header() -> bytes:
    return REAL.read_bytes()[: gguf_file.read(REAL).data_offset]


HEADER = real_header()
# Changing the name and shape tables matters more than hitting the middle of a token list.
INTERESTING = (0, 4, 8, 16, 24, 32, len(HEADER) - 2000, len(HEADER) - 100)


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_no_damage_raises_anything_but_invalid_argument(
    tmp_path: Path, data: st.DataObject
) -> None:
    damaged = bytearray(HEADER)
    for _ in range(data.draw(st.integers(0, 8), label="flips")):
        near = data.draw(st.sampled_from(INTERESTING)) + data.draw(st.integers(0, 64))
        anywhere = data.draw(st.integers(0, len(HEADER) - 1))
        at = min(data.draw(st.sampled_from((near, anywhere))), len(HEADER) - 1)
        damaged[at] ^= 1 << data.draw(st.integers(0, 7))
    end = data.draw(st.integers(0, len(HEADER)), label="cut")
    path = tmp_path / "damaged.gguf"
    path.write_bytes(damaged[:end])
    try:
        gguf_file.check(path)
    except InvalidArgument:
        return
    # Only the header is there, so that the first tensor must be missed.
    raise AssertionError("a file without its data was accepted")


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(tail=st.binary(max_size=300))
def test_no_bytes_raise_anything_but_invalid_argument(tmp_path: Path, tail: bytes) -> None:
    path = tmp_path / "random.gguf"
    path.write_bytes(b"GGUF\x03\0\0\0" + tail)
    with pytest.raises(InvalidArgument):
        gguf_file.check(path)


def special_of(path: Path) -> dict[str, str]:
    with path.open("rb") as file:
        read = gguf_file.parse(file, path.stat().st_size, path.name)
        return gguf_file.special_texts(file, read, path.name)


def test_special_tokens_are_told_as_they_are_written() -> None:
    texts = special_of(REAL)
    assert texts["eos"] == "<|im_end|>"
    assert set(texts) == set(gguf.special_tokens(gguf_file.read(REAL).metadata))


def named(name: str, token: int) -> bytes:
    return key(f"tokenizer.ggml.{name}_token_id", 4, u32(token))


TOKENS = ("<a>", "<b>", "<c>", "x" * 500)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        # Before and behind the list of tokens, twice the same, and one that there is not.
        (
            (named("bos", 2), None, named("eos", 0), named("eot", 0), named("pad", 9)),
            {"bos": "<c>", "eos": "<a>", "eot": "<a>"},
        ),
        ((None, named("eos", 3)), {"eos": "x" * 100}),
        ((named("eos", 1),), {}),
    ],
)
def test_the_text_of_a_special_token_is_found_wherever_it_is_named(
    tmp_path: Path, keys: tuple[bytes | None, ...], expected: dict[str, str]
) -> None:
    strings = u32(8) + u64(len(TOKENS)) + b"".join(map(text, TOKENS))
    listed = key("tokenizer.ggml.tokens", 9, strings)
    rows = [listed if one is None else one for one in keys]
    path = tmp_path / "m.gguf"
    path.write_bytes(model(keys=ARCHITECTURE + b"".join(rows), key_count=1 + len(rows)))
    assert special_of(path) == expected
