"""Messages a worker receives: control from the supervisor, data from the gateway."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from .codec import Family
from .debugging import HeapRequest
from .loading import LoadSpec
from .values import Answer, Json, Prompt, Sampling

# Tokens that are listed at most, and in one `Inspected`: a gateway checks those of one and writes
# them as JSON in some milliseconds, in which nobody else's stream moves.
MOST_LISTED = 256 * 1024
LISTED_AT_ONCE = 4096
# What can be known of a prompt besides how many tokens it has.
Detail = Literal["text", "tokens", "pieces"]


@dataclass(frozen=True, slots=True)
class Load:
    """Load this model; answered by `Ready` or `LoadFailed`. Sent once in a worker's life."""

    spec: LoadSpec
    # Where to connect the data plane once ready.
    data_address: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Exit now, with code 0. Requests still running end with their process."""


CONTROL = Family("control plane of a worker", Load, Stop, HeapRequest)


@dataclass(frozen=True, slots=True)
class Resumed:
    """What is known of a choice that another process began and cannot end any more."""

    choice: int
    # Its first tokens, in order, without a gap; the answer goes on behind them.
    tokens: tuple[int, ...]
    # Its `Finished` has been sent: nothing more is wanted of it.
    finished: bool = False


@dataclass(frozen=True, slots=True)
class Submit:
    """Generate. After any number of deltas and a `Finished` for each choice, answered by exactly
    one `Done` or `Failed`."""

    # Unique over all gateways' lives: the gateway's generation in the high half.
    request: int
    # What logs and the client know it by.
    name: str
    prompt: Prompt
    sampling: Sampling
    answer: Answer
    # Tokens to generate at most, for each choice; None is up to the end of the context window.
    max_tokens: int | None
    stop: tuple[str, ...]
    # Deltas the worker may send, of all choices together, before it needs `Credit`.
    window: int
    # What was generated of it before, a row for each choice that had begun. The deltas of these
    # tokens are sent again, from the first on: the gateway knows which of them its client has.
    resumed: tuple[Resumed, ...] = ()
    # The seed of a request that has none, of its own or of its model's configuration: one that is
    # begun again draws the same numbers.
    draw: int | None = None
    # As in `LeaseRequest`: slots are shared out among subjects.
    subject: str = ""
    trace: str = ""


@dataclass(frozen=True, slots=True)
class Embed:
    """Make embeddings. After `Vectors` for all inputs, answered by one `Done` or `Failed`."""

    request: int
    name: str
    # Each a string or a list of token ids.
    inputs: tuple[Json, ...]
    # Leading dimensions to keep, before normalising; None is all.
    dimensions: int | None
    # Inputs longer than the model takes are cut instead of refused.
    truncate: bool
    subject: str = ""
    trace: str = ""


@dataclass(frozen=True, slots=True)
class Rank:
    """Score documents against a query. After one `Scores`, answered by one `Done` or `Failed`."""

    request: int
    name: str
    query: str
    documents: tuple[str, ...]
    truncate: bool
    # Documents are cut to so many tokens; None is as many as they have.
    document_tokens: int | None = None
    subject: str = ""
    trace: str = ""


@dataclass(frozen=True, slots=True)
class Inspect:
    """Say what the model would see. After one or several `Inspected`, whose tokens follow one
    another, answered by one `Done` or `Failed`."""

    request: int
    name: str
    # A chat is rendered; a text is tokenised; tokens are turned back into text.
    prompt: Prompt
    # Of a text: put the tokens before and behind it that the model was trained to see there.
    add_special: bool = False
    # Of a text: `<|im_start|>` is that token, and not twelve characters.
    parse_special: bool = True
    # Of a chat: what makes the model begin its answer stands at the end.
    add_generation_prompt: bool = True
    # What `Inspected` shall have: a million tokens take time to carry. Their number stands in
    # `Done` in any case.
    wants: tuple[Detail, ...] = ()
    # Of a chat: what of the answer is said to the model (the tools it may use, the form it has).
    answer: Answer = field(default_factory=Answer)
    trace: str = ""


@dataclass(frozen=True, slots=True)
class Cancel:
    """Nobody reads this request any more. Idempotent; not answered."""

    request: int


@dataclass(frozen=True, slots=True)
class Credit:
    """The client has taken `events` more deltas."""

    request: int
    events: int


DATA = Family("data plane of a worker", Submit, Embed, Rank, Inspect, Cancel, Credit)
