"""Copies of the tiny model with something in their header changed, and adapters for it."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

TINY = Path(__file__).parents[1] / "models" / "tiny-chat-q8_0.gguf"
WIDTH, LAYERS = 256, 5
_STRING, _FLOAT32, _UINT32 = 8, 6, 4


def trained_for(path: Path, tokens: int) -> Path:
    """The tiny model, saying that it was trained for so many tokens."""
    data = bytearray(TINY.read_bytes())
    key = b"llama.context_length" + struct.pack("<I", _UINT32)
    at = data.index(key) + len(key)
    data[at : at + 4] = struct.pack("<I", tokens)
    path.write_bytes(data)
    return path


def write_adapter(path: Path, *, architecture: str = "llama", kind: str = "adapter") -> Path:
    """A LoRA adapter of random weights for the tiny model's query and output projections."""
    dice = np.random.default_rng(1)
    rank = 4
    tensors = []
    for layer in range(LAYERS):
        name = f"blk.{layer}.attn_output.weight"
        tensors.append((f"{name}.lora_a", dice.standard_normal((rank, WIDTH))))
        tensors.append((f"{name}.lora_b", dice.standard_normal((WIDTH, rank))))
    keys = [
        _text("general.type", kind),
        _text("general.architecture", architecture),
        _text("adapter.type", "lora"),
        _string("adapter.lora.alpha") + struct.pack("<If", _FLOAT32, float(rank)),
    ]
    table, data = b"", b""
    for name, values in tensors:
        table += _string(name) + struct.pack("<IQQIQ", 2, *reversed(values.shape), 0, len(data))
        raw = (0.2 * values).astype(np.float32).tobytes()
        data += raw.ljust(_padded(len(raw)), b"\0")
    header = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(keys)) + b"".join(keys) + table
    path.write_bytes(header.ljust(_padded(len(header)), b"\0") + data)
    return path


def _text(key: str, value: str) -> bytes:
    return _string(key) + struct.pack("<I", _STRING) + _string(value)


def _string(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode()


def _padded(size: int) -> int:
    return -(-size // 32) * 32
