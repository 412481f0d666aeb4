"""From a GGUF's header to the measures of its model. Pure; believes nothing but integers."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kronk.shared.errors import InvalidArgument
from kronk.shared.gguf import Counted, Header, Tensor

from . import recurrent, windows
from .facts import Layer, ModelFacts, ProjectorFacts, Weight

# Far more than any model has; a file may claim what it likes.
MOST_LAYERS = 1024
_BLOCK = re.compile(r"blk\.(\d+)\.")
_EXPERTS = re.compile(r"ffn_(?:up|down|gate_up|gate)_(?:ch|)exps")
_RANK = 4


@dataclass(frozen=True, slots=True)
class Keys:
    """The architecture's own keys of a header; what is no integer counts as not said."""

    header: Header
    architecture: str

    def number(self, name: str, default: int = 0) -> int:
        value = self.header.metadata.get(f"{self.architecture}.{name}")
        if isinstance(value, tuple):
            return max((one for one in value if type(one) is int), default=default)
        return max(value, 0) if type(value) is int else default

    def several(self, name: str) -> Sequence[int] | None:
        """The values of an array, if it is one."""
        value = self.header.metadata.get(f"{self.architecture}.{name}")
        if not isinstance(value, tuple):
            return None
        return [max(int(one), 0) if isinstance(one, int) else 0 for one in value]

    def by_layer(self, name: str, layers: int, default: int) -> list[int]:
        """One value for each layer; the file may have one for all."""
        found = self.several(name)
        if found is None:
            return [self.number(name, default)] * layers
        return [*found[:layers], *[default] * (layers - len(found))]


def model_facts(
    header: Header, shards: Iterable[Header] = (), *, with_tensors: bool = False
) -> ModelFacts:
    """The measures of a model; `shards` are its further files. A table of its tensors is made for
    those who place them one by one.

    `InvalidArgument` where the header is of no model that could be measured.
    """
    architecture = header.metadata.get("general.architecture")
    if not isinstance(architecture, str):
        raise InvalidArgument("general.architecture is missing: not a model")
    keys = Keys(header, architecture)
    count = keys.number("block_count")
    if not 0 < count <= MOST_LAYERS:
        raise InvalidArgument(f"{architecture}.block_count must be 1 to {MOST_LAYERS}, got {count}")
    headers = [header, *shards]
    tensors = [tensor for one in headers for tensor in one.tensors]
    weights = _weights(tensors, count, _hidden(keys))
    causal = bool(header.metadata.get(f"{architecture}.attention.causal", True))
    pooling = keys.number("pooling_type")
    return ModelFacts(
        architecture=architecture,
        layers=tuple(_layers(keys, count, weights, causal=causal)),
        file_bytes=sum(one.file_size for one in headers),
        input_bytes=weights.input_bytes,
        output_bytes=weights.output_bytes,
        matrix_bytes=tuple(sorted(weights.matrices.items())),
        vocabulary=_vocabulary(keys),
        width=keys.number("embedding_length"),
        heads=keys.number("attention.head_count"),
        hidden=_hidden(keys),
        gated=weights.gated,
        channels=keys.number("ssm.inner_size"),
        channel_state=keys.number("ssm.state_size"),
        trained=keys.number("context_length"),
        original=keys.number("rope.scaling.original_context_length") or None,
        positions=next((t.shape[-1] for t in tensors if t.name == "position_embd.weight"), None),
        window=windows.window_of(architecture, keys.number("attention.sliding_window")),
        pools=bool(pooling) or not causal,
        causal=causal,
        cuts=causal and pooling in (3, _RANK) and not keys.number("ssm.inner_size"),
        parameters=weights.parameters,
        expert_parameters=weights.expert_parameters,
        experts=keys.number("expert_count"),
        experts_used=keys.number("expert_used_count"),
        tensors=tuple(_table(tensors, count)) if with_tensors else (),
    )


