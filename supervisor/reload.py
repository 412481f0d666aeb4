"""What becomes of a model whose configuration is another now; decided without I/O.

A configuration is changed under a model only when no request uses it. Until then its process goes
on with the old one, also for new requests; for those only until the requests that were there at the
change have ended, so that a model that is never idle gets its new configuration too. From then on
new requests wait for the next process, which takes no longer than the running ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from enum import Enum, auto

from kronk.shared.errors import KronkError, NotFound
from kronk.shared.wire.loading import LoadSpec

from .lifecycle import RESIDENT, State


@dataclass(frozen=True, slots=True)
class Found:
    """What a reading of the configuration found, once it was taken."""

    # Names of the file whose keys are others than before, or there no longer.
    changed: frozenset[str]
    # What each model that was asked about is to be loaded with, or why it is none any more. Not
    # those whose own files are in the way.
    specs: Mapping[str, LoadSpec | NotFound]
    # Names of models that are to be loaded without being asked for.
    preload: frozenset[str] = frozenset()


class Step(Enum):
    """What to do with a model that is to change."""

    # It has no process: the new configuration is its own at once.
    ADOPT = auto()
    # Nobody uses its process: end it.
    UNLOAD = auto()
    # Its process ends already.
    WAIT = auto()
    # Its process serves old and new requests.
    SERVE = auto()
    # Its process serves who it serves, and new requests wait.
    CLOSE = auto()


@dataclass(slots=True)
class Change:
    """What a model is to become: another load, or no model any more."""

    to: LoadSpec | KronkError
    # The leases it had when the change was wanted.
    before: frozenset[int] = frozenset()
    # Grants nothing any more.
    is_closed: bool = False


def next_step(state: State, leases: Set[int], before: Set[int]) -> Step:
    """Where a model that is to change goes from here."""
    if state not in RESIDENT:
        return Step.ADOPT
    match state:
        case State.DRAINING:
            return Step.WAIT
        case State.READY if leases & before:
            return Step.SERVE
        case State.READY if leases:
            return Step.CLOSE
        # Who waits for a load is not served by it yet: the next one serves them.
        case _:
            return Step.UNLOAD
