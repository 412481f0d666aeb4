"""Proposes settings for a model on a machine. Pure; docs/sizing.md has the policy in words.

What matters most is kept longest: the type of the cache (quality), then enough context, then
slots. Fewer rows at a time, which only makes prompts slower to read, are tried before anything is
given up; layers leave the GPU only where nothing useful fits there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from kronk.shared.units import format_bytes
from kronk.shared.wire.loading import LoadSpec

from .placing import HOST
from .promise import CACHE_SHARE
from .search import largest
from .shape import CELL_STEP, DEFAULT_TEXTS
from .trial import MOST_SLOTS, Trial, with_cache, with_slots, with_window

# Tokens that are enough where nobody says: for a coding agent's conversation.
ENOUGH = 32_768
# Requests at the same time where nobody says.
USUAL_SLOTS = 4
# With less context on a GPU, slower layers in main memory are the better choice.
USEFUL = 8192
# A smaller window is no use to anybody.
LEAST = 512
# As the configuration has it.
MOST_WANTED = 16_777_216
# Cache types, the best first; anything smaller costs quality that people notice.
CACHES = ("f16", "q8_0")
# Rows of a prompt at a time, the fastest first.
ROWS = (512, 256, 128)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the operator asks for; None is "whatever is good"."""

    context: int | None = None
    slots: int | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """One setting, by its key of the model configuration, and why it has this value."""

    key: str
    value: Any
    why: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """What to load. It fits, unless `fits` says that nothing does."""

    spec: LoadSpec
    choices: tuple[Choice, ...]
    fits: bool


# A load, and why it is as it is.
_Found = tuple[LoadSpec, str]


def autotune(spec: LoadSpec, trial: Trial, wanted: Wanted) -> Proposal:
    """The settings for this load, the rest of which stays as it is."""
    roomy = _leaving_room(spec, trial)
    context = _context(spec, trial, wanted)
    usual = DEFAULT_TEXTS if trial.files.model.pools else USUAL_SLOTS
    slots = min(wanted.slots or usual, MOST_SLOTS)
    least = slots if wanted.slots else 1
    for fits in (roomy, trial.fits):
        placed, where = _placed(spec, trial, fits, min(context, USEFUL))
        for count in dict.fromkeys((least, 1)):
            found = _first(placed, trial, fits, context, count)
            if found is not None:
                return _proposal(found, trial, fits, slots, context, where)
    for useful in (min(context, USEFUL), LEAST):
        placed, where = _placed(spec, trial, trial.fits, useful)
        found = _shrunk(placed, trial, context, useful)
        if found is not None:
            return _proposal(found, trial, trial.fits, 1, context, where)
    return Proposal(_smallest(placed, trial), (), fits=False)


