"""The thread that looks for a collector: what it does when there is none, and when it goes."""

from __future__ import annotations

import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from kronk.gateway.telemetry.telemetry import Telemetry
from kronk.gateway.tracing import collector as module
from kronk.gateway.tracing.collector import Collector
from kronk.gateway.tracing.spans import Span
from kronk.gateway.tracing.tracing import Tracing
from kronk.shared.settings import resolve

PATIENCE = 20.0


def spans(count: int = 1) -> list[Span]:
    return [Span("x", "a" * 32, "b" * 16, None, 1, 2) for _ in range(count)]


class FakeExporter:
    """Answers as it is told; a list of all that were made is the town's."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.is_closed = False

    def send(self, batch: Sequence[Span]) -> str | None:
        reason = self.town.reason
        self.town.sends.put((len(batch), reason))
        return reason

    def close(self) -> None:
        self.is_closed = True


class Town:
    """A port with or without somebody behind it, and a collector that looks there."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.reason: str | None = None
        self.sends: queue.Queue[tuple[int, str | None]] = queue.Queue()
        self.wanted: queue.Queue[bool] = queue.Queue()
        self.exporters: list[FakeExporter] = []
        self.collector = Collector("127.0.0.1", self.port, self._make, self.wanted.put)

    def _make(self) -> FakeExporter:
        self.exporters.append(FakeExporter(self))
        return self.exporters[-1]

    def sent(self) -> tuple[int, str | None]:
        return self.sends.get(timeout=PATIENCE)

    def next_wanted(self) -> bool:
        return self.wanted.get(timeout=PATIENCE)


@pytest.fixture
def town(monkeypatch: Any) -> Iterator[Town]:
    monkeypatch.setattr(module, "_FIRST_WAIT", 0.001)
    monkeypatch.setattr(module, "_SEND_SECONDS", 0.001)
    town = Town()
    yield town
    town.collector.close()
    town.listener.close()


def test_spans_are_wanted_once_somebody_answers_and_sent(town: Town) -> None:
    with capture_logs() as lines:
        town.collector.start()
        assert town.next_wanted()
        town.collector.add(spans(3))
        assert town.sent() == (3, None)
        town.collector.close()
    assert (town.collector.sent, town.collector.dropped) == (3, 0)
    assert [line["event"] for line in lines] == ["traces are sent"]
    assert town.exporters[0].is_closed


def test_a_missing_collector_is_said_once_and_found_when_it_comes(town: Town) -> None:
    town.listener.close()
    tries = threading.Semaphore(0)
    connect = socket.create_connection

    def counted(*arguments: Any) -> socket.socket:
        tries.release()
        return connect(*arguments)

    with capture_logs() as lines, pytest.MonkeyPatch.context() as patch:
        patch.setattr(module.socket, "create_connection", counted)
        town.collector.start()
        for _ in range(4):
            assert tries.acquire(timeout=PATIENCE)
        assert [line["event"] for line in lines] == ["nobody collects traces"]
        assert lines[0]["log_level"] == "info"
        assert (town.wanted.empty(), town.exporters) == (True, [])
        town.listener = socket.create_server(("127.0.0.1", town.port))
        assert town.next_wanted()


def test_an_outage_is_said_once_and_ends_with_the_next_success(town: Town) -> None:
    with capture_logs() as lines:
        town.collector.start()
        assert town.next_wanted()
        town.collector.add(spans())
        assert town.sent() == (1, None)
        town.reason = "UNAVAILABLE"
        for _ in range(3):
            # It answers, and takes nothing: each time it is tried again, and nothing is said.
            town.collector.add(spans(2))
            assert town.sent() == (2, "UNAVAILABLE")
            assert not town.next_wanted()
            assert town.next_wanted()
        town.reason = None
        town.collector.add(spans())
        assert town.sent() == (1, None)
        town.collector.close()
    assert [(line["event"], line["log_level"]) for line in lines] == [
        ("traces are sent", "info"),
        ("the collector takes no traces", "warning"),
        ("traces are sent", "info"),
    ]
    assert lines[1]["reason"] == "UNAVAILABLE"
    assert lines[2]["dropped"] == 6
    assert (town.collector.sent, town.collector.dropped) == (2, 6)
    assert all(exporter.is_closed for exporter in town.exporters)


def test_what_waits_is_bounded_and_what_is_too_much_counted(town: Town) -> None:
    # Not started: nobody takes anything.
    for _ in range(module._MOST_WAITING + 3):
        town.collector.add(spans(2))
    assert town.collector.dropped == 6


def test_what_is_there_at_the_end_is_sent(town: Town, monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "_SEND_SECONDS", PATIENCE)
    town.collector.start()
    assert town.next_wanted()
    town.collector.add(spans(5))
    town.collector.close()
    assert town.sent() == (5, None)


def test_a_collector_that_hangs_does_not_hold_up_the_end(town: Town, monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "_CLOSE_SECONDS", 0.001)
    released = threading.Event()

    class Hanging(FakeExporter):
        def send(self, batch: Sequence[Span]) -> str | None:
            self.town.sends.put((len(batch), None))
            assert released.wait(PATIENCE)
            return "cancelled"

        def close(self) -> None:
            super().close()
            released.set()

    collector = Collector("127.0.0.1", town.port, lambda: Hanging(town), town.wanted.put)
    collector.start()
    assert town.next_wanted()
    collector.add(spans())
    town.sent()
    collector.close()
    assert released.is_set()


def test_an_exporter_that_cannot_be_made_ends_tracing_and_nothing_else(town: Town) -> None:
    def broken() -> Any:
        raise ValueError("OTEL_EXPORTER_OTLP_COMPRESSION")

    collector = Collector("127.0.0.1", town.port, broken, town.wanted.put)
    with capture_logs() as lines:
        collector.start()
        assert not town.next_wanted()
        collector.close()
    assert [line["event"] for line in lines] == ["no traces are sent any more"]


@pytest.mark.parametrize("flags", [{"tempo_host": "off"}, {"tempo_probability": "0"}])
def test_who_wants_no_traces_has_nobody_looked_for(flags: dict[str, str]) -> None:
    telemetry = Telemetry()
    tracing = Tracing(telemetry, resolve(flags, {}), generation=1)
    threads = threading.active_count()
    tracing.start()
    assert threading.active_count() == threads
    assert (tracing.collector, telemetry.on_begin) == (None, None)
    tracing.close()


def test_a_gateway_without_a_collector_imports_nothing_of_opentelemetry() -> None:
    # Its API comes with FastAPI.
    check = "import sys, kronk.gateway.main; print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-P", "-c", check], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    heavy = ("grpc", "opentelemetry.sdk", "opentelemetry.exporter", "opentelemetry.proto")
    assert [name for name in done.stdout.split() if name.startswith(heavy)] == []
