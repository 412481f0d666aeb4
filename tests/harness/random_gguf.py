"""Writes small GGUFs of random weights, one for each kind of memory llama.cpp has.

Nobody trained them, so what they say is noise, but it is always the same noise: the weights come
from a seed, and logits are spread so wide that rounding rarely changes the best token. Vocabulary
and chat template are the trained tiny model's, without the power to end a text: the rows of its
control tokens in the output matrix are zero.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .gguf_bytes import ARRAY, FLOAT32, INT32, STRING, UINT32, end_of_value, entry, padded, string

TINY = Path(__file__).parents[1] / "models" / "tiny-chat-q8_0.gguf"

WIDTH, HIDDEN, LAYERS = 128, 256, 4
HEADS, KV_HEADS, HEAD = 4, 2, 32
# Positions a layer with a sliding window sees, its own included.
WINDOW = 64
EXPERTS, EXPERTS_USED, EXPERT_HIDDEN = 4, 2, 128
# Mamba: its state per channel, its convolution's width, and the rank of its time step.
STATE, CONV, RANK = 16, 4, 8
CONTEXT = 4096

_CONTROL = 3
# Pairs of a head's dimensions that turn with time, height and width.
_SECTIONS = (4, 6, 6, 0)
# How far logits spread, and how sharp attention is: both well above rounding.
_LOGITS, _SHARPNESS = 4.0, 2.0

Shapes = Iterator[tuple[str, tuple[int, ...]]]


@dataclass(frozen=True, slots=True)
class Kind:
    """One architecture, and what llama.cpp says of it."""

    name: str
    architecture: str
    is_recurrent: bool = False
    is_hybrid: bool = False
    window: int = 0


LLAMA = Kind("llama", "llama")
SWA = Kind("swa", "gemma3", window=WINDOW)
MAMBA = Kind("mamba", "mamba", is_recurrent=True)
HYBRID = Kind("hybrid", "jamba", is_hybrid=True)
MOE = Kind("moe", "qwen3moe")
# Positions of four sections (M-RoPE), as models have that place images in two dimensions.
MROPE = Kind("mrope", "qwen2vl")
KINDS = (LLAMA, SWA, MAMBA, HYBRID, MOE)


def write(
    path: Path, kind: Kind, *, seed: int = 0, tokens: Mapping[str, int] | None = None
) -> None:
    """Write the file, some 3 to 6 MB; the same bytes for the same seed.

    `tokens` are special tokens to declare, such as `fim_pre`, by their ids.
    """
    tokenizer = _tokenizer()
    shapes = list(_shapes(kind, tokenizer.size))
    table = b""
    offset = 0
    for name, shape in shapes:
        table += string(name) + struct.pack("<I", len(shape))
        table += struct.pack(f"<{len(shape)}QIQ", *shape, 0, offset)
        offset += padded(4 * int(np.prod(shape)))
    keys = [*_parameters(kind), *tokenizer.keys]
    for which, token in (tokens or {}).items():
        keys.append(entry(f"tokenizer.ggml.{which}_token_id", UINT32, struct.pack("<I", token)))
    header = struct.pack("<4sIQQ", b"GGUF", 3, len(shapes), len(keys)) + b"".join(keys) + table
    dice = np.random.default_rng(seed)
    with path.open("wb") as file:
        file.write(header.ljust(padded(len(header)), b"\0"))
        for name, shape in shapes:
            values = _weights(name, shape, dice)
            if name == "output.weight":
                values[tokenizer.control] = 0.0
            if name == "token_embd.weight" and kind is SWA:
                # Gemma multiplies by this, and what attention adds would drown in it.
                values /= np.sqrt(WIDTH)
            data = values.astype(np.float32).tobytes()
            file.write(data.ljust(padded(len(data)), b"\0"))


def _weights(name: str, shape: tuple[int, ...], dice: np.random.Generator) -> npt.NDArray:
    """Values that keep the scale of what flows through; the innermost dimension comes last."""
    rows = tuple(reversed(shape))
    part = name.removesuffix(".weight").rpartition(".")[2]
    if part.endswith("norm") or part == "ssm_d":
        return np.ones(rows)
    if part == "ssm_a":
        # Each channel of the state forgets at a pace of its own.
        return np.broadcast_to(-np.linspace(0.02, 1.0, shape[0]), rows)
    if name.endswith("ssm_dt.bias"):
        return dice.uniform(-3.0, -1.0, rows)
    if name.endswith(".bias"):
        return np.zeros(rows)
    gain = {"output": _LOGITS, "attn_q": _SHARPNESS, "attn_k": _SHARPNESS}.get(part, 1.0)
    if part == "token_embd":
        return dice.standard_normal(rows)
    return dice.standard_normal(rows) * gain / np.sqrt(shape[0])


def _shapes(kind: Kind, vocabulary: int) -> Shapes:
    """Tensor names and shapes, innermost dimension first as in the file."""
    yield "token_embd.weight", (WIDTH, vocabulary)
    yield "output_norm.weight", (WIDTH,)
    yield "output.weight", (WIDTH, vocabulary)
    for layer in range(LAYERS):
        for part, shape in _layer(kind, layer):
            yield f"blk.{layer}.{part}", shape


def _layer(kind: Kind, layer: int) -> Shapes:
    yield "attn_norm.weight", (WIDTH,)
    if kind is MAMBA or (kind is HYBRID and not _attends(layer)):
        yield from _mamba(kind)
    else:
        yield from _attention(kind)
    if kind is MAMBA:
        return
    yield "ffn_norm.weight", (WIDTH,)
    if kind is MOE:
        yield "ffn_gate_inp.weight", (WIDTH, EXPERTS)
        yield "ffn_gate_exps.weight", (WIDTH, EXPERT_HIDDEN, EXPERTS)
        yield "ffn_down_exps.weight", (EXPERT_HIDDEN, WIDTH, EXPERTS)
        yield "ffn_up_exps.weight", (WIDTH, EXPERT_HIDDEN, EXPERTS)
        return
    yield "ffn_gate.weight", (WIDTH, HIDDEN)
    yield "ffn_up.weight", (WIDTH, HIDDEN)
    yield "ffn_down.weight", (HIDDEN, WIDTH)
    if kind is SWA:
        yield "post_ffw_norm.weight", (WIDTH,)


def _attends(layer: int) -> bool:
    """In the hybrid, every second layer has attention and the others have a recurrent state."""
    return layer % 2 == 1


def _attention(kind: Kind) -> Shapes:
    yield "attn_q.weight", (WIDTH, HEADS * HEAD)
    yield "attn_k.weight", (WIDTH, KV_HEADS * HEAD)
    yield "attn_v.weight", (WIDTH, KV_HEADS * HEAD)
    yield "attn_output.weight", (HEADS * HEAD, WIDTH)
    if kind is MROPE:
        yield "attn_q.bias", (HEADS * HEAD,)
        yield "attn_k.bias", (KV_HEADS * HEAD,)
        yield "attn_v.bias", (KV_HEADS * HEAD,)
    if kind in (SWA, MOE):
        yield "attn_q_norm.weight", (HEAD,)
        yield "attn_k_norm.weight", (HEAD,)
    if kind is SWA:
        yield "post_attention_norm.weight", (WIDTH,)


def _mamba(kind: Kind) -> Shapes:
    inner = 2 * WIDTH
    yield "ssm_in.weight", (WIDTH, 2 * inner)
    yield "ssm_conv1d.weight", (CONV, inner)
    yield "ssm_conv1d.bias", (inner,)
    yield "ssm_x.weight", (inner, RANK + 2 * STATE)
    yield "ssm_dt.weight", (RANK, inner)
    yield "ssm_dt.bias", (inner,)
    yield "ssm_a", (STATE, inner)
    yield "ssm_d", (inner,)
    yield "ssm_out.weight", (inner, WIDTH)
    if kind is HYBRID:
        yield "ssm_dt_norm.weight", (RANK,)
        yield "ssm_b_norm.weight", (STATE,)
        yield "ssm_c_norm.weight", (STATE,)


def _parameters(kind: Kind) -> Iterator[bytes]:
    name = kind.architecture
    sizes = {
        "context_length": CONTEXT,
        "embedding_length": WIDTH,
        "block_count": LAYERS,
        "feed_forward_length": 0 if kind is MAMBA else HIDDEN,
        "attention.head_count": 0 if kind is MAMBA else HEADS,
    }
    if kind in (MAMBA, HYBRID):
        sizes |= {
            "ssm.conv_kernel": CONV,
            "ssm.inner_size": 2 * WIDTH,
            "ssm.state_size": STATE,
            "ssm.time_step_rank": RANK,
        }
    if kind is SWA:
        # Every second layer sees everything.
        sizes |= {
            "attention.sliding_window": WINDOW,
            "attention.sliding_window_pattern": 2,
        }
    if kind is MOE:
        sizes |= {
            "expert_count": EXPERTS,
            "expert_used_count": EXPERTS_USED,
            "expert_feed_forward_length": EXPERT_HIDDEN,
        }
    yield entry("general.architecture", STRING, string(name))
    yield entry("general.name", STRING, string(f"random {kind.name}"))
    for key, size in sizes.items():
        yield entry(f"{name}.{key}", UINT32, struct.pack("<I", size))
    yield entry(f"{name}.attention.layer_norm_rms_epsilon", FLOAT32, struct.pack("<f", 1e-5))
    if kind is MROPE:
        sections = struct.pack("<IQ4i", INT32, 4, *_SECTIONS)
        yield entry(f"{name}.rope.dimension_sections", ARRAY, sections)
    if kind is HYBRID:
        heads = [KV_HEADS if _attends(layer) else 0 for layer in range(LAYERS)]
        counts = struct.pack(f"<IQ{LAYERS}i", INT32, LAYERS, *heads)
        yield entry(f"{name}.attention.head_count_kv", ARRAY, counts)
    elif kind is not MAMBA:
        yield entry(f"{name}.attention.head_count_kv", UINT32, struct.pack("<I", KV_HEADS))


@dataclass(frozen=True, slots=True)
class _Tokenizer:
    """Keys as they stand in the file they come from."""

    keys: list[bytes]
    size: int
    control: npt.NDArray[np.intp]


def _tokenizer() -> _Tokenizer:
    data = TINY.read_bytes()
    (count,) = struct.unpack_from("<Q", data, 16)
    at = 24
    keys = []
    types = np.zeros(0, np.int32)
    for _ in range(count):
        start = at
        (length,) = struct.unpack_from("<Q", data, at)
        name = data[at + 8 : at + 8 + length].decode()
        value = at + 8 + length
        at = end_of_value(data, value)
        if name.startswith("tokenizer."):
            keys.append(data[start:at])
        if name == "tokenizer.ggml.token_type":
            types = np.frombuffer(data[value + 16 : at], np.int32)
    return _Tokenizer(keys, types.size, np.flatnonzero(types == _CONTROL))
