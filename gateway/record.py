"""What is remembered of one request for its line in the access log."""

from __future__ import annotations

import time
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .access_line import cause_of

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

    from kronk.shared.errors import KronkError
    from kronk.shared.security.identity import Identity
    from kronk.shared.telemetry.trace_context import TraceContext
    from kronk.shared.wire.values import Usage

    from .access.admission import Admission
    from .access.rules import Gate
    from .telemetry.report import RunReport


@dataclass(slots=True)
class Record:
    """What the access log says of a request; routes fill in what they know. Never prompt text."""

    request_id: str
    started: float = field(default_factory=time.monotonic)
    status: int | None = None
    model: str | None = None
    # Seconds from the request's arrival to its first token.
    ttft: float | None = None
    tokens: int | None = None
    prompt_tokens: int | None = None
    # The route, once there is one; who asks, once that is known; and that it may.
    gate: Gate | None = None
    identity: Identity | None = None
    admission: Admission | None = None
    # What an action of administration is about; routes say it where their path does not.
    target: str | None = None
    # How often it was begun again because its model's process died.
    resumed: int | None = None
    # The code of the error that ended it, and why it did, in words that the log may have.
    error: str | None = None
    cause: str | None = None
    # What nobody expected ended it: an exception that is none of ours.
    is_bug: bool = False
    # The id that the answer of a model has.
    answer_id: str | None = None
    # The runs it was made of, once they have ended.
    reports: list[RunReport] = field(default_factory=list)
    # The trace it belongs to, where there is one.
    trace: TraceContext | None = None

    @property
    def ids(self) -> dict[str, str]:
        """What each line about it says: its id, and its trace where somebody keeps that."""
        if self.trace is None or not self.trace.sampled:
            return {"request_id": self.request_id}
        return {"request_id": self.request_id, "trace_id": self.trace.trace_id}

    @property
    def endpoint(self) -> str:
        """What tokens grant its route by; "" where it is not one that models work for."""
        endpoint = None if self.gate is None else self.gate.access.endpoint
        return endpoint or ""

    def note_error(self, error: KronkError) -> None:
        """What ended it."""
        self.error, self.cause = error.code, cause_of(error)

    def note_usage(self, usage: Usage) -> None:
        """What the answer has taken."""
        self.tokens, self.prompt_tokens = usage.completion_tokens, usage.prompt_tokens

    def note_taken(self, prompt_tokens: int, completion_tokens: int) -> None:
        """The same of an answer that is cut off, unless it is known better."""
        if self.tokens is None and completion_tokens:
            self.tokens = completion_tokens
        if self.prompt_tokens is None and prompt_tokens:
            self.prompt_tokens = prompt_tokens

    def first_token(self) -> None:
        """Called at the first token; later calls change nothing."""
        if self.ttft is None:
            self.ttft = time.monotonic() - self.started


def record_of(scope: MutableMapping[str, Any]) -> Record:
    """The record of the request with this scope."""
    record = scope["kronk.record"]
    assert isinstance(record, Record)
    return record


def identity_of(request: HTTPConnection) -> Identity:
    """Who asks; known before anything of a route is run."""
    identity = record_of(request.scope).identity
    assert identity is not None, "nothing is run for who was not let in"
    return identity


def admission_of(request: HTTPConnection) -> Admission:
    """What was let in; known before anything of a route is run."""
    admission = record_of(request.scope).admission
    assert admission is not None, "nothing is run for who was not let in"
    return admission
