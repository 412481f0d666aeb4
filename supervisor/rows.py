"""The lines of `kronk ps`."""

from __future__ import annotations

import math

from kronk.shared.wire.status import ModelStatus

from .eviction import expiry
from .lifecycle import State
from .model import Model


def is_worth_a_row(model: Model) -> bool:
    """Absent models are shown only while wanted, or when their last process ended badly."""
    if model.state is not State.ABSENT or model.queued or model.wish is not None:
        return True
    return model.last_exit is not None


def row(
    model: Model, now: float, pid: int | None, rss: int | None, eta: float | None
) -> ModelStatus:
    """One of them; `eta` are the seconds that its load has left."""
    worker = model.worker
    fitted = worker.fitted if worker else None
    stats = worker.stats if worker else None
    expires = expiry(model.as_resident()) if model.state is State.READY else None
    idle = model.state is State.READY and not model.leases and not model.queued
    progress = worker.progress if worker and model.state is State.LOADING else None
    return ModelStatus(
        model=model.id,
        pid=pid,
        state=model.state.value,
        generation=worker.generation if worker else None,
        rss_bytes=rss,
        n_ctx=fitted.n_ctx if fitted else None,
        slots_busy=stats.slots_busy if stats else 0,
        slots_total=fitted.slots if fitted else 0,
        queued=(stats.queued if stats else 0) + model.queued,
        active_streams=len(model.leases),
        tokens_per_second=stats.tokens_per_second if stats else 0.0,
        idle_seconds=now - model.last_used if idle else None,
        expires_in=max(expires - now, 0.0) if expires is not None else None,
        restarts=model.restarts,
        last_exit=model.last_exit,
        fitted=fitted,
        ttl=None if math.isinf(model.ttl) else model.ttl,
        host=None if model.is_near or worker is None else worker.place,
        pinned=model.is_pinned,
        phase=progress.phase if progress else None,
        fraction=progress.fraction if progress and progress.phase else None,
        eta=eta,
        retry_in=model.retry_in(now),
        predicted_bytes=sum(model.promised.values()) if model.is_resident else None,
        measured_bytes=worker.taken_bytes if worker else None,
        promised=dict(model.promised) if model.is_resident else {},
        state_seconds=now - model.since,
        last_exit_age=now - model.last_exit_at if model.last_exit_at is not None else None,
        slots=stats.slots if stats else (),
        caches=stats.caches if stats else (),
        runtime=stats.runtime if stats else None,
        decode_seconds=stats.decode_seconds if stats else None,
        overhead_seconds=stats.overhead_seconds if stats else None,
    )
