"""JSON schemas of the messages, for the OpenAPI document; tests hold real messages against them."""

from __future__ import annotations

from typing import get_args

from kronk.gateway.dialects.schemas import (
    COUNT,
    NUMBER,
    TEXT,
    TRUTH,
    WHOLE,
    Schema,
    array,
    closed,
    nullable,
)
from kronk.gateway.jobs.requests import JOB
from kronk.gateway.routes.documents import schema_of
from kronk.shared.gpus import GpuMemory
from kronk.shared.wire.status import Budget, LeaseCounts, ModelStatus

from .happenings import Kind, Level
from .latency import Latency

_SERVER = closed(
    {
        "version": TEXT,
        "uptime": nullable(NUMBER),
        "draining": TRUTH,
        "mode": TEXT,
        "warnings": array(TEXT),
    }
)
_PROCESS = closed(
    {
        "role": {"enum": ["supervisor", "gateway", "spare", "worker"]},
        "model": nullable(TEXT),
        "pid": WHOLE,
        "generation": COUNT,
        "host": nullable(TEXT),
        "rss_bytes": nullable(COUNT),
        "cpu_percent": nullable(NUMBER),
        "threads": nullable(COUNT),
        "fds": nullable(COUNT),
    }
)
_WAITER = closed(
    {
        "request": TEXT,
        "position": nullable(COUNT),
        "seconds": NUMBER,
        "by": nullable(TEXT),
    }
)
_QUEUE = closed({"model": TEXT, "waiting": COUNT, "requests": array(_WAITER)})
_MEMORY = closed({"total_bytes": COUNT, "used_bytes": COUNT, "available_bytes": COUNT})
_SYSTEM = closed(
    {
        "cpu_percent": nullable(NUMBER),
        "cores": nullable(array(NUMBER)),
        "core_count": COUNT,
        "load": array(NUMBER),
        "memory": _MEMORY,
        "swap": closed({"total_bytes": COUNT, "used_bytes": COUNT}),
        "disk": nullable(closed({"total_bytes": COUNT, "free_bytes": COUNT})),
        "gpus": array(schema_of(GpuMemory)),
    }
)
_THROUGHPUT = closed(
    {
        "tokens_per_second": NUMBER,
        "models": {"type": "object", "additionalProperties": NUMBER},
    }
)


def _model() -> Schema:
    """`ModelStatus`, with whose request is in a slot."""
    schema = schema_of(ModelStatus)
    slot = schema["$defs"]["SlotStats"]
    by = {**nullable(TEXT), "title": "By"}
    named = {**slot, "title": "LiveSlot", "properties": {**slot["properties"], "by": by}}
    schema["$defs"]["LiveSlot"] = named
    properties = schema["properties"]
    slots = {**properties["slots"], "items": {"$ref": "#/$defs/LiveSlot"}}
    return {**schema, "properties": {**properties, "slots": slots}}


STATE = closed(
    {
        "object": {"const": "kronk.live"},
        "type": {"const": "state"},
        "sequence": COUNT,
        "time": NUMBER,
        "server": _SERVER,
        "models": array(_model()),
        "processes": array(_PROCESS),
        "queue": array(_QUEUE),
        "jobs": array(JOB),
        "batches": closed({"running": COUNT}),
        "budgets": array(schema_of(Budget)),
        "leases": schema_of(LeaseCounts),
        "system": _SYSTEM,
        "throughput": _THROUGHPUT,
        # Of the answers that ended within the last minute.
        "latency": schema_of(Latency),
    }
)
EVENT = closed(
    {
        "object": {"const": "kronk.live"},
        "type": {"const": "event"},
        "sequence": COUNT,
        "time": NUMBER,
        "kind": {"enum": list(get_args(Kind))},
        "level": {"enum": list(get_args(Level))},
        "message": TEXT,
        "model": nullable(TEXT),
        "job": nullable(TEXT),
        "reason": nullable(TEXT),
        "seconds": nullable(NUMBER),
    }
)
END = closed(
    {
        "object": {"const": "kronk.live"},
        "type": {"const": "end"},
        "time": NUMBER,
        "reason": {"enum": ["draining", "unauthenticated"]},
        "message": TEXT,
    }
)
MESSAGE: Schema = {"anyOf": [STATE, EVENT, END]}
