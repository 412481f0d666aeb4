"""The bytes that a model will take of each device. Pure.

Formulas follow what llama.cpp allocates; where it plans graphs of its own (scratch memory), they
are upper bounds fitted to what it reports. tests/engine/test_sizing.py compares both with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from kronk.shared.gguf import TENSOR_TYPES
from kronk.shared.wire.loading import LoadSpec, SpeculationSpec

from .facts import Layer, ModelFacts, ModelFiles, ProjectorFacts
from .placing import HOST, Gpu, Homes, homes
from .shape import Host, Shape, padded, shape_of

MIB = 2**20
# A worker before it has a model: its interpreter and heap, and the pages of its libraries.
PROCESS_PRIVATE = 46 * MIB
PROCESS_MAPPED = 26 * MIB
# llama.cpp's vocabulary, by token: text, score, two maps.
_TOKEN_BYTES = 280
# A projector's buffers beside its weights, and the embeddings that it keeps.
_PROJECTOR_BASE = 12 * MIB
_KEPT_CLIPS = 128 * MIB
_FLOAT = 4
# What memory of what was read is made of.
RECURRENT = "recurrent"
KINDS = ("full_attention", "sliding_window", "latent", RECURRENT)
_CACHE_TYPES = {name: (values, size) for name, values, size in TENSOR_TYPES.values()}


@dataclass(frozen=True, slots=True)
class Machine:
    """What a model is to run on."""

    host: Host
    gpus: tuple[Gpu, ...] = ()
    # Tensor types that llama.cpp copies into another layout for this processor.
    repacked: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Prediction:
    """Bytes by device, for each part of a loaded model."""

    shape: Shape
    parts: Mapping[str, Mapping[str, int]]
    # Of it the part `kv`, by what keeps it: see `KINDS`.
    kv: Mapping[str, Mapping[str, int]]
    # What may come on top while it runs, in main memory: states of cached prefixes, and the
    # embeddings of the latest clips.
    cache_bytes: int
    clip_bytes: int
    # Pages of the model's file that are in memory and read no more, because the processor has a
    # copy in another layout; the kernel takes them back when memory is short. In no part.
    stale_bytes: int

    @property
    def by_device(self) -> dict[str, int]:
        """All parts together."""
        return _together(self.parts)

    def part(self, name: str) -> int:
        """One part, on all devices."""
        return sum(self.parts.get(name, {}).values())


def predict(spec: LoadSpec, files: ModelFiles, machine: Machine) -> Prediction:
    """What a process takes that loads this."""
    shape = shape_of(spec, files.model, machine.host)
    places = homes(spec.placement, files.model, machine.gpus)
    kv = _memory(spec, files.model, shape, places)
    parts = {
        "process": {HOST: PROCESS_PRIVATE + PROCESS_MAPPED},
        **_model(spec, files.model, shape, places),
    }
    if files.draft is not None:
        parts["draft"] = _draft(spec, files.draft, shape, machine)
    keeps = spec.cache.mode != "off" and not files.model.pools
    if files.projector is not None:
        place = places.main if places.layers and spec.placement.n_gpu_layers != 0 else HOST
        parts["projector"] = {place: _projector(files.projector)}
    if files.adapter_bytes:
        parts["adapters"] = {HOST: files.adapter_bytes}
    return Prediction(
        shape,
        parts,
        kv,
        cache_bytes=spec.cache.ram_bytes if keeps else 0,
        clip_bytes=_KEPT_CLIPS if files.projector is not None else 0,
        stale_bytes=_stale(spec, files.model, places, machine),
    )


def _model(
    spec: LoadSpec, facts: ModelFacts, shape: Shape, places: Homes
) -> dict[str, Mapping[str, int]]:
    context = spec.context
    scratch = scratch_bytes(facts, shape, context.swa_full)
    on_host = not places.layers or HOST in places.layers
    return {
        "weights": _weights(spec, facts, places),
        "vocabulary": {HOST: facts.vocabulary * _TOKEN_BYTES},
        "kv": _together(_memory(spec, facts, shape, places)),
        "scratch": dict.fromkeys(places.computing, scratch),
        "work": {HOST: work_bytes(facts, shape, spec) if on_host else 0},
        "outputs": {HOST: outputs_bytes(facts, shape)},
    }


def _draft(spec: LoadSpec, facts: ModelFacts, shape: Shape, machine: Machine) -> dict[str, int]:
    """Its context has the model's own measures, and keeps everything in f16."""
    plain = replace(spec.context, cache_type_k="f16", cache_type_v="f16", swa_full=True)
    alone = replace(spec, context=plain, speculation=SpeculationSpec())
    one = replace(shape, outputs=shape.sequences)
    places = homes(spec.placement, facts, machine.gpus)
    return _together(_model(alone, facts, one, places))


def _weights(spec: LoadSpec, facts: ModelFacts, places: Homes) -> dict[str, int]:
    total = Counter(places.weights)
    on_gpus = sum(size for device, size in places.weights.items() if device != HOST)
    if not on_gpus:
        # Mapped or read, the whole file is in memory.
        total[HOST] = facts.file_bytes
    elif spec.placement.use_mmap:
        # What went to a GPU is unmapped at the file's ends only; what is read there is let go.
        total[HOST] = max(facts.file_bytes - on_gpus, total[HOST])
    return dict(total)


def _stale(spec: LoadSpec, facts: ModelFacts, places: Homes, machine: Machine) -> int:
    if not spec.extra_buffers or not spec.placement.use_mmap:
        return 0
    copied = sum(size for kind, size in facts.matrix_bytes if kind in machine.repacked)
    on_gpus = sum(size for device, size in places.weights.items() if device != HOST)
    return int(copied * max(1 - on_gpus / max(facts.file_bytes, 1), 0))


def _memory(
    spec: LoadSpec, facts: ModelFacts, shape: Shape, places: Homes
) -> dict[str, dict[str, int]]:
    """Keys, values and states by kind and device."""
    found: dict[str, Counter[str]] = {}
    windowed = window_cells(facts, shape, spec.context.swa_full)
    for index, layer in enumerate(facts.layers):
        cells = windowed if layer.windowed else shape.cells
        place = places.layers[index] if places.layers and spec.context.offload_kqv else HOST
        kept = _stored(layer.keys * cells, spec.context.cache_type_k)
        kept += _stored(layer.values * cells, spec.context.cache_type_v)
        states = layer.states * shape.sequences * _FLOAT
        for kind, size in ((kind_of(layer), kept), (RECURRENT, states)):
            if size:
                found.setdefault(kind, Counter())[place] += size
    return {kind: dict(found[kind]) for kind in KINDS if kind in found}


def kind_of(layer: Layer) -> str:
    """What a layer keeps of each token: of all, or of the latest ones, or compressed."""
    if layer.compressed:
        return "latent"
    return "sliding_window" if layer.windowed else "full_attention"


def _together(parts: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for part in parts.values():
        total.update(part)
    return dict(total)


def _stored(count: int, kind: str) -> int:
    values, size = _CACHE_TYPES[kind]
    return count * size // values


def kv_bytes(spec: LoadSpec, facts: ModelFacts, shape: Shape) -> int:
    """Keys, values and states of a context, wherever they are."""
    return sum(_together(_memory(spec, facts, shape, Homes(HOST, (), {}, ()))).values())


def window_cells(facts: ModelFacts, shape: Shape, swa_full: bool) -> int:
    """Cells of layers with a sliding window: what the window needs and one step adds."""
    if swa_full or not facts.window:
        return shape.cells
    return min(shape.cells, padded(facts.window * shape.sequences + shape.n_ubatch))


def scratch_bytes(facts: ModelFacts, shape: Shape, swa_full: bool) -> int:
    """Memory for the graph of one decode: the greatest of its stages."""
    count = shape.n_ubatch
    mask_of = 2 if shape.flash_attention else _FLOAT
    has_windows = any(layer.windowed for layer in facts.layers)
    attends = any(layer.keys for layer in facts.layers)
    masks = shape.cells if attends else 0
    if attends and has_windows:
        masks += window_cells(facts, shape, swa_full)
    looked_at = shape.cells
    if not facts.causal:
        # Without memory, rows look at one another.
        masks = looked_at = count
    scores = 0 if shape.flash_attention else count * looked_at * facts.heads
    row = facts.width + _PER_ROW
    attention = scores + 6 * count * row
    forward = count * (4 * row + (3 if facts.gated else 1) * facts.hidden)
    states = 2 * shape.sequences * facts.channels * facts.channel_state
    recurrent = count * (6 * facts.channels + row) + states if facts.channels else 0
    logits = shape.outputs * (facts.vocabulary if facts.causal else 0) + 3 * count * row
    logits += count * count if facts.pools else 0
    within = _FLOAT * max(attention, forward, recurrent)
    return max(count * masks * mask_of + within, _FLOAT * logits)


def work_bytes(facts: ModelFacts, shape: Shape, spec: LoadSpec) -> int:
    """What a processor needs beside the graph's own memory: a factor of a matrix product in the
    other one's type. Without flash attention that is all scores of a step."""
    count = shape.n_ubatch
    product = count * max(facts.hidden, facts.width, 2 * facts.channels)
    if shape.flash_attention or spec.context.cache_type_v == "f32":
        return product * _FLOAT // 2
    looked_at = shape.cells if facts.causal else count
    attends = any(layer.values for layer in facts.layers)
    scores = count * looked_at * facts.heads * attends
    return max(product, int(scores * _GROWN)) * _FLOAT // 2


# Working memory grows with the cells in use; what was outgrown is not all given back.
_GROWN = 4 / 3
# Numbers of a row that are not activations: tokens, positions, where it is stored.
_PER_ROW = 2


def outputs_bytes(facts: ModelFacts, shape: Shape) -> int:
    """Where results are put: logits, which pooled rows have as well and nobody reads, and their
    embeddings and what becomes of them."""
    embeddings = 5 * facts.width if facts.pools else 0
    return _FLOAT * shape.outputs * (facts.vocabulary + embeddings)


def _projector(facts: ProjectorFacts) -> int:
    return facts.file_bytes + _PROJECTOR_BASE + _FLOAT * facts.working
