"""Messages the gateway receives: control from the supervisor, data from workers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from .codec import Family
from .debugging import HeapTaken, StacksTaken
from .status import (
    Budget,
    Departure,
    LeaseCounts,
    ModelCounters,
    ModelStatus,
    ProcessStatus,
    Runtime,
)
from .values import Timings, TokenLogprob, Usage


@dataclass(frozen=True, slots=True)
class Granted:
    """Send the request to the worker of this generation, then return the lease."""

    lease: int
    # None where nothing is to be sent: the purpose was to let the model go.
    worker: int | None
    # Seconds since its model is ready, and what its load took: what of the wait was for the load.
    ready_for: float | None = None
    load_seconds: float = 0.0
    # The id of the model, whatever name it was asked for by.
    model: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """No lease; the fields of a `KronkError`. `retry_after` in seconds."""

    lease: int
    code: str
    message: str
    param: str | None
    retry_after: float | None
    # The id of the model that was asked for, where it is one.
    model: str = ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """How the leases that wait for one model are doing; sent when that changes, once a second at
    most."""

    # In their order: the first is next.
    leases: tuple[int, ...]
    # Of the model: "ready" where they wait for a slot, "absent" where it finds no room.
    state: str
    # Of its load, as in `ModelStatus`.
    phase: str | None = None
    fraction: float | None = None
    eta: float | None = None
    # Seconds until it is tried again, in `backoff`.
    retry_in: float | None = None


@dataclass(frozen=True, slots=True)
class WorkerLost:
    """The process of this generation is dead; nothing more will come from it."""

    worker: int
    model: str
    # In words: signal or exit code, and the last lines of its stderr.
    cause: str
    # It was not wanted: what it was asked may be asked of its successor. "unloaded" is an
    # operator's will.
    how: Literal["crashed", "unloaded"] = "crashed"


@dataclass(frozen=True, slots=True)
class Status:
    """The answer to `StatusRequest`."""

    ask: int
    draining: bool
    models: tuple[ModelStatus, ...]
    processes: tuple[ProcessStatus, ...]
    budgets: tuple[Budget, ...] = ()
    leases: LeaseCounts = field(default_factory=LeaseCounts)
    # Since the server started, of every model that was ever wanted.
    counters: tuple[ModelCounters, ...] = ()
    # Ends of models' processes since the server started, all of which are in its history.
    departures: int = 0
    # Leases that were refused, by code.
    refusals: dict[str, int] = field(default_factory=dict)
    # Seconds of the Unix epoch at which the server started.
    since: float = 0.0
    # Of the supervisor.
    runtime: Runtime | None = None


@dataclass(frozen=True, slots=True)
class Managed:
    """The answer to `Manage`: the model's state now, or the fields of a `KronkError`."""

    ask: int
    state: str
    code: str | None = None
    message: str = ""
    param: str | None = None
    retry_after: float | None = None
    # The state it was asked in.
    before: str = ""


@dataclass(frozen=True, slots=True)
class Reloaded:
    """The answer to `Reload`. With an error nothing has changed."""

    ask: int
    # Models whose configuration is another now, and those of them that go on with the old one
    # until their requests have ended.
    changed: tuple[str, ...] = ()
    later: tuple[str, ...] = ()
    code: str | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class History:
    """The answer to `HistoryRequest`, the latest first."""

    ask: int
    departures: tuple[Departure, ...]


@dataclass(frozen=True, slots=True)
class Reread:
    """The model configuration has changed on disk, and is good: use it."""


@dataclass(frozen=True, slots=True)
class Drain:
    """Take no new requests; exit when the running ones have ended."""


CONTROL = Family(
    "control plane of the gateway",
    Granted,
    Refused,
    Waiting,
    WorkerLost,
    Status,
    Managed,
    Reloaded,
    History,
    Reread,
    Drain,
)

INQUIRIES = Family("answers to the gateway's debug server", Status, HeapTaken, StacksTaken)


