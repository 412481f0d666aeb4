"""Writes a GGUF whose answers are known to the last byte and never end by themselves.

The trained tiny model answers in a tenth of a second, which is no time to kill anything in. This
one counts: after ` 7` it says ` 8`, ` 9`, ... for ever, with a margin between the best token and
the next that no rounding can close. Its attention and feed-forward matrices are zero, so a token's
own embedding reaches the output unchanged and the output matrix is a table of successors. How long
a token takes is set by the size of those zeros, which are holes in the file and cost no disk.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

_WIDTH, _HEADS, _KV_HEADS, _LAYERS = 512, 8, 1, 2
_F32, _F16 = 0, 1
_UINT32, _INT32, _FLOAT32, _BOOL, _STRING, _ARRAY = 4, 5, 6, 7, 8, 9
_ALIGNMENT = 32
_NORMAL, _UNKNOWN, _CONTROL, _BYTE = 1, 2, 3, 6

NUMBERS = 1000
# Said for ever by a prompt that ends in `a`; every byte is a token of its own.
UTF8_CYCLE = "aé€😀"
# A prompt that ends in this byte is answered with the end of the text, and nothing else.
SILENCE = "z"

_SPECIAL = ("<unk>", "<s>", "</s>")
_EOS = 2
_FIRST_BYTE = len(_SPECIAL)
_FIRST_NUMBER = _FIRST_BYTE + 256
_VOCAB = _FIRST_NUMBER + NUMBERS
_TEMPLATE = "{% for message in messages %}{{ message.content }}{% endfor %}"


def counted(after: int, tokens: int) -> str:
    """The text of `tokens` tokens in answer to a prompt that ends in ` {after}`."""
    return "".join(f" {(after + step) % NUMBERS}" for step in range(1, tokens + 1))


def write(path: Path, *, hidden: int = 64) -> None:
    """Write the file. A token costs about `hidden` / 2000 milliseconds on one core."""
    tables = _tables()
    header = _metadata(hidden)
    layout = b""
    offset = 0
    places: list[tuple[int, bytes]] = []
    for name, shape in _shapes(hidden):
        kind, size = (_F16, 2) if len(shape) > 1 else (_F32, 4)
        layout += _string(name) + struct.pack("<I", len(shape))
        layout += struct.pack(f"<{len(shape)}Q", *shape) + struct.pack("<IQ", kind, offset)
        if name.endswith("norm.weight"):
            places.append((offset, np.ones(shape, np.float32).tobytes()))
        elif name in tables:
            places.append((offset, tables[name].tobytes()))
        offset += _padded(int(np.prod(shape)) * size)
    header += layout
    with path.open("wb") as file:
        file.write(header.ljust(_padded(len(header)), b"\0"))
        start = file.tell()
        for at, data in places:
            file.seek(start + at)
            file.write(data)
        file.truncate(start + offset)


def _tables() -> dict[str, np.ndarray]:
    signs = np.random.default_rng(1).choice([-1.0, 1.0], (_VOCAB, _WIDTH)).astype(np.float16)
    output = np.zeros_like(signs)
    output[_successors()] = signs
    return {"token_embd.weight": signs, "output.weight": output}


def _successors() -> np.ndarray:
    """For each token the one that follows it; a permutation, so that no row serves two."""
    after = np.arange(_VOCAB)
    numbers = np.arange(_FIRST_NUMBER, _VOCAB)
    after[numbers] = np.roll(numbers, -1)
    cycle = np.frombuffer(UTF8_CYCLE.encode(), np.uint8).astype(int) + _FIRST_BYTE
    assert len(set(cycle)) == len(cycle), "a byte has one successor"
    after[cycle] = np.roll(cycle, -1)
    silence = _FIRST_BYTE + ord(SILENCE)
    after[silence], after[_EOS] = _EOS, silence
    return after


def _shapes(hidden: int) -> list[tuple[str, tuple[int, ...]]]:
    """Tensor names and shapes, innermost dimension first as in the file."""
    shapes: list[tuple[str, tuple[int, ...]]] = [
        ("token_embd.weight", (_WIDTH, _VOCAB)),
        ("output_norm.weight", (_WIDTH,)),
        ("output.weight", (_WIDTH, _VOCAB)),
    ]
    narrow = _WIDTH * _KV_HEADS // _HEADS
    for layer in range(_LAYERS):
        block = f"blk.{layer}"
        shapes += [
            (f"{block}.attn_norm.weight", (_WIDTH,)),
            (f"{block}.attn_q.weight", (_WIDTH, _WIDTH)),
            (f"{block}.attn_k.weight", (_WIDTH, narrow)),
            (f"{block}.attn_v.weight", (_WIDTH, narrow)),
            (f"{block}.attn_output.weight", (_WIDTH, _WIDTH)),
            (f"{block}.ffn_norm.weight", (_WIDTH,)),
            (f"{block}.ffn_gate.weight", (_WIDTH, hidden)),
            (f"{block}.ffn_up.weight", (_WIDTH, hidden)),
            (f"{block}.ffn_down.weight", (hidden, _WIDTH)),
        ]
    return shapes


def _metadata(hidden: int) -> bytes:
    numbers = [f"\N{LOWER ONE EIGHTH BLOCK}{n}" for n in range(NUMBERS)]
    tokens = [*_SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256)), *numbers]
    types = [_UNKNOWN, _CONTROL, _CONTROL, *[_BYTE] * 256, *[_NORMAL] * NUMBERS]
    scores = [0.0] * _FIRST_NUMBER + [-1.0 - n for n in range(NUMBERS)]
    sizes = {
        "context_length": 32768,
        "embedding_length": _WIDTH,
        "block_count": _LAYERS,
        "feed_forward_length": hidden,
        "attention.head_count": _HEADS,
        "attention.head_count_kv": _KV_HEADS,
    }
    pairs = [
        ("general.architecture", _STRING, _string("llama")),
        *((f"llama.{key}", _UINT32, struct.pack("<I", size)) for key, size in sizes.items()),
        ("llama.attention.layer_norm_rms_epsilon", _FLOAT32, struct.pack("<f", 1e-5)),
        ("tokenizer.ggml.model", _STRING, _string("llama")),
        ("tokenizer.ggml.tokens", _ARRAY, _array(_STRING, [_string(text) for text in tokens])),
        ("tokenizer.ggml.scores", _ARRAY, _array(_FLOAT32, [struct.pack("<f", s) for s in scores])),
        (
            "tokenizer.ggml.token_type",
            _ARRAY,
            _array(_INT32, [struct.pack("<i", t) for t in types]),
        ),
        ("tokenizer.ggml.unknown_token_id", _UINT32, struct.pack("<I", 0)),
        ("tokenizer.ggml.bos_token_id", _UINT32, struct.pack("<I", 1)),
        ("tokenizer.ggml.eos_token_id", _UINT32, struct.pack("<I", _EOS)),
        ("tokenizer.ggml.add_bos_token", _BOOL, b"\0"),
        ("tokenizer.ggml.add_space_prefix", _BOOL, b"\0"),
        ("tokenizer.chat_template", _STRING, _string(_TEMPLATE)),
    ]
    count = len(_shapes(hidden))
    header = struct.pack("<4sIQQ", b"GGUF", 3, count, len(pairs))
    return header + b"".join(_string(k) + struct.pack("<I", t) + value for k, t, value in pairs)


def _array(kind: int, items: list[bytes]) -> bytes:
    return struct.pack("<IQ", kind, len(items)) + b"".join(items)


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _padded(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT
