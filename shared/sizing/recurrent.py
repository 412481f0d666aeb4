"""What layers keep that is no keys and values: the states of recurrent layers. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

_PURE = frozenset({"mamba", "mamba2", "rwkv6", "rwkv6qwen2", "rwkv7", "arwkv7"})
# Every layer has both.
_PARALLEL = frozenset({"falcon-h1"})
# A layer of full attention after so many recurrent ones, the last of each group.
_INTERLEAVED = {"qwen3next": 4, "qwen35": 4, "qwen35moe": 4}
# Of models that carry the last tokens along, how many.
_SHIFTED_TOKENS = 2


class Numbers(Protocol):
    """Keys of a header."""

    @property
    def architecture(self) -> str: ...

    def number(self, name: str, default: int = 0) -> int:
        """The integer under this key."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What one layer keeps."""

    # Keys and values.
    attends: bool
    # Numbers for each sequence.
    states: int


def layers(keys: Numbers, count: int, kv_heads: Sequence[int]) -> list[Memory]:
    """Of each layer of a model."""
    states = _states(keys)
    if not states:
        return [Memory(True, 0)] * count
    if keys.architecture in _PURE:
        return [Memory(False, states)] * count
    if keys.architecture in _PARALLEL:
        return [Memory(True, states)] * count
    if keys.architecture in _INTERLEAVED:
        every = keys.number("full_attention_interval", _INTERLEAVED[keys.architecture])
        attends = [(index + 1) % max(every, 1) == 0 for index in range(count)]
    else:
        # Hybrids say by layer how many heads there are; none is a recurrent layer.
        attends = [heads > 0 for heads in kv_heads]
    return [Memory(attends=full, states=0 if full else states) for full in attends]


def _states(keys: Numbers) -> int:
    width = keys.number("embedding_length")
    if head := keys.number("wkv.head_size"):
        return keys.number("token_shift_count", _SHIFTED_TOKENS) * width + width * head
    if taps := keys.number("shortconv.l_cache"):
        return width * (taps - 1)
    taps, inner = max(keys.number("ssm.conv_kernel") - 1, 0), keys.number("ssm.inner_size")
    if head := keys.number("kda.head_dim"):
        wide = keys.number("attention.head_count") * head
        return 3 * taps * wide + wide * head
    state = keys.number("ssm.state_size")
    return taps * (inner + 2 * keys.number("ssm.group_count") * state) + state * inner