def _leaving_room(spec: LoadSpec, trial: Trial) -> Callable[[LoadSpec], bool]:
    """Whether it fits, and cached prefixes get what they are meant to have."""
    budget = trial.ground.budgets.get(HOST)
    meant = (
        spec.cache.ram_bytes if budget is None else min(spec.cache.ram_bytes, budget // CACHE_SHARE)
    )

    def fits(other: LoadSpec) -> bool:
        need = trial.need(other)
        keeps = trial.predict(other).cache_bytes > 0
        return trial.fits(other) and (not keeps or need.cache_bytes >= meant)

    return fits


def _context(spec: LoadSpec, trial: Trial, wanted: Wanted) -> int:
    """Tokens to aim for."""
    known = trial.files.model.trained or trial.predict(spec).shape.window
    return max(wanted.context or min(known, ENOUGH), 256)


def _caches(spec: LoadSpec, trial: Trial) -> tuple[str, ...]:
    """Types that make a difference and that this model can have."""
    model = trial.files.model
    plain = spec.context.flash_attention == "disabled" or model.pools
    return CACHES[:1] if plain or not any(layer.keys for layer in model.layers) else CACHES


def _ladder(spec: LoadSpec, trial: Trial) -> Iterator[tuple[LoadSpec, str]]:
    """The same load with less and less of what matters less."""
    kinds = _caches(spec, trial)
    for kind in kinds:
        for rows in ROWS:
            context = replace(spec.context, n_ubatch=rows, n_batch=max(spec.context.n_batch, rows))
            other = replace(spec, context=context)
            # Where the type makes no difference, or must not change, it stays as it is.
            yield (other if len(kinds) == 1 else with_cache(other, kind)), kind


def _first(
    spec: LoadSpec, trial: Trial, fits: Callable[[LoadSpec], bool], context: int, slots: int
) -> _Found | None:
    for step, kind in _ladder(spec, trial):
        other = with_slots(with_window(step, context), slots)
        if fits(other):
            return other, kind
    return None


def _shrunk(spec: LoadSpec, trial: Trial, context: int, least: int) -> _Found | None:
    """One slot with as much context as fits, in the smallest form."""
    smallest, kind = list(_ladder(with_slots(spec, 1), trial))[-1]
    steps = largest(
        context // CELL_STEP, lambda count: trial.fits(with_window(smallest, count * CELL_STEP))
    )
    if not steps or steps * CELL_STEP < min(least, context):
        return None
    return with_window(smallest, steps * CELL_STEP), kind


def _smallest(spec: LoadSpec, trial: Trial) -> LoadSpec:
    smallest, _ = list(_ladder(with_slots(spec, 1), trial))[-1]
    return with_window(smallest, LEAST)


def _placed(
    spec: LoadSpec, trial: Trial, fits: Callable[[LoadSpec], bool], context: int
) -> tuple[LoadSpec, tuple[Choice, ...]]:
    """With as much on the GPU as leaves room there for a useful context."""
    if not trial.ground.machine.gpus:
        return spec, ()
    smallest, _ = list(_ladder(with_slots(spec, 1), trial))[-1]
    probe = with_window(smallest, context)
    count = len(trial.files.model.layers)

    def placed(other: LoadSpec, layers: int | None, kept: int) -> LoadSpec:
        place = replace(other.placement, n_gpu_layers=layers, n_cpu_moe=kept)
        return replace(other, placement=place)

    if fits(placed(probe, None, 0)):
        why = "all layers fit on the GPU with a useful context"
        return placed(spec, None, 0), (Choice("n_gpu_layers", "all", why),)
    has_experts = any(layer.expert_bytes for layer in trial.files.model.layers)
    if has_experts and fits(placed(probe, None, count)):
        kept = count - largest(count, lambda n: fits(placed(probe, None, count - n)))
        why = "each token uses few experts, so those of so few layers may be slow"
        return placed(spec, None, kept), (
            Choice("n_gpu_layers", "all", "all but those experts fit on the GPU"),
            Choice("n_cpu_moe", kept, why),
        )
    layers = largest(count, lambda n: fits(placed(probe, n, 0)))
    why = (
        f"the most that leave room for {context} tokens of context"
        if layers
        else ("no layer fits on the GPU beside what it computes with")
    )
    return placed(spec, layers, 0), (Choice("n_gpu_layers", layers or "none", why),)


def _proposal(
    found: _Found,
    trial: Trial,
    fits: Callable[[LoadSpec], bool],
    most: int,
    wanted: int,
    where: tuple[Choice, ...],
) -> Proposal:
    spec, kind = found
    slots = max(largest(most, lambda count: fits(with_slots(spec, count))), spec.context.slots or 1)
    spec = with_slots(spec, slots)
    choices = (*_sizes(spec, trial, wanted, most), *_caches_chosen(spec, trial, kind), *where)
    return Proposal(spec, choices, fits=True)


def _sizes(spec: LoadSpec, trial: Trial, wanted: int, most: int) -> Iterator[Choice]:
    context = spec.context
    trained = trial.files.model.trained
    assert context.window is not None and context.slots is not None
    why = "as asked for, or enough for long conversations"
    if context.window == trained:
        why = "all that the model was trained for"
    elif context.window < wanted:
        why = f"the most that fits; {wanted} would be good"
    yield Choice("context_window", context.window, why)
    each = trial.predict(with_slots(spec, 2)).part("kv") - trial.predict(with_slots(spec, 1)).part(
        "kv"
    )
    why = f"each slot has {format_bytes(each)} of cache" if each else "at the same time"
    if context.slots < most:
        why += f"; more do not fit, {most} would be good"
    yield Choice("n_seq_max", context.slots, why)
    why = "fast reading of prompts"
    if context.n_ubatch < ROWS[0]:
        why = "prompts are read in smaller steps, which need less memory"
    yield Choice("n_ubatch", context.n_ubatch, why)


def _caches_chosen(spec: LoadSpec, trial: Trial, kind: str) -> Iterator[Choice]:
    if len(_caches(spec, trial)) == 1:
        return
    why = "full quality fits"
    if kind != CACHES[0]:
        why = "half the memory of f16, at a loss that is hard to measure; f16 does not fit"
    yield Choice("cache_type_k", kind, why)
    yield Choice("cache_type_v", kind, why)
