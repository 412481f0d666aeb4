"""A request once its dialect is forgotten: what is asked of a model."""

from __future__ import annotations

from dataclasses import dataclass

from kronk.shared.wire.values import Json, Sampling


@dataclass(frozen=True, slots=True)
class Job:
    """The fields of a `Submit` that the client decides."""

    model: str
    messages: tuple[Json, ...]
    sampling: Sampling
    max_tokens: int | None
    stop: tuple[str, ...]
