"""What the log says of leases, by how long they waited and what became of them."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from kronk.shared.errors import Overloaded
from kronk.shared.wire.to_supervisor import LeaseRequest
from kronk.supervisor.actions import Grant, Refuse
from kronk.supervisor.lease_log import LeaseLog

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"


class Desk:
    """A log of leases at a clock that is set."""

    def __init__(self) -> None:
        self.now = 100.0
        self.log = LeaseLog(lambda: self.now)
        self.log.asked(LeaseRequest(1, "alias", name="r-1", trace=TRACE))


@pytest.mark.parametrize(
    ("waited", "ready_for", "level", "loading"),
    [
        (0.0, 60.0, "debug", 0.0),
        (0.05, 60.0, "debug", 0.0),
        # In a queue.
        (2.0, 60.0, "info", 0.0),
        # The model was loaded for it: 3 of 4 seconds; or the load had begun before.
        (4.0, 0.5, "info", 3.0),
        (1.0, 0.0, "info", 1.0),
        # Nothing was sent to a worker.
        (0.0, None, "debug", 0.0),
    ],
)
def test_a_grant_says_how_long_it_took_and_why(
    waited: float, ready_for: float | None, level: str, loading: float
) -> None:
    desk = Desk()
    desk.now += waited
    with capture_logs() as lines:
        desk.log.granted(Grant(1, 7, ready_for, 3.0, "m"))
        # Once.
        desk.log.granted(Grant(1, 7, ready_for, 3.0, "m"))
    assert lines == [
        {
            "event": "lease granted",
            "log_level": level,
            "request_id": "r-1",
            "trace_id": TRACE_ID,
            "model": "m",
            "generation": 7,
            "waited": waited if waited != 0.05 else pytest.approx(0.05),
            "loading": loading,
        }
    ]


def test_a_refusal_is_always_said_with_its_reason() -> None:
    desk = Desk()
    with capture_logs() as lines:
        desk.log.refused(Refuse(1, Overloaded("12 wait already")))
    (line,) = lines
    facts: dict[str, Any] = {key: line[key] for key in ("log_level", "model", "code", "reason")}
    assert facts == {
        "log_level": "info",
        "model": "alias",
        "code": "overloaded",
        "reason": "12 wait already",
    }


def test_who_is_not_served_at_once_waits_and_may_give_up() -> None:
    desk = Desk()
    with capture_logs() as lines:
        desk.log.has_waited(1)
        desk.now += 1.5
        desk.log.returned(1)
        desk.log.returned(1)
        desk.log.has_waited(1)
    assert [(line["event"], line["log_level"]) for line in lines] == [
        ("lease waits", "debug"),
        ("lease given up", "debug"),
    ]


def test_a_gateway_that_died_takes_its_leases_along() -> None:
    desk = Desk()
    desk.log.gateway_lost()
    with capture_logs() as lines:
        desk.log.granted(Grant(1, 7))
    assert lines == []