def projector_facts(header: Header) -> ProjectorFacts:
    """The measures of a projector. What it needs to work on a clip is a guess: of one patch after
    another, what a layer makes of all."""
    vision = Keys(header, "clip.vision")
    patch = max(vision.number("patch_size"), 1)
    patches = min((vision.number("image_size") // patch) ** 2, 2**16)
    sound = Keys(header, "clip.audio")
    # Half a minute of sound, of which the encoders' first layers make one row in 20 ms.
    rows = 1500 if sound.number("embedding_length") else 0
    working = max(
        count * (4 * keys.number("embedding_length") + 3 * keys.number("feed_forward_length"))
        for count, keys in ((patches, vision), (rows, sound))
    )
    return ProjectorFacts(header.file_size, working)


@dataclass(slots=True)
class _Weights:
    dense: list[int]
    experts: list[int]
    matrices: Counter[str]
    input_bytes: int = 0
    output_bytes: int = 0
    parameters: int = 0
    expert_parameters: int = 0
    gated: bool = False


def _has_gate(tensor: Tensor, hidden: int) -> bool:
    """Whether it is the gate of a feed-forward part, or has that in it."""
    if "ffn_gate" in tensor.name:
        return True
    return ".ffn_up." in tensor.name and len(tensor.shape) > 1 and tensor.shape[1] > hidden


def _weights(tensors: Iterable[Tensor], count: int, hidden: int) -> _Weights:
    found = _Weights([0] * count, [0] * count, Counter())
    tied = 0
    has_output = False
    for tensor in tensors:
        size, values = tensor.size_bytes, math.prod(tensor.shape)
        found.parameters += values
        found.gated = found.gated or _has_gate(tensor, hidden)
        layer, is_expert = _home(tensor.name, count)
        if layer is not None and layer < count:
            place = found.experts if is_expert else found.dense
            place[layer] += size
            found.expert_parameters += values if is_expert else 0
            if len(tensor.shape) > 1 and tensor.shape[1] % 8 == 0:
                found.matrices[tensor.kind] += size
        elif layer is not None:
            has_output = has_output or tensor.name == "output.weight"
            found.output_bytes += size
        else:
            tied += size if tensor.name == "token_embd.weight" else 0
            found.input_bytes += size
    if not has_output:
        # A GPU gets a copy of the table of embeddings where that is the output matrix too.
        found.output_bytes += tied
    return found


def _home(name: str, count: int) -> tuple[int | None, bool]:
    """The block that a tensor is of, as `Weight` has it, and whether it is one of experts."""
    block = _BLOCK.match(name)
    if block is not None and int(block[1]) < count:
        return int(block[1]), _EXPERTS.search(name) is not None
    return (count if name.startswith(("output", "cls")) else None), False


def _table(tensors: Iterable[Tensor], count: int) -> Iterable[Weight]:
    for tensor in tensors:
        yield Weight(tensor.name, tensor.size_bytes, *_home(tensor.name, count))


def _layers(keys: Keys, count: int, weights: _Weights, *, causal: bool) -> Iterable[Layer]:
    heads = keys.number("attention.head_count")
    kv_heads = keys.by_layer("attention.head_count_kv", count, heads)
    head = keys.number("embedding_length") // heads if heads else 0
    size_k = keys.number("attention.key_length", head)
    size_v = keys.number("attention.value_length", head)
    compressed = bool(keys.number("attention.key_length_mla"))
    if compressed:
        # What is kept is compressed, and values are made of the keys.
        size_v = 0
    shared_from = count - keys.number("attention.shared_kv_layers")
    if keys.architecture == "gemma3n":
        shared_from = min(20, count)
    window = windows.window_of(keys.architecture, keys.number("attention.sliding_window"))
    pattern = keys.several("attention.sliding_window_pattern") or keys.number(
        "attention.sliding_window_pattern"
    )
    flags = windows.windowed(keys.architecture, count, pattern or None)
    memories = recurrent.layers(keys, count, kv_heads)
    for index in range(count):
        narrow = bool(window) and flags[index]
        attends = causal and memories[index].attends and index < shared_from
        of_k = keys.number("attention.key_length_swa", size_k) if narrow else size_k
        of_v = keys.number("attention.value_length_swa", size_v) if narrow else size_v
        yield Layer(
            keys=kv_heads[index] * of_k if attends else 0,
            values=kv_heads[index] * of_v if attends else 0,
            windowed=narrow,
            compressed=compressed,
            states=memories[index].states,
            dense_bytes=weights.dense[index],
            expert_bytes=weights.experts[index],
        )


def _hidden(keys: Keys) -> int:
    experts = keys.number("expert_used_count") * keys.number("expert_feed_forward_length")
    experts += keys.number("expert_shared_feed_forward_length")
    return max(experts, 0 if experts else keys.number("feed_forward_length"))


def _vocabulary(keys: Keys) -> int:
    tokens = keys.header.metadata.get("tokenizer.ggml.tokens")
    return tokens.count if isinstance(tokens, Counted) else keys.number("vocab_size")
