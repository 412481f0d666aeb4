"""One run as it was: made once, when it ends, for everybody who measures.

Metrics, statistics, traces and the access log are made of this and of nothing else, so that they
agree. Times named by an event are monotonic seconds of this process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kronk.gateway.job import Job
from kronk.shared.errors import KronkError
from kronk.shared.security.identity import Identity
from kronk.shared.telemetry.trace_context import TraceContext
from kronk.shared.wire.to_gateway import Attach
from kronk.shared.wire.values import Priority, Timings, Usage

Kind = Literal["generate", "embed", "rank", "inspect", "load"]
Outcome = Literal["done", "failed", "cancelled"]


@dataclass(slots=True)
class Attempt:
    """One lease of a run, and what came of it. What did not happen is None."""

    # The lease was asked for.
    asked: float
    granted: float | None = None
    # Its worker, as the supervisor counts them, and the id of the model it has.
    generation: int | None = None
    model: str | None = None
    # Of the wait for the lease, seconds in which the model was loaded; and what the load took.
    loading: float = 0.0
    load_seconds: float = 0.0
    # When that load was over.
    ready: float | None = None
    submitted: float | None = None
    # Which process it was submitted to.
    process: Attach | None = None
    # The worker has found the request good; it has a slot; there was something for the client.
    accepted: float | None = None
    started: float | None = None
    first: float | None = None
    # What ended it, where that was not the end of the run: why its worker was lost.
    lost: float | None = None
    cause: str | None = None

    @property
    def queued(self) -> float | None:
        """Seconds until the lease was granted, the load among them."""
        return None if self.granted is None else self.granted - self.asked


@dataclass(frozen=True, slots=True)
class RunReport:
    """Never holds text of a prompt or an answer, but for `job`, which nothing may be told of but
    its parameters."""

    # What logs and the client know it by: the id of its HTTP request, or of a batch's line.
    name: str
    job: Job
    by: Identity
    # The endpoint that tokens grant it by ("chat-completions"), or "batches"; "" for the server's
    # own.
    endpoint: str
    # Seconds of the Unix epoch at which it was asked for.
    epoch: float
    asked: float
    ended: float
    attempts: tuple[Attempt, ...]
    outcome: Outcome
    # Tokens of the prompt that was begun with, and of the answer that came here.
    prompt_tokens: int
    completion_tokens: int
    finish_reasons: tuple[str, ...] = ()
    # What a run that is done has taken, and where its time went in the worker.
    usage: Usage | None = None
    timings: Timings | None = None
    error: KronkError | None = None
    # The span that belongs to the run, where it is traced.
    trace: TraceContext | None = None

    @property
    def kind(self) -> Kind:
        """What was asked of the model."""
        return _KINDS[type(self.job.ask).__name__]

    @property
    def priority(self) -> Priority:
        return self.job.priority

    @property
    def model(self) -> str | None:
        """The id of the model, once a worker had it; a name that was asked for may be anything."""
        return next((one.model for one in reversed(self.attempts) if one.model), None)

    @property
    def generation(self) -> int | None:
        """Of the worker that had it last."""
        known = (one.generation for one in reversed(self.attempts) if one.generation is not None)
        return next(known, None)

    @property
    def seconds(self) -> float:
        """From the request for the lease to the end."""
        return self.ended - self.asked

    @property
    def queued(self) -> float:
        """Seconds it waited for leases, all attempts together; loads are among them."""
        return sum((one.granted or self.ended) - one.asked for one in self.attempts)

    @property
    def waited(self) -> float:
        """Seconds before it had its slot: for leases, and then in the worker."""
        return self.queued + self._waited_inside

    @property
    def _waited_inside(self) -> float:
        if self.timings is not None:
            return self.timings.queued
        last = self.attempts[-1]
        # Only of what generates is the start told.
        if self.kind != "generate" or last.submitted is None:
            return 0.0
        return (last.started or self.ended) - last.submitted

    @property
    def loading(self) -> float:
        """Of these, while its model was loaded."""
        return sum(one.loading for one in self.attempts)

    @property
    def ttft(self) -> float | None:
        """Seconds from the request for the lease to the first that there was for the client."""
        first = next((one.first for one in self.attempts if one.first is not None), None)
        return None if first is None else first - self.asked

    @property
    def is_resumed(self) -> bool:
        """Its last worker went on with what another had begun."""
        return any(one.first is not None for one in self.attempts[:-1])

    @property
    def cause(self) -> str | None:
        """Why its last worker was lost, where one was."""
        return next((one.cause for one in reversed(self.attempts) if one.cause), None)


_KINDS: dict[str, Kind] = {
    "Submit": "generate",
    "Embed": "embed",
    "Rank": "rank",
    "Inspect": "inspect",
    "NoneType": "load",
}
