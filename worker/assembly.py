"""Puts an engine together: context, prefix cache, speculation."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from kronk.shared.wire.loading import CacheSpec, LoadSpec

from .cache.disk import DiskStore
from .cache.fingerprint import Adapter, Dependencies, fingerprint
from .cache.memory import Memory, MemoryKind
from .cache.policy import CachePolicy
from .cache.store import Store
from .context import Context, ContextShape
from .engine.crowding import Crowding
from .engine.engine import Engine
from .engine.prefixes import Prefixes
from .engine.sampler import Candidates
from .model import Model
from .speculation.drafter import Drafter
from .speculation.guesser import Guesser

log = structlog.get_logger()


def cache_policy(spec: CacheSpec) -> CachePolicy:
    """The policy that a model's configuration asks for."""
    return CachePolicy(
        mode=spec.mode,
        min_tokens=spec.min_tokens,
        max_sessions=spec.max_sessions,
        ram_bytes=spec.ram_bytes,
        disk_bytes=spec.disk_bytes if spec.directory is not None else 0,
        scope=spec.scope,
    )


def memory_kind(model: Model, spec: LoadSpec) -> MemoryKind:
    """What the context's memory can do."""
    return MemoryKind(model.is_recurrent, model.window, spec.context.swa_full)


def open_disk(spec: LoadSpec, shape: ContextShape, template: str) -> DiskStore | None:
    """Saved states on disk, where configured. A folder that cannot be used is a cache the less,
    and no reason not to serve."""
    policy = cache_policy(spec.cache)
    if not policy.is_on or not policy.disk_bytes or spec.cache.directory is None:
        return None
    depends_on = Dependencies(
        model=Path(spec.path),
        cache_type_k=shape.cache_type_k,
        cache_type_v=shape.cache_type_v,
        flash_attention=shape.flash_attention,
        swa_full=shape.swa_full,
        streams=1,
        rope=dataclasses.asdict(shape.rope),
        adapters=tuple(Adapter(Path(one.path), one.scale) for one in spec.adapters),
        projector=Path(spec.projector) if spec.projector is not None else None,
        template=template,
    )
    store = DiskStore(Path(spec.cache.directory), fingerprint(depends_on), policy.disk_bytes)
    try:
        store.open()
    except OSError as error:
        log.warning(
            "prefix cache: no states on disk", folder=spec.cache.directory, reason=str(error)
        )
        return None
    return store


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
    disk: DiskStore | None,
    emit: Callable[[list[Any]], None],
) -> Engine:
    """An engine over a context that has decoded once and is empty."""
    policy = cache_policy(spec.cache)
    memory = Memory(context.handle, memory_kind(model, spec))
    guesses = spec.speculation
    prefixes = Prefixes(
        memory, policy, Store(policy.ram_bytes, policy.max_pins), disk, parks=crowding is not None
    )
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
