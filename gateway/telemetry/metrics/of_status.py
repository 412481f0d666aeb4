"""What the supervisor says of models, memory and leases, as samples."""

from __future__ import annotations

from kronk.shared.telemetry.buckets import LOAD_SECONDS
from kronk.shared.telemetry.histogram import Histogram
from kronk.shared.telemetry.spread import Spread
from kronk.shared.wire.status import ModelCounters, ModelStatus
from kronk.shared.wire.to_gateway import Status

from .of_machine import write_runtime
from .sheet import Sheet

_BECAME = ("refused", "returned", "lost")


def write(sheet: Sheet, status: Status, now: float) -> None:
    """All of it; `now` is Unix time."""
    sheet.add("kronk_start_time_seconds", status.since)
    sheet.add("kronk_uptime_seconds", max(now - status.since, 0.0))
    sheet.add("kronk_draining", status.draining)
    for budget in status.budgets:
        device = budget.device
        sheet.add("kronk_memory_total_bytes", budget.total_bytes, device=device)
        sheet.add("kronk_memory_budget_bytes", budget.budget_bytes, device=device)
        sheet.add("kronk_memory_promised_bytes", budget.reserved_bytes, device=device)
    _write_leases(sheet, status)
    for counters in status.counters:
        _write_counters(sheet, counters)
    for model in status.models:
        _write_model(sheet, model)
        _write_worker(sheet, model)


def _write_leases(sheet: Sheet, status: Status) -> None:
    leases = status.leases
    sheet.add("kronk_leases", leases.waiting, state="waiting")
    sheet.add("kronk_leases", leases.granted, state="granted")
    sheet.add("kronk_leases_asked_total", leases.asked)
    for outcome in _BECAME:
        sheet.add("kronk_leases_ended_total", getattr(leases, outcome), outcome=outcome)
    for code, count in status.refusals.items():
        sheet.add("kronk_lease_refusals_total", count, code=code)


def _write_counters(sheet: Sheet, counters: ModelCounters) -> None:
    model = counters.model
    loads = Histogram(LOAD_SECONDS)
    loads.add(counters.load_buckets, counters.load_seconds)
    sheet.histogram("kronk_load_seconds", loads, model=model)
    least, most = counters.load_min, counters.load_max
    sheet.spread("model_load", Spread(counters.loads, counters.load_seconds, least, most), model)
    projector = Spread(
        counters.projector_loads,
        counters.projector_seconds,
        counters.projector_min,
        counters.projector_max,
    )
    sheet.spread("model_load_proj", projector, model)
    for reason, count in counters.evictions.items():
        sheet.add("kronk_evictions_total", count, model=model, reason=reason)
    for cause, count in counters.exits.items():
        sheet.add("kronk_exits_total", count, model=model, cause=cause)
    sheet.add("kronk_restarts_total", counters.restarts, model=model)


def _write_model(sheet: Sheet, row: ModelStatus) -> None:
    model = row.model
    sheet.add("kronk_model_state", 1, model=model, state=row.state)
    sheet.add("kronk_slots", row.slots_total, model=model)
    sheet.add("kronk_slots_busy", row.slots_busy, model=model)
    sheet.add("kronk_queue_length", row.queued, model=model)
    sheet.add("kronk_streams", row.active_streams, model=model)
    sheet.add("kronk_model_tokens_per_second", row.tokens_per_second, model=model)
    sheet.add("kronk_model_memory_measured_bytes", row.measured_bytes, model=model)
    for device, size in row.promised.items():
        sheet.add("kronk_model_memory_promised_bytes", size, model=model, device=device)


def _write_worker(sheet: Sheet, row: ModelStatus) -> None:
    model = row.model
    parts = {"decode": row.decode_seconds, "overhead": row.overhead_seconds}
    for part, seconds in parts.items():
        sheet.add("kronk_worker_cpu_seconds_total", seconds, model=model, part=part)
    for cache in row.caches:
        kind = cache.kind
        sheet.add("kronk_cache_entries", cache.entries, model=model, kind=kind)
        sheet.add("kronk_cache_bytes", cache.bytes, model=model, kind=kind)
        sheet.add("kronk_cache_cap_bytes", cache.cap_bytes, model=model, kind=kind)
    if row.runtime is not None:
        write_runtime(sheet, "worker", model, row.runtime)
