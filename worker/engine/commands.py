"""What an engine is told, from any thread."""

from __future__ import annotations

from dataclasses import dataclass

from .job import Job


@dataclass(frozen=True, slots=True)
class Begin:
    """Serve this job."""

    job: Job


@dataclass(frozen=True, slots=True)
class Cancel:
    """Nobody reads this request any more."""

    request: int


@dataclass(frozen=True, slots=True)
class CancelAll:
    """Nobody reads any request any more."""


@dataclass(frozen=True, slots=True)
class Credit:
    """The client has taken that many deltas more."""

    request: int
    events: int


Command = Begin | Cancel | CancelAll | Credit
