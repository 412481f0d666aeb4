"""The life of a model as a table.

Two rules. Every change of a model's state is a row of `NEXT`; a missing row *is* the error. This
file knows no process, socket or clock: who decides that an event happened is `fleet.py`, and it
is the only writer.

`absent` costs nothing and has no deadline. Every other state has one, so that nothing waits for
ever on a process that does not answer:

    loading    no step of progress for a while, or far too long in total: killed
    ready      the idle time after which the model is unloaded (none with a TTL of 0)
    draining   asked to stop; killed after a grace, and left only at the reap. Where an operator
               unloads a busy model its requests end first, each within its own limit
    backoff    until the next attempt
    failed     until one attempt is allowed again
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where a model is; the words of `kronk ps`."""

    ABSENT = "absent"
    LOADING = "loading"
    READY = "ready"
    DRAINING = "draining"
    BACKOFF = "backoff"
    FAILED = "failed"


class Event(StrEnum):
    """What can happen to a model."""

    # A process was assigned and will be told to load.
    LOAD = "load"
    READY = "ready"
    # The process of a load died and another takes its place at once.
    REPLACED = "replaced"
    # The owner wants the process to end: room, TTL, an operator, a refused load, no sign of life.
    DRAIN = "drain"
    # Reaped, as wanted; or lost with its host, which is not the model's fault.
    EXITED = "exited"
    # Reaped, unwanted; to be tried again after a delay.
    CRASHED = "crashed"
    # Reaped, unwanted, once too often.
    GAVE_UP = "gave up"
    # The delay is over and nobody wants the model.
    CALMED = "calmed"


NEXT: dict[State, dict[Event, State]] = {
    State.ABSENT: {Event.LOAD: State.LOADING},
    State.LOADING: {
        Event.READY: State.READY,
        Event.REPLACED: State.LOADING,
        Event.DRAIN: State.DRAINING,
        Event.EXITED: State.ABSENT,
        Event.CRASHED: State.BACKOFF,
        Event.GAVE_UP: State.FAILED,
    },
    State.READY: {
        Event.DRAIN: State.DRAINING,
        # With the host it ran on.
        Event.EXITED: State.ABSENT,
        Event.CRASHED: State.BACKOFF,
        Event.GAVE_UP: State.FAILED,
    },
    State.DRAINING: {
        # Its last requests have ended, or are not waited for any more: now it is told.
        Event.DRAIN: State.DRAINING,
        Event.EXITED: State.ABSENT,
        # It was stopped because it had failed: the verdict waits for the reap.
        Event.CRASHED: State.BACKOFF,
        Event.GAVE_UP: State.FAILED,
    },
    State.BACKOFF: {Event.LOAD: State.LOADING, Event.CALMED: State.ABSENT},
    # LOAD is the half-open probe.
    State.FAILED: {Event.LOAD: State.LOADING, Event.CALMED: State.ABSENT},
}

# States in which a model takes one of the places of `models_in_cache`: it has a process.
RESIDENT = frozenset({State.LOADING, State.READY, State.DRAINING})


class IllegalTransition(AssertionError):
    """A bug of ours: the fleet reported an event that this state cannot have."""


def after(state: State, event: Event) -> State:
    """The state that `event` leads to."""
    try:
        return NEXT[state][event]
    except KeyError:
        raise IllegalTransition(f"a model that is {state} cannot have {event!r}") from None
