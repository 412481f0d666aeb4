"""What becomes of a request that has lost its worker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kronk.shared.errors import KronkError, ModelCrashed, ModelUnloaded, Overloaded

# An unloaded model is loaded again for the next request that wants it.
_AGAIN_AFTER_UNLOAD = 1.0


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings it depends on."""

    resume: bool = True
    # Workers that may be lost with one request before it fails.
    request_crashes: int = 3


@dataclass(frozen=True, slots=True)
class Loss:
    """A worker that will not answer what it was asked."""

    model: str
    # In words.
    cause: str
    # "interrupted": it lives, but has forgotten what it was asked. "unloaded": an operator's will.
    how: Literal["crashed", "unloaded", "interrupted"] = "crashed"

    @property
    def words(self) -> str:
        """For whoever waits for the answer."""
        match self.how:
            case "crashed":
                return f"the process of {self.model} died: {self.cause}"
            case "unloaded":
                return f"{self.model} was unloaded: {self.cause}"
            case "interrupted":
                return f"the connection to the process of {self.model} was interrupted"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the request."""

    # Workers that were lost with it, this one included; those that had not got it yet do not count.
    crashes: int
    # The lost worker had this request only.
    was_alone: bool
    is_draining: bool


@dataclass(frozen=True, slots=True)
class Again:
    """Ask for another worker, and go on there with what is known of the answer."""

    # As long as it is there, no other request is.
    alone: bool


@dataclass(frozen=True, slots=True)
class GiveUp:
    """It fails."""

    error: KronkError
    # No worker shall be asked this again for a while.
    quarantine: bool = False


def judge(loss: Loss, facts: Facts, policy: Policy) -> Again | GiveUp:
    """The decision."""
    if loss.how == "unloaded" and facts.is_draining:
        # All are unloaded then, the one a moment before the gateway, the other after it.
        return GiveUp(Overloaded("the server was stopped before the answer was complete"))
    if loss.how == "unloaded":
        return GiveUp(ModelUnloaded(loss.words, retry_after=_AGAIN_AFTER_UNLOAD))
    if not policy.resume:
        return GiveUp(ModelCrashed(loss.words))
    if facts.is_draining:
        return GiveUp(ModelCrashed(f"{loss.words}; the server is stopping"))
    if facts.crashes >= policy.request_crashes:
        words = f"{loss.words}; so ended {facts.crashes} attempts at this request"
        # Of those that were there together nobody knows whose fault it was.
        is_guilty = facts.was_alone and loss.how == "crashed"
        return GiveUp(ModelCrashed(words), quarantine=is_guilty)
    return Again(alone=0 < facts.crashes == policy.request_crashes - 1)
