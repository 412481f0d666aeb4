"""A request once its dialect is forgotten: what is asked of a model.

How a route runs something on a worker: build a `Job` with `generate`, `embed`, `rank`, `inspect`
or `load`, and make it an `Operation` together with what translates the events that come back
(`Chunks` for a stream, `Whole` for one object). `Delta` and its kin arrive as the model writes;
`Started`, `Finished`, `Vectors`, `Scores` and `Inspected` arrive among them. Several jobs may share
one answer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from kronk.shared.wire.to_worker import (
    LISTED_AT_ONCE,
    MOST_LISTED,
    Detail,
    Embed,
    Inspect,
    Rank,
    Submit,
)
from kronk.shared.wire.values import Answer, Json, Media, Priority, Prompt, Sampling, Want

# Deltas a worker may be ahead of the client.
WINDOW = 64

# What stands in a message until the exchange numbers and names it.
_NO_REQUEST, _NO_NAME = 0, ""
_ANY = Answer()
_TEXT, _EMBEDDING, _RANK = Want("text"), Want("embedding"), Want("rank")


@dataclass(frozen=True, slots=True)
class Job:
    """A model's name, and the message for its worker but for the request's number and name."""

    model: str
    # None: nothing but that the model is loaded.
    ask: Submit | Embed | Rank | Inspect | None
    # Seconds the model stays loaded after it; 0 is not at all, infinity for ever, None as before.
    ttl: float | None = None
    priority: Priority = "interactive"

    def message(
        self, request: int, name: str, subject: str = "", trace: str = ""
    ) -> Submit | Embed | Rank | Inspect:
        """The message to send; there is one. What needs no slot takes no turns with others."""
        assert self.ask is not None
        if isinstance(self.ask, Inspect):
            return replace(self.ask, request=request, name=name, trace=trace)
        return replace(self.ask, request=request, name=name, subject=subject, trace=trace)

    @property
    def media(self) -> tuple[Media, ...]:
        """The files of its prompt."""
        return self.ask.prompt.media if isinstance(self.ask, Submit | Inspect) else ()

    @property
    def wants(self) -> tuple[Want, ...]:
        """What its model has to be able to do."""
        match self.ask:
            case Submit():
                kinds = {file.kind: file.param for file in reversed(self.media)}
                return (_TEXT, *(Want(kind, param) for kind, param in kinds.items()))
            case Embed():
                return (_EMBEDDING,)
            case Rank():
                return (_RANK,)
            case _:
                return ()

    @property
    def choices(self) -> int:
        """Independent answers to it."""
        return self.ask.answer.choices if isinstance(self.ask, Submit) else 1

    @property
    def most_outcomes(self) -> int:
        """How many events its worker may send that cost no credit."""
        match self.ask:
            case Submit():
                # Started, and a Finished for each.
                return 1 + self.choices
            case Embed(inputs=inputs):
                return len(inputs)
            case Rank():
                return 1
            case Inspect():
                return MOST_LISTED // LISTED_AT_ONCE
            case None:
                return 0


def generate(
    model: str,
    prompt: Prompt,
    sampling: Sampling,
    answer: Answer,
    max_tokens: int | None,
    stop: tuple[str, ...],
) -> Job:
    """Text: deltas and one `Finished` for each choice."""
    ask = Submit(
        request=_NO_REQUEST,
        name=_NO_NAME,
        prompt=prompt,
        sampling=sampling,
        answer=answer,
        max_tokens=max_tokens,
        stop=stop,
        window=WINDOW,
    )
    return Job(model, ask)


def embed(model: str, inputs: tuple[Json, ...], dimensions: int | None, truncate: bool) -> Job:
    """Embeddings: `Vectors` that together cover all inputs."""
    return Job(model, Embed(_NO_REQUEST, _NO_NAME, inputs, dimensions, truncate))


def rank(
    model: str,
    query: str,
    documents: tuple[str, ...],
    truncate: bool,
    document_tokens: int | None = None,
) -> Job:
    """Relevance: one `Scores`."""
    return Job(model, Rank(_NO_REQUEST, _NO_NAME, query, documents, truncate, document_tokens))


def inspect(
    model: str,
    prompt: Prompt,
    *,
    wants: tuple[Detail, ...] = (),
    add_special: bool = False,
    parse_special: bool = True,
    add_generation_prompt: bool = True,
    answer: Answer = _ANY,
) -> Job:
    """What the model would see: one `Inspected`, which has what it `wants`. The number of tokens
    is the usage's `prompt_tokens`."""
    ask = Inspect(
        _NO_REQUEST,
        _NO_NAME,
        prompt,
        add_special,
        parse_special,
        add_generation_prompt,
        wants,
        answer,
    )
    return Job(model, ask)


def load(model: str, ttl: float | None = None) -> Job:
    """Only that the model is loaded, or with a `ttl` of 0 unloaded."""
    return Job(model, None, ttl)
