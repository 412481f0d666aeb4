"""Whether a request is traced, and as a part of which trace: decided from its headers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kronk.shared.telemetry.trace_context import TraceContext, parse

from .spans import new_span_id, new_trace_id

if TYPE_CHECKING:
    from .stages import Stage

# Health is asked for every few seconds, and what is polled or subscribed to tells nothing.
EXCLUDED = frozenset(
    {"/v1/liveness", "/v1/readiness", "/v1/kronk/ps", "/v1/kronk/events", "/metrics"}
)
# Asked by other Kronks for each of their requests: parts of their traces, and none of their own.
_ASKED = "/v1/kronk/auth/"

# <https://www.w3.org/TR/trace-context/#tracestate-limits>
_LONGEST_STATE = 512
_STATE = re.compile(r"[\x20-\x7e]*")
_LOW_BITS = 16


@dataclass(slots=True)
class RequestTrace:
    """The trace of one HTTP request, and what of it is measured on the way."""

    # The request's own span.
    context: TraceContext
    # Seconds of the Unix epoch when it came.
    epoch: float
    # The client's span, where it sent one, and what else the trace's other participants said.
    parent_id: str | None = None
    state: str = ""
    stages: list[Stage] = field(default_factory=list)


def incoming(
    path: str, headers: Iterable[tuple[bytes, bytes]], probability: float, now: float
) -> RequestTrace | None:
    """The trace of a request, which may be one that its client does not keep; None where there is
    none. `probability` holds for requests that do not say themselves."""
    if path in EXCLUDED:
        return None
    parents, states = _said(headers)
    # Several are none, and what is malformed is as if it had not been sent.
    parent = parse(parents[0]) if len(parents) == 1 else None
    if parent is not None:
        own = TraceContext(parent.trace_id, new_span_id(), parent.sampled)
        return RequestTrace(own, now, parent.span_id, _state(states))
    if path.startswith(_ASKED):
        return None
    root = new_root(probability)
    return None if root is None else RequestTrace(root, now)


def new_root(probability: float) -> TraceContext | None:
    """The first span of a new trace, with this probability."""
    trace_id = new_trace_id()
    # By the id, as other samplers do: those of one trace agree without asking one another.
    if int(trace_id[_LOW_BITS:], 16) >= probability * 2**64:
        return None
    return TraceContext(trace_id, new_span_id(), True)


def _said(headers: Iterable[tuple[bytes, bytes]]) -> tuple[list[str], list[str]]:
    parents, states = [], []
    for name, value in headers:
        if name == b"traceparent":
            parents.append(value.decode("latin-1"))
        elif name == b"tracestate":
            states.append(value.decode("latin-1"))
    return parents, states


def _state(said: list[str]) -> str:
    state = ",".join(said)
    return state if len(state) <= _LONGEST_STATE and _STATE.fullmatch(state) else ""
