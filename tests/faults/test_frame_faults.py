"""A worker that says what it must not: it is dropped, or ends that worker's own requests."""

from __future__ import annotations

import pytest

from harness.invariants import after_fault
from harness.server import Server


@pytest.mark.parametrize("word", ["unknown", "garbage"])
def test_a_frame_that_cannot_be_read_ends_the_requests_of_its_sender(
    lab: Server, word: str
) -> None:
    with after_fault(lab, f"{word} frame", "mid-stream", models=("Framed",)) as fault:
        pid = fault.pid("Framed")
        others = fault.streams("Framed", 2)
        culprit = fault.stream("Framed", f"{word} at 5")
        for asked in (*others, culprit):
            assert asked.end() == "error"
            assert asked.error is not None
            assert "unreadable frame" in asked.error["message"]
        # What it was doing is unknown; it lives, and serves on.
        assert fault.whole("Framed", tokens=5).end() == "done"
        assert fault.pid("Framed") == pid


def test_a_frame_over_the_limit_costs_its_sender_the_connection(lab: Server) -> None:
    with after_fault(lab, "oversized frame", "mid-stream", models=("Framed",)) as fault:
        others = fault.streams("Framed", 2)
        culprit = fault.stream("Framed", "oversized at 5")
        for asked in (*others, culprit):
            assert asked.end() == "error"
            assert asked.error is not None
            assert asked.error["code"] == "model_crashed"


@pytest.mark.parametrize("word", ["stale", "late", "replay"])
def test_frames_of_another_time_are_dropped_and_nobody_notices(lab: Server, word: str) -> None:
    what = {"stale": "stale generation", "late": "frames of ended requests", "replay": "replay"}
    with after_fault(lab, what[word], "mid-stream", models=("Cut",), refused=False) as fault:
        pid = fault.pid("Cut")
        assert fault.whole("Cut", tokens=5).end() == "done"
        others = [fault.stream("Cut", tokens=100) for _ in range(2)]
        asked = fault.stream("Cut", f"{word} at 5", tokens=50)
        assert {one.end() for one in (*others, asked)} == {"done"}
        assert fault.pid("Cut") == pid
        row = lab.row("Cut")
        assert row is not None
        assert row["fitted"]["architecture"] == "fake"


def test_a_flood_of_deltas_ends_the_request_it_is_for(lab: Server) -> None:
    with after_fault(lab, "frame flood", "5000 deltas on credit of 64", models=("Flooded",)) as f:
        pid = f.pid("Flooded")
        others = [f.stream("Flooded", tokens=300) for _ in range(2)]
        culprit = f.stream("Flooded", "flood at 5 from 1")
        culprit.wait_for_end()
        assert culprit.error is not None
        assert "flow control" in culprit.error["message"]
        assert {one.end() for one in others} == {"done"}
        assert f.pid("Flooded") == pid
        # Its words are not ours to count.
        f.asked.remove(culprit)
        culprit.close()
