"""Writes models that pool: the trained reranker's encoder for embeddings, and random decoders.

The encoder is the tiny reranker with another number under `pooling_type`: nobody trained what it
says then, but its attention, positions and vocabulary are real. The decoder has Qwen3's
architecture and random weights, with the trained tiny chat model's vocabulary: it pools the last
token, or gives that to a classifier with the classes "yes" and "no".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .gguf_bytes import ARRAY, FLOAT32, STRING, UINT32, end_of_value, entry, padded, string

MODELS = Path(__file__).parents[1] / "models"
# In eight bits the shape of a batch alone would move a score by more than tests can allow.
RERANKER = MODELS / "tiny-rerank-f16.gguf"
CHAT = MODELS / "tiny-chat-q8_0.gguf"

MEAN, CLS, LAST, RANK = 1, 2, 3, 4
WIDTH = 128
# What Qwen3's rerankers are given, in short.
TEMPLATE = (
    "<|im_start|>user\n<Query>: {query}\n<Document>: {document}<|im_end|>\n<|im_start|>assistant\n"
)

_HIDDEN, _LAYERS, _HEADS, _KV_HEADS, _HEAD, _CONTEXT = 256, 3, 4, 2, 32, 2048
_SHARPNESS = 2.0


def encoder(path: Path, pooling: int) -> Path:
    """BERT, 128 wide, 512 positions."""
    data = bytearray(RERANKER.read_bytes())
    at = data.index(b"bert.pooling_type") + len(b"bert.pooling_type") + 4
    data[at : at + 4] = struct.pack("<I", pooling)
    path.write_bytes(data)
    return path


def decoder(path: Path, pooling: int) -> Path:
    """Qwen3, 128 wide; a rerank template and two classes with rank pooling."""
    vocabulary, keys = _tokenizer()
    shapes = list(_shapes(vocabulary, pooling))
    keys += _parameters(pooling)
    table = b""
    offset = 0
    for name, shape in shapes:
        table += string(name) + struct.pack("<I", len(shape))
        table += struct.pack(f"<{len(shape)}QIQ", *shape, 0, offset)
        offset += padded(4 * int(np.prod(shape)))
    header = struct.pack("<4sIQQ", b"GGUF", 3, len(shapes), len(keys)) + b"".join(keys) + table
    dice = np.random.default_rng(0)
    with path.open("wb") as file:
        file.write(header.ljust(padded(len(header)), b"\0"))
        for name, shape in shapes:
            data = _weights(name, shape, dice).astype(np.float32).tobytes()
            file.write(data.ljust(padded(len(data)), b"\0"))
    return path


def _weights(name: str, shape: tuple[int, ...], dice: np.random.Generator) -> np.ndarray:
    """Values that keep the scale of what flows through; the innermost dimension comes last."""
    rows = tuple(reversed(shape))
    if "norm" in name:
        return np.ones(rows)
    if name.startswith("token_embd"):
        return dice.standard_normal(rows)
    gain = _SHARPNESS if "attn_q" in name or "attn_k" in name else 1.0
    return dice.standard_normal(rows) * gain / np.sqrt(shape[0])


def _shapes(vocabulary: int, pooling: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Tensor names and shapes, innermost dimension first as in the file."""
    yield "token_embd.weight", (WIDTH, vocabulary)
    yield "output_norm.weight", (WIDTH,)
    if pooling == RANK:
        yield "cls.output.weight", (WIDTH, 2)
    for layer in range(_LAYERS):
        block = f"blk.{layer}"
        yield f"{block}.attn_norm.weight", (WIDTH,)
        yield f"{block}.attn_q.weight", (WIDTH, _HEADS * _HEAD)
        yield f"{block}.attn_k.weight", (WIDTH, _KV_HEADS * _HEAD)
        yield f"{block}.attn_v.weight", (WIDTH, _KV_HEADS * _HEAD)
        yield f"{block}.attn_q_norm.weight", (_HEAD,)
        yield f"{block}.attn_k_norm.weight", (_HEAD,)
        yield f"{block}.attn_output.weight", (_HEADS * _HEAD, WIDTH)
        yield f"{block}.ffn_norm.weight", (WIDTH,)
        yield f"{block}.ffn_gate.weight", (WIDTH, _HIDDEN)
        yield f"{block}.ffn_up.weight", (WIDTH, _HIDDEN)
        yield f"{block}.ffn_down.weight", (_HIDDEN, WIDTH)


def _parameters(pooling: int) -> list[bytes]:
    sizes = {
        "context_length": _CONTEXT,
        "embedding_length": WIDTH,
        "block_count": _LAYERS,
        "feed_forward_length": _HIDDEN,
        "attention.head_count": _HEADS,
        "attention.head_count_kv": _KV_HEADS,
        "attention.key_length": _HEAD,
        "attention.value_length": _HEAD,
        "pooling_type": pooling,
    }
    keys = [
        entry("general.architecture", STRING, string("qwen3")),
        *(entry(f"qwen3.{key}", UINT32, struct.pack("<I", size)) for key, size in sizes.items()),
        entry("qwen3.attention.layer_norm_rms_epsilon", FLOAT32, struct.pack("<f", 1e-5)),
    ]
    if pooling == RANK:
        labels = struct.pack("<IQ", STRING, 2) + string("yes") + string("no")
        keys += [
            entry("qwen3.classifier.output_labels", ARRAY, labels),
            entry("tokenizer.chat_template.rerank", STRING, string(TEMPLATE)),
        ]
    return keys


def _tokenizer() -> tuple[int, list[bytes]]:
    """The chat model's vocabulary: its size, and its keys as they stand in the file."""
    data = CHAT.read_bytes()
    (count,) = struct.unpack_from("<Q", data, 16)
    size, keys, at = 0, [], 24
    for _ in range(count):
        start = at
        (length,) = struct.unpack_from("<Q", data, at)
        value = at + 8 + length
        name = data[at + 8 : value].decode()
        at = end_of_value(data, value)
        if name.startswith("tokenizer.ggml."):
            keys.append(data[start:at])
        if name == "tokenizer.ggml.tokens":
            (size,) = struct.unpack_from("<Q", data, value + 8)
    return size, keys
