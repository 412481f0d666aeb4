"""What the supervisor is asked for a request."""

from __future__ import annotations

from dataclasses import replace

from kronk.shared.wire.to_supervisor import LeaseRequest
from kronk.shared.wire.to_worker import Inspect
from kronk.shared.wire.values import Purpose

from .recovery import Again
from .run import Run


def lease_request(lease: int, run: Run, again: Again | None = None) -> LeaseRequest:
    """The lease of that number for one attempt at the run."""
    job = run.job
    purpose: Purpose = "answer"
    if job.ask is None:
        purpose = "load"
    elif isinstance(job.ask, Inspect):
        purpose = "inspect"
    asked = LeaseRequest(
        lease,
        job.model,
        # How long a model stays concerns everybody who uses it: no single user says so.
        job.ttl if run.by.sees_all else None,
        job.priority,
        purpose,
        wants=job.wants,
        subject=run.subject,
        name=run.name,
        trace=run.traceparent,
    )
    return asked if again is None else replace(asked, alone=again.alone, again=True)
