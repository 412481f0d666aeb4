"""A model's states are a table, and what is not in it is an error."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from kronk.shared.load_spec import load_spec
from kronk.shared.model_config import ModelConfig
from kronk.supervisor.lifecycle import NEXT, RESIDENT, Event, IllegalTransition, State, after
from kronk.supervisor.model import Model


@pytest.mark.parametrize(
    "events",
    [
        [Event.LOAD, Event.READY, Event.DRAIN, Event.EXITED],
        [Event.LOAD, Event.REPLACED, Event.READY, Event.CRASHED, Event.CALMED],
        [Event.LOAD, Event.CRASHED, Event.LOAD, Event.GAVE_UP, Event.LOAD, Event.EXITED],
        [Event.LOAD, Event.DRAIN, Event.CRASHED, Event.LOAD, Event.GAVE_UP, Event.CALMED],
        [Event.LOAD, Event.READY, Event.DRAIN, Event.GAVE_UP, Event.CALMED],
    ],
)
def test_every_life_ends_where_it_began(events: list[Event]) -> None:
    state = State.ABSENT
    for event in events:
        state = after(state, event)
    assert state is State.ABSENT


@pytest.mark.parametrize(
    ("state", "event"),
    [pair for pair in itertools.product(State, Event) if pair[1] not in NEXT[pair[0]]],
)
def test_an_event_outside_the_table_raises_and_changes_nothing(state: State, event: Event) -> None:
    spec = load_spec("m", Path("m"), ModelConfig())
    model = Model(spec, 0.0, 300.0)
    model.state = state
    with pytest.raises(IllegalTransition):
        model.enter(event, 1.0)
    assert (model.state, model.since) == (state, 0.0)


def test_every_state_has_a_row_and_can_be_left() -> None:
    assert set(NEXT) == set(State)
    assert all(NEXT.values())


def test_every_state_is_reached_from_absent() -> None:
    reached, fresh = set[State](), {State.ABSENT}
    while fresh:
        reached |= fresh
        fresh = {to for state in fresh for to in NEXT[state].values()} - reached
    assert reached == set(State)


def test_a_state_with_a_process_is_left_to_one_without_only_by_its_reap() -> None:
    reaps = {Event.EXITED, Event.CRASHED, Event.GAVE_UP}
    for state in RESIDENT:
        leaving = {event for event, to in NEXT[state].items() if to not in RESIDENT}
        assert leaving <= reaps
