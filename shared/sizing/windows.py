"""Which layers of a model have a sliding window. Pure."""

from __future__ import annotations

from collections.abc import Sequence

# One layer in so many sees everything, the last of each group, where the file does not say. What
# is not listed has no window in llama.cpp, or says itself which layers have one.
_EVERY = {
    "gemma2": 2,
    "gemma3": 6,
    "gemma3n": 5,
    "gpt-oss": 2,
    "cohere2": 4,
    "llama4": 4,
    "olmo2": 4,
    "exaone4": 4,
    "exaone-moe": 4,
}
# The first of each group instead.
_FIRST = {"smallthinker": 4}
# Those whose files may have a window that llama.cpp does not use.
_NONE = frozenset({"phi3", "qwen2", "qwen3", "qwen2moe", "qwen3moe", "llama", "mistral3"})
# Where it is not in the file.
_SIZES = {"llama4": 8192, "gemma2": 4096}


def window_of(architecture: str, said: int) -> int:
    """Positions that a windowed layer sees; 0: no layer has a window."""
    if architecture in _NONE:
        return 0
    return said or _SIZES.get(architecture, 0)


def windowed(architecture: str, layers: int, pattern: int | Sequence[int] | None) -> list[bool]:
    """Of each layer, given what the file says: the size of a group, or a flag for each layer."""
    if isinstance(pattern, Sequence):
        flags = [bool(flag) for flag in pattern[:layers]]
        return flags + [False] * (layers - len(flags))
    if architecture in _FIRST:
        every = pattern or _FIRST[architecture]
        return [layer % every != 0 for layer in range(layers)]
    every = pattern or _EVERY.get(architecture, 1)
    # Where nobody knows, every layer keeps everything: too much is safe to expect.
    return [layer % every < every - 1 for layer in range(layers)]