@dataclass(frozen=True, slots=True)
class Attach:
    """A worker is connected to the data plane; sent again after each reconnect."""

    # Which process it is, on which host, for people. 0 and "" are not said.
    pid: int = 0
    host: str = ""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The prompt is rendered, tokenised and fits: from here on the request is valid."""

    request: int
    prompt_tokens: int


@dataclass(frozen=True, slots=True)
class Started:
    """The request has a slot: its prompt is being read, but for what a cache already held."""

    request: int
    prompt_tokens: int
    cached_tokens: int
    # The first of its choices.
    choice: int = 0
    # The prompt's text, where the request wants to see it.
    echo: str = ""


@dataclass(frozen=True, slots=True)
class Silent:
    """Tokens of the answer that no delta tells of, because they stand for no text that is sent.
    They come before the tokens of the next delta of the choice, or at its end. Costs no credit:
    there is at most one for each delta and each end."""

    request: int
    choice: int
    tokens: tuple[int, ...]


# Deltas: what there is one or several of per token. Each costs one credit. The `tokens` of the
# deltas and of `Silent`, in the order sent, are those of the choice without a gap.


@dataclass(frozen=True, slots=True)
class Delta:
    """Text to append. `tokens` are the ids whose text it completes, in order."""

    request: int
    choice: int
    text: str
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ScoredDelta:
    """A `Delta` of a request that asked for log-probabilities: one for each of `tokens`. Of tokens
    that a request was resumed with they are 0, without alternatives: whoever had the tokens had
    their log-probabilities."""

    request: int
    choice: int
    text: str
    tokens: tuple[int, ...]
    logprobs: tuple[TokenLogprob, ...]


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """Thinking to append, without the tags around it."""

    request: int
    choice: int
    text: str
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of one tool call: its id and name first, then its arguments, which are JSON text."""

    request: int
    choice: int
    # Counts the calls of the choice.
    index: int
    # Both None after the first piece.
    id: str | None
    name: str | None
    arguments: str
    tokens: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolCallRetracted:
    """What looked like a call is none: it was cut off, or is malformed. Its raw text is content."""

    request: int
    choice: int
    index: int
    text: str
    tokens: tuple[int, ...] = ()


GenerationDelta = Delta | ScoredDelta | ReasoningDelta | ToolCallDelta | ToolCallRetracted


@dataclass(frozen=True, slots=True)
class Finished:
    """One choice is complete. `length` is max_tokens or the end of the context window."""

    request: int
    choice: int
    reason: Literal["stop", "length", "tool_calls"]
    # The stop string that ended it, if one did.
    stop: str | None = None


@dataclass(frozen=True, slots=True)
class Vectors:
    """Embeddings of consecutive inputs, the first of which is number `first`."""

    request: int
    first: int
    # Numbers in one embedding.
    dimensions: int
    # Little-endian float32, one embedding after the other.
    values: bytes


@dataclass(frozen=True, slots=True)
class Scores:
    """The relevance of each document, in the request's order."""

    request: int
    scores: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Inspected:
    """What the model would see, as far as `Inspect` wants it; the next part of it."""

    request: int
    # With the names of special tokens. Bytes that are no UTF-8 are U+FFFD here.
    text: str
    tokens: tuple[int, ...]
    # The bytes of each token, or its name. A character may be spread over several.
    pieces: tuple[bytes, ...]
    # Tokens that a prompt and its answer may have together.
    n_ctx: int


@dataclass(frozen=True, slots=True)
class Done:
    """The request ended well, after the `Finished` of each of its choices."""

    request: int
    usage: Usage
    timings: Timings


@dataclass(frozen=True, slots=True)
class Failed:
    """The request ended badly; the fields of a `KronkError`."""

    request: int
    code: str
    message: str
    param: str | None


DATA = Family(
    "data plane of the gateway",
    Attach,
    Accepted,
    Started,
    Silent,
    Delta,
    ScoredDelta,
    ReasoningDelta,
    ToolCallDelta,
    ToolCallRetracted,
    Finished,
    Vectors,
    Scores,
    Inspected,
    Done,
    Failed,
)
