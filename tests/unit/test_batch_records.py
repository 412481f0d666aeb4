"""Every change of a batch's status, and its record."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from kronk.gateway.batches.objects import batch_object
from kronk.gateway.batches.records import (
    NEXT,
    Batch,
    Counts,
    Event,
    Fault,
    Status,
    Tokens,
    advance,
    from_json,
    to_json,
)
from kronk.shared.errors import Conflict

BATCH = Batch(
    id="batch_1",
    endpoint="/v1/chat/completions",
    input_file="file-1",
    completion_window="24h",
    created_at=100,
    expires_at=86500,
    output_file="file-2",
    error_file="file-3",
)

MOVES = [
    (Status.VALIDATING, Event.ACCEPT, Status.IN_PROGRESS),
    (Status.VALIDATING, Event.REFUSE, Status.FAILED),
    (Status.VALIDATING, Event.CANCEL, Status.CANCELLING),
    (Status.IN_PROGRESS, Event.FINISH, Status.FINALIZING),
    (Status.IN_PROGRESS, Event.REFUSE, Status.FAILED),
    (Status.IN_PROGRESS, Event.CANCEL, Status.CANCELLING),
    (Status.IN_PROGRESS, Event.EXPIRE, Status.EXPIRED),
    (Status.FINALIZING, Event.PUBLISH, Status.COMPLETED),
    (Status.CANCELLING, Event.CANCEL, Status.CANCELLING),
    (Status.CANCELLING, Event.PUBLISH, Status.CANCELLED),
]


@pytest.mark.parametrize(("before", "event", "after"), MOVES)
def test_what_happens_moves_a_batch_on(before: Status, event: Event, after: Status) -> None:
    moved = advance(replace(BATCH, status=before), event, 123.9)
    assert moved.status is after
    assert moved.reached == {after.value: 123}


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("event", Event)
def test_nothing_else_can_happen(status: Status, event: Event) -> None:
    if any(row[:2] == (status, event) for row in MOVES):
        return
    with pytest.raises(Conflict, match=f"Cannot {event} a batch with status '{status}'"):
        advance(replace(BATCH, status=status), event, 123.0)


def test_only_the_ends_are_ends_and_each_can_be_reached() -> None:
    ends = {status for status in Status if replace(BATCH, status=status).is_over}
    assert ends == {Status.COMPLETED, Status.FAILED, Status.EXPIRED, Status.CANCELLED}
    reached, found = {Status.VALIDATING}, {Status.VALIDATING}
    while found:
        found = {after for status in found for after in NEXT[status].values()} - reached
        reached |= found
    assert reached == set(Status)


def test_asking_twice_for_the_end_keeps_the_time_of_the_first() -> None:
    once = advance(replace(BATCH, status=Status.IN_PROGRESS), Event.CANCEL, 200.0)
    assert advance(once, Event.CANCEL, 300.0).reached == {"cancelling": 200}


def test_a_record_survives_the_disk() -> None:
    batch = replace(
        BATCH,
        metadata={"a": "b"},
        status=Status.FAILED,
        reached={"failed": 7},
        faults=(Fault("invalid_method", "no", 3, "method"), Fault("empty_file", "none")),
        counts=Counts(3, 2, 1),
        tokens=Tokens(1, 2, 3, 4),
    )
    assert from_json(json.loads(json.dumps(to_json(batch)))) == batch


def test_fields_of_a_newer_version_are_passed_over() -> None:
    assert from_json(to_json(BATCH) | {"colour": "blue"}) == BATCH


def test_the_files_of_a_batch_are_named_when_they_are_there() -> None:
    seen = batch_object(BATCH)
    assert (seen["output_file_id"], seen["error_file_id"], seen["errors"]) == (None, None, None)
    seen = batch_object(replace(BATCH, has_output=True, has_errors=True))
    assert (seen["output_file_id"], seen["error_file_id"]) == ("file-2", "file-3")


def test_a_batch_shows_when_it_reached_what() -> None:
    batch = advance(BATCH, Event.ACCEPT, 101.0)
    batch = advance(batch, Event.FINISH, 105.0)
    seen = batch_object(advance(batch, Event.PUBLISH, 106.0))
    assert [seen[f"{name}_at"] for name in ("in_progress", "finalizing", "completed")] == [
        101,
        105,
        106,
    ]
    assert seen["failed_at"] is seen["cancelled_at"] is seen["expired_at"] is None
