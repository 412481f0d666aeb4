"""What the size of a model depends on, as its files' headers say it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Layer:
    """One block of a model."""

    # Numbers kept for each token: its keys and values. Both 0 for a layer without attention, or
    # one that shares those of another.
    keys: int = 0
    values: int = 0
    # It attends to the latest positions only.
    windowed: bool = False
    # What is kept are compressed keys, of which values are made (MLA).
    compressed: bool = False
    # Numbers kept for each sequence, whatever its length (float32).
    states: int = 0
    # Weights in bytes: those of experts, and all others.
    dense_bytes: int = 0
    expert_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Weight:
    """One tensor, where tensors are placed one by one."""

    name: str
    size_bytes: int
    # The block it is of; their number for what is behind the last one, None for what is before the
    # first.
    layer: int | None
    is_expert: bool


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A GGUF model's measures; counts of numbers where nothing else is said."""

    architecture: str
    layers: tuple[Layer, ...]
    # Files, all shards: what a memory map of them takes.
    file_bytes: int
    # Weights before the first layer, which stay in main memory, and behind the last one.
    input_bytes: int
    output_bytes: int
    # Weights by type, of tensors that llama.cpp may copy into another layout for a processor.
    matrix_bytes: tuple[tuple[str, int], ...]
    vocabulary: int
    width: int
    heads: int
    # Of the widest layer's feed-forward part, as far as one token uses it.
    hidden: int
    # That part has a gate beside it, as wide.
    gated: bool = True
    # Channels and state per channel of recurrent layers; 0 where there are none.
    channels: int = 0
    channel_state: int = 0
    # Tokens it was trained for, before that was extended if it was, and the rows of its table of
    # positions if it has one.
    trained: int = 0
    original: int | None = None
    positions: int | None = None
    # Positions that windowed layers see.
    window: int = 0
    # It makes embeddings or scores of whole texts.
    pools: bool = False
    causal: bool = True
    # Its texts may be decoded in parts, because only their last token counts.
    cuts: bool = False
    # Weights by count: all, and of them those of experts.
    parameters: int = 0
    expert_parameters: int = 0
    # Experts of a layer, and those that work on one token.
    experts: int = 0
    experts_used: int = 0
    # Every tensor; empty where a load does not name any.
    tensors: tuple[Weight, ...] = ()


@dataclass(frozen=True, slots=True)
class ProjectorFacts:
    """A projector's measures."""

    file_bytes: int
    # Scratch memory for the largest clip, in numbers.
    working: int


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model with everything that is loaded beside it."""

    model: ModelFacts
    draft: ModelFacts | None = None
    projector: ProjectorFacts | None = None
    adapter_bytes: int = 0
