"""What those are told that find no place: when to come back."""

from __future__ import annotations

import pytest

from kronk.supervisor.estimates import (
    LATEST,
    SOONEST,
    UNKNOWN,
    ServiceTime,
    after_load,
    after_queue,
)


@pytest.mark.parametrize(
    ("mean", "ahead", "slots", "seconds"),
    [
        (None, 5, 2, UNKNOWN),
        # The next in line waits for one of the slots, the second for twice as long.
        (4.0, 0, 1, 4.0),
        (4.0, 1, 1, 8.0),
        (4.0, 3, 2, 8.0),
        (4.0, 7, 4, 8.0),
        (0.01, 0, 4, SOONEST),
        (600.0, 9, 1, LATEST),
        (4.0, 0, 0, 4.0),
    ],
)
def test_behind_a_queue(mean: float | None, ahead: int, slots: int, seconds: float) -> None:
    assert after_queue(mean, ahead, slots) == seconds


@pytest.mark.parametrize(
    ("left", "seconds"), [(None, UNKNOWN), (0.1, SOONEST), (12.5, 12.5), (900.0, LATEST)]
)
def test_behind_a_load(left: float | None, seconds: float) -> None:
    assert after_load(left) == seconds


def test_the_first_request_is_the_mean_and_later_ones_move_it() -> None:
    service = ServiceTime()
    assert service.mean is None
    service.note(10.0, 1, 2)
    assert service.mean == 10.0
    service.note(20.0, 2, 2)
    assert service.mean == 12.0
    for _ in range(50):
        service.note(1.0, 1, 2)
    assert service.mean == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(
    ("held", "in_slots", "slots", "served"),
    [
        (6.0, 1, 2, 6.0),
        (6.0, 2, 2, 6.0),
        # Half of those that have a lease wait behind the slots.
        (6.0, 4, 2, 3.0),
        (6.0, 0, 2, 6.0),
    ],
)
def test_the_wait_in_the_workers_queue_is_no_service(
    held: float, in_slots: int, slots: int, served: float
) -> None:
    service = ServiceTime()
    service.note(held, in_slots, slots)
    assert service.mean == served
