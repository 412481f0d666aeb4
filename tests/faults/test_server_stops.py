"""The whole server ends, in order or not: every stream learns of it, and nothing is left."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import proc
from harness.asked import AskedStream
from harness.fault_house import fault_house
from harness.matrix import Row, record
from harness.server import Server
from harness.waiting import PATIENCE, wait_until

GONE_WITHIN = 2.0
STREAMS = 12


def kill(server: Server, streams: list[AskedStream]) -> str:
    server.kill(server.pid)
    return "supervisor SIGKILL"


def stop(server: Server, streams: list[AskedStream]) -> str:
    server.kill(server.pid, signal.SIGTERM)
    return "SIGTERM"


def stop_twice(server: Server, streams: list[AskedStream]) -> str:
    server.kill(server.pid, signal.SIGTERM)
    wait_until(lambda: server.events("stopping"), "the first to be noticed")
    server.kill(server.pid, signal.SIGTERM)
    return "SIGTERM twice"


@pytest.mark.parametrize(
    ("act", "tokens", "ends", "code"),
    [
        # Broken, or told why: the gateway has a moment to say so.
        (kill, 3000, {"error", "broken", "refused"}, -signal.SIGKILL),
        (stop, 150, {"done"}, 0),
        (stop_twice, 3000, {"error", "refused"}, 0),
    ],
)
def test_every_stream_ends_once_and_no_process_is_left(
    tmp_path: Path,
    act: Callable[[Server, list[AskedStream]], str],
    tokens: int,
    ends: set[str],
    code: int,
) -> None:
    with fault_house(tmp_path, ("Left", "Right")) as server:
        streams = [
            AskedStream(server, ("Left", "Right")[n % 2], n, "pace 10", max_tokens=tokens)
            for n in range(STREAMS)
        ]
        for stream in streams:
            stream.wait_for_pieces(3)
        children = server.children()
        begun = time.monotonic()
        what = act(server, streams)
        assert server.process.wait(PATIENCE) == code
        stopped = time.monotonic()
        wait_until(lambda: all(proc.is_gone(pid) for pid in children), "their end", GONE_WITHIN)
        gone = time.monotonic()
        assert {stream.end() for stream in streams} <= ends
        # One that was just starting, such as a reader of headers, finds its other end closed.
        wait_until(lambda: server.left() == [], "the end of all others")
        said = ", ".join(f"{n} {end}" for end, n in Counter(s.end() for s in streams).items())
        figures = {
            "signal to its end, ms": round(1000 * (stopped - begun)),
            "its end to the last child's, ms": round(1000 * (gone - stopped)),
        }
        record(Row(what, f"{STREAMS} streams", said, figures))
        for stream in streams:
            stream.close()


def test_a_server_starts_over_what_a_killed_one_left_behind(tmp_path: Path) -> None:
    with fault_house(tmp_path / "house", ("Left",)) as first:
        assert first.text("Left", "from 7", max_tokens=1) == " 8"
        first.kill(first.pid)
        first.process.wait(PATIENCE)
        wait_until(lambda: not first.left(), "the end of all", timeout=GONE_WITHIN)
        # Files of sockets that nobody listens on.
        assert {path.name for path in first.sockets.iterdir()} >= {"control.sock", "data.sock"}
    with fault_house(tmp_path / "house", ("Left",)) as second:
        assert second.text("Left", "from 7", max_tokens=1) == " 8"
    record(Row("stale socket files", "start after SIGKILL", "served", {}))
