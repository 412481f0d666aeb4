"""Puts an engine together: context, prefix cache, speculation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kronk.shared.wire.values import CacheSpec, LoadSpec

from .cache.memory import Memory, MemoryKind
from .cache.policy import CachePolicy
from .cache.store import Store
from .context import Context
from .engine.crowding import Crowding
from .engine.engine import Engine
from .engine.prefixes import Prefixes
from .engine.sampler import Candidates
from .model import Model
from .speculation.drafter import Drafter
from .speculation.guesser import Guesser


def cache_policy(spec: CacheSpec) -> CachePolicy:
    """The policy that a model's configuration asks for."""
    return CachePolicy(
        mode=spec.mode,
        min_tokens=spec.min_tokens,
        max_sessions=spec.max_sessions,
        ram_bytes=spec.ram_bytes,
        disk_bytes=spec.disk_bytes if spec.directory is not None else 0,
    )


def memory_kind(model: Model, spec: LoadSpec) -> MemoryKind:
    """What the context's memory can do."""
    return MemoryKind(model.is_recurrent, model.window, spec.context.swa_full)


def build_engine(
    spec: LoadSpec,
    model: Model,
    context: Context,
    *,
    slots: int,
    queue: int,
    n_ubatch: int,
    crowding: Crowding | None,
    drafter: Drafter | None,
    emit: Callable[[list[Any]], None],
) -> Engine:
    """An engine over a context that has decoded once and is empty."""
    policy = cache_policy(spec.cache)
    memory = Memory(context.handle, memory_kind(model, spec))
    guesses = spec.speculation
    prefixes = Prefixes(memory, policy, Store(policy.ram_bytes, policy.max_pins), None)
    return Engine(
        context,
        model,
        prefixes,
        Candidates(model.n_vocab, model.vocab),
        slots=slots,
        queue=queue,
        n_ubatch=n_ubatch,
        crowding=crowding,
        guesser=Guesser(drafter, guesses.draft_max, guesses.draft_min) if drafter else None,
        emit=emit,
    )
