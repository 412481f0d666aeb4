"""A GGUF of random weights, small enough to make on the spot: one megabyte, two layers.

Its matrices are Q4_0 and wide enough for the repacked kernels, because those are what a llama.cpp
that was built wrongly for this CPU dies in.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

_WIDTH, _HIDDEN, _LAYERS, _HEADS, _VOCAB = 256, 512, 2, 4, 512
_F32, _Q4_0 = 0, 2
_UINT32, _FLOAT32, _STRING = 4, 6, 8
_ALIGNMENT = 32


def write(path: Path) -> None:
    """Write the file; the same bytes each time."""
    random = np.random.default_rng(1)
    tensors = [
        (name, shape, _matrix(random, shape) if len(shape) > 1 else _ones(shape))
        for name, shape in _shapes()
    ]
    metadata: list[tuple[str, int, bytes]] = [
        ("general.architecture", _STRING, _string("llama")),
        ("llama.vocab_size", _UINT32, struct.pack("<I", _VOCAB)),
        ("llama.context_length", _UINT32, struct.pack("<I", 512)),
        ("llama.embedding_length", _UINT32, struct.pack("<I", _WIDTH)),
        ("llama.block_count", _UINT32, struct.pack("<I", _LAYERS)),
        ("llama.feed_forward_length", _UINT32, struct.pack("<I", _HIDDEN)),
        ("llama.attention.head_count", _UINT32, struct.pack("<I", _HEADS)),
        ("llama.attention.layer_norm_rms_epsilon", _FLOAT32, struct.pack("<f", 1e-5)),
        # No vocabulary: tokens are numbers, and nothing here is ever text.
        ("tokenizer.ggml.model", _STRING, _string("none")),
    ]
    header = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(metadata))
    for key, kind, value in metadata:
        header += _string(key) + struct.pack("<I", kind) + value
    offset = 0
    for name, shape, data in tensors:
        kind = _Q4_0 if len(shape) > 1 else _F32
        header += _string(name) + struct.pack("<I", len(shape))
        header += struct.pack(f"<{len(shape)}Q", *shape) + struct.pack("<IQ", kind, offset)
        offset += _padded(len(data))
    body = b"".join(data.ljust(_padded(len(data)), b"\0") for _, _, data in tensors)
    path.write_bytes(header.ljust(_padded(len(header)), b"\0") + body)


def _shapes() -> list[tuple[str, tuple[int, ...]]]:
    """Tensor names and shapes, innermost dimension first as in the file."""
    shapes: list[tuple[str, tuple[int, ...]]] = [
        ("token_embd.weight", (_WIDTH, _VOCAB)),
        ("output_norm.weight", (_WIDTH,)),
    ]
    for layer in range(_LAYERS):
        block = f"blk.{layer}"
        shapes += [
            (f"{block}.attn_norm.weight", (_WIDTH,)),
            *((f"{block}.attn_{part}.weight", (_WIDTH, _WIDTH)) for part in ("q", "k", "v")),
            (f"{block}.attn_output.weight", (_WIDTH, _WIDTH)),
            (f"{block}.ffn_norm.weight", (_WIDTH,)),
            (f"{block}.ffn_gate.weight", (_WIDTH, _HIDDEN)),
            (f"{block}.ffn_up.weight", (_WIDTH, _HIDDEN)),
            (f"{block}.ffn_down.weight", (_HIDDEN, _WIDTH)),
        ]
    return shapes


def _matrix(random: np.random.Generator, shape: tuple[int, ...]) -> bytes:
    """Q4_0: per 32 weights a float16 scale and 16 bytes of nibbles."""
    blocks = shape[0] * shape[1] // 32
    rows = np.empty(blocks, np.dtype([("scale", np.float16), ("nibbles", np.uint8, 16)]))
    rows["scale"] = 0.01
    rows["nibbles"] = random.integers(0, 256, (blocks, 16), np.uint8)
    return rows.tobytes()


def _ones(shape: tuple[int, ...]) -> bytes:
    return np.ones(shape, np.float32).tobytes()


def _string(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode()


def _padded(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT
