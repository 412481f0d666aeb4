"""What to change about a model that does not fit. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from kronk.shared.units import format_bytes
from kronk.shared.wire.loading import LoadSpec

from .predict import Prediction
from .read import MOST_LAYERS
from .search import largest
from .shape import CELL_STEP, Shape

# Rows of a decode that sizes scratch memory, the most first; prompts are read more slowly.
_FEWER_ROWS = (256, 128, 64, 32)
# A smaller window is no use to anybody.
_LEAST = 512
# Parts in the order in which they are named, as people know them.
_NAMES = {
    "process": "the process itself",
    "weights": "weights",
    "kv": "KV cache",
    "scratch": "scratch memory",
    "work": "working memory",
    "outputs": "outputs",
    "draft": "draft model",
    "projector": "projector",
    "adapters": "adapters",
}
# Smaller parts of the whole are not worth a word.
_WORTH_NAMING = 0.05


def parts_in_words(prediction: Prediction) -> str:
    """The larger parts: `weights 4.1 GiB, KV cache 12 GiB (4 slots of 32768 tokens)`."""
    shape = prediction.shape
    words = []
    total = sum(prediction.by_device.values())
    for part, name in _NAMES.items():
        size = prediction.part(part)
        if size >= _WORTH_NAMING * total or part == "weights":
            words.append(f"{name} {format_bytes(size)}" + (_slots(shape) if part == "kv" else ""))
    if prediction.clip_bytes:
        words.append(f"kept images and recordings {format_bytes(prediction.clip_bytes)}")
    return ", ".join(words)


def _slots(shape: Shape) -> str:
    slots = "1 slot" if shape.slots == 1 else f"{shape.slots} slots"
    return f" ({slots} of {shape.window} tokens)"


def advise(
    spec: LoadSpec, prediction: Prediction, fits: Callable[[LoadSpec], bool], *, has_gpu: bool
) -> list[str]:
    """Changes of the configuration each of which alone would make it fit: a smaller context, fewer
    slots, a smaller cache type, more layers on the GPU, fewer rows at a time."""
    return list(_changes(spec, prediction, fits, has_gpu=has_gpu))


def _changes(
    spec: LoadSpec, prediction: Prediction, fits: Callable[[LoadSpec], bool], *, has_gpu: bool
) -> Iterator[str]:
    context = spec.context
    window = largest(
        prediction.shape.window // CELL_STEP,
        lambda steps: fits(replace(spec, context=replace(context, window=steps * CELL_STEP))),
    )
    if window * CELL_STEP >= _LEAST:
        yield f"context_window: {window * CELL_STEP}"
    slots = largest(
        prediction.shape.slots - 1,
        lambda count: fits(replace(spec, context=replace(context, slots=count))),
    )
    if slots:
        yield f"n_seq_max: {slots}"
    small = replace(context, cache_type_k="q8_0", cache_type_v="q8_0")
    can_be_small = context.flash_attention != "disabled"
    if can_be_small and small != context and fits(replace(spec, context=small)):
        yield "cache_type_k and cache_type_v: q8_0"
    if has_gpu:
        yield from _offloads(spec, fits)
    for rows in _FEWER_ROWS:
        if rows < context.n_ubatch and fits(replace(spec, context=replace(context, n_ubatch=rows))):
            yield f"n_ubatch: {rows}"
            break


def _offloads(spec: LoadSpec, fits: Callable[[LoadSpec], bool]) -> Iterator[str]:
    def moved(layers: int | None) -> LoadSpec:
        return replace(spec, placement=replace(spec.placement, n_gpu_layers=layers))

    experts = _fewest_kept(spec, fits)
    if experts:
        yield f"n_cpu_moe: {experts} (experts of that many layers in main memory)"
    if fits(moved(None)):
        yield "n_gpu_layers: 0 (all layers on the GPU)"
    elif layers := largest(MOST_LAYERS, lambda count: fits(moved(count))):
        yield f"n_gpu_layers: {layers}"


def _fewest_kept(spec: LoadSpec, fits: Callable[[LoadSpec], bool]) -> int:
    """The fewest layers whose experts have to stay in main memory for it to fit; 0 where that does
    not help."""

    def kept(count: int) -> LoadSpec:
        return replace(spec, placement=replace(spec.placement, n_cpu_moe=count))

    if not fits(kept(MOST_LAYERS)):
        return 0
    return MOST_LAYERS - largest(MOST_LAYERS, lambda spared: fits(kept(MOST_LAYERS - spared)))
