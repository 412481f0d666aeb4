"""A request once its dialect is forgotten: what is asked of a model.

How a route runs something on a worker: build a `Job` with `generate`, `embed` or `rank`, and give
it to a response of `kronk.gateway.answer` together with what translates the events that come back
(`Chunks` for a stream, `Whole` for one object). `Delta` and its kin arrive as the model writes;
`Finished`, `Vectors` and `Scores` arrive among them. Several jobs may share one answer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from kronk.shared.wire.to_worker import Embed, Rank, Submit
from kronk.shared.wire.values import Answer, Json, Prompt, Sampling

# Deltas a worker may be ahead of the client.
WINDOW = 64

# What stands in a message until the exchange numbers and names it.
_NO_REQUEST, _NO_NAME = 0, ""


@dataclass(frozen=True, slots=True)
class Job:
    """A model's name, and the message for its worker but for the request's number and name."""

    model: str
    ask: Submit | Embed | Rank

    def message(self, request: int, name: str) -> Submit | Embed | Rank:
        """The message to send."""
        return replace(self.ask, request=request, name=name)

    @property
    def most_outcomes(self) -> int:
        """How many `Finished`, `Vectors` or `Scores` its worker may send."""
        match self.ask:
            case Submit(answer=answer):
                return answer.choices
            case Embed(inputs=inputs):
                return len(inputs)
            case Rank():
                return 1


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


def rank(model: str, query: str, documents: tuple[str, ...], truncate: bool) -> Job:
    """Relevance: one `Scores`."""
    return Job(model, Rank(_NO_REQUEST, _NO_NAME, query, documents, truncate))
