"""Writes small projectors of random weights, for models that `random_gguf` writes.

What they see is noise, but always the same; how a model places what they see is real.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .gguf_bytes import ARRAY, BOOL, FLOAT32, STRING, UINT32, entry, padded, string
from .random_gguf import MROPE, SWA, WIDTH, Kind

_WIDTH, _HIDDEN, _LAYERS, _HEADS, _PATCH = 32, 64, 2, 2, 14

Shapes = Iterator[tuple[str, tuple[int, ...]]]


@dataclass(frozen=True, slots=True)
class Eyes:
    """A kind of projector, and the language model it is for."""

    projector: str
    model: Kind
    # Pixels of an image's side, where they are always the same.
    size: int


# Any size of image, in two dimensions of M-RoPE.
QWEN = Eyes("qwen2vl_merger", MROPE, 56)
# Each image's rows see one another.
GEMMA = Eyes("gemma3", SWA, 224)


def write(path: Path, eyes: Eyes) -> None:
    """Write the file; the same bytes each time."""
    shapes = list(_shapes(eyes))
    table, offset = b"", 0
    for name, shape in shapes:
        table += string(name) + struct.pack("<I", len(shape))
        table += struct.pack(f"<{len(shape)}QIQ", *shape, 0, offset)
        offset += padded(4 * int(np.prod(shape)))
    keys = list(_keys(eyes))
    header = struct.pack("<4sIQQ", b"GGUF", 3, len(shapes), len(keys)) + b"".join(keys) + table
    dice = np.random.default_rng(3)
    with path.open("wb") as file:
        file.write(header.ljust(padded(len(header)), b"\0"))
        for name, shape in shapes:
            rows = tuple(reversed(shape))
            if name.endswith(".bias"):
                values = np.zeros(rows)
            elif "ln" in name or "norm" in name:
                values = np.ones(rows)
            else:
                values = dice.standard_normal(rows) / np.sqrt(shape[0])
            data = values.astype(np.float32).tobytes()
            file.write(data.ljust(padded(len(data)), b"\0"))


def _keys(eyes: Eyes) -> Iterator[bytes]:
    sizes = {
        "image_size": eyes.size,
        "patch_size": _PATCH,
        "embedding_length": _WIDTH,
        "feed_forward_length": _HIDDEN,
        "projection_dim": WIDTH,
        "block_count": _LAYERS,
        "attention.head_count": _HEADS,
    }
    half = struct.pack("<IQ3f", FLOAT32, 3, 0.5, 0.5, 0.5)
    yield entry("general.architecture", STRING, string("clip"))
    yield entry("clip.projector_type", STRING, string(eyes.projector))
    for flag in ("clip.has_vision_encoder", "clip.use_gelu"):
        yield entry(flag, BOOL, b"\1")
    for key, size in sizes.items():
        yield entry(f"clip.vision.{key}", UINT32, struct.pack("<I", size))
    epsilon = struct.pack("<f", 1e-6)
    yield entry("clip.vision.attention.layer_norm_epsilon", FLOAT32, epsilon)
    yield entry("clip.vision.image_mean", ARRAY, half)
    yield entry("clip.vision.image_std", ARRAY, half)


def _shapes(eyes: Eyes) -> Shapes:
    patch = (_PATCH, _PATCH, 3, _WIDTH)
    yield "v.patch_embd.weight", patch
    for layer in range(_LAYERS):
        for part, shape in _layer():
            yield f"v.blk.{layer}.{part}.weight", shape
            yield f"v.blk.{layer}.{part}.bias", shape[-1:]
    yield "v.post_ln.weight", (_WIDTH,)
    yield "v.post_ln.bias", (_WIDTH,)
    if eyes is QWEN:
        yield "v.patch_embd.weight.1", patch
        # Four patches become one row.
        for part, shape in (("0", (4 * _WIDTH, 4 * _WIDTH)), ("2", (4 * _WIDTH, WIDTH))):
            yield f"mm.{part}.weight", shape
            yield f"mm.{part}.bias", shape[-1:]
    else:
        yield "v.patch_embd.bias", (_WIDTH,)
        yield "v.position_embd.weight", (_WIDTH, (eyes.size // _PATCH) ** 2)
        yield "mm.input_projection.weight", (WIDTH, _WIDTH)
        yield "mm.soft_emb_norm.weight", (_WIDTH,)


def _layer() -> Shapes:
    yield "ln1", (_WIDTH,)
    yield "ln2", (_WIDTH,)
    for part in ("attn_q", "attn_k", "attn_v", "attn_out"):
        yield part, (_WIDTH, _WIDTH)
    yield "ffn_up", (_WIDTH, _HIDDEN)
    yield "ffn_down", (_HIDDEN, _WIDTH)
