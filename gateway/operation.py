"""What a route has made of a request: jobs for the models, and how their events become an answer.

Every dialect's requests are parsed to one of these, and `kronk.gateway.answer` carries it out: as
server-sent events, as one object, or, for a batch, as an object that nobody waits for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from kronk.shared.errors import KronkError
from kronk.shared.wire.to_gateway import Done

from .job import Job
from .run import Event

if TYPE_CHECKING:
    from typing_extensions import TypeIs


@runtime_checkable
class Chunks(Protocol):
    """A dialect's way to write an answer as a stream."""

    # `text/event-stream` or its like.
    media_type: str
    # What says that the server still works on it; empty where the dialect has no such thing.
    keep_alive: bytes

    def opening(self) -> bytes:
        """What is sent before the first event, once the request is known to be good."""

    def event(self, event: Event) -> bytes:
        """What an event comes to; may be empty."""

    def closing(self, done: Done) -> bytes:
        """The rest of an answer that ended well."""

    def failure(self, error: KronkError) -> bytes:
        """The rest of an answer that ended badly; `opening` may not have been sent."""


@runtime_checkable
class Whole(Protocol):
    """A dialect's way to write an answer as one object."""

    def add(self, event: Event) -> None:
        """Take note of an event."""

    def body(self, done: Done) -> dict[str, Any] | bytes:
        """The object, or its JSON, once the answer ended well."""


def is_stream(sink: Chunks | Whole) -> TypeIs[Chunks]:
    """Which of the two it is. `isinstance` of a protocol looks up every member, each time."""
    return hasattr(sink, "opening")


JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Operation:
    """`jobs` share the answer, as `kronk.gateway.joined_runs` says; there is at least one."""

    # What logs and the client know it by.
    name: str
    jobs: Sequence[Job]
    sink: Chunks | Whole
    # Awaited when the last of the answer is made, well or as a stream's failure, and not yet sent.
    settle: Callable[[], Awaitable[None]] | None = None
    # What becomes of a chat that does not fit its model's context window.
    overlong: Literal["refuse", "shorten"] = "refuse"
    # Of a whole answer.
    media_type: str = JSON
