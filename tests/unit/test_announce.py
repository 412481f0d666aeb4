"""What a service manager is told, and what proof its watchdog is fed on."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from kronk.supervisor.announce import Phase, Situation, Watchdog, extension, lines, status
from kronk.supervisor.notify import (
    VARIABLES,
    Notifier,
    for_children,
    notifier,
    watchdog_seconds,
)
from kronk.supervisor.service import Service

STARTING = Situation("starting", is_served=False)
RUNNING = Situation("running", loaded=3, running=12)


@pytest.mark.parametrize(
    ("situation", "line"),
    [
        (STARTING, "Starting"),
        (RUNNING, "3 models loaded, 12 requests running"),
        (Situation("running", loaded=1, running=1), "1 model loaded, 1 request running"),
        (
            Situation("running", is_served=False),
            "The gateway is being started again; 0 models loaded, 0 requests running",
        ),
        (Situation("reloading", loaded=3), "Reading the configuration again"),
        (Situation("draining", running=2), "Stopping: waiting for 2 running requests"),
        (Situation("stopping"), "Stopping"),
    ],
)
def test_the_status_line_says_how_the_server_does(situation: Situation, line: str) -> None:
    assert status(situation) == line


@pytest.mark.parametrize(
    ("was", "is_now", "said"),
    [
        (None, "starting", []),
        ("starting", "running", ["READY=1"]),
        ("running", "reloading", ["RELOADING=1", "MONOTONIC_USEC=7"]),
        ("reloading", "running", ["READY=1"]),
        ("running", "draining", ["STOPPING=1"]),
        ("running", "stopping", ["STOPPING=1"]),
        ("starting", "stopping", ["STOPPING=1"]),
        ("draining", "stopping", []),
        ("running", "running", []),
    ],
)
def test_every_change_of_phase_is_said_once(
    was: Phase | None, is_now: Phase, said: list[str]
) -> None:
    before = Situation(was) if was is not None else None
    found = lines(before, Situation(is_now), 7)
    assert [line for line in found if not line.startswith("STATUS=")] == said


def test_a_situation_that_has_not_changed_is_not_said_again() -> None:
    assert lines(RUNNING, RUNNING, 0) == []
    assert lines(RUNNING, Situation("running", loaded=3, running=11), 0) == [
        "STATUS=3 models loaded, 11 requests running"
    ]


@pytest.mark.parametrize("phase", ["starting", "draining", "stopping"])
def test_a_manager_with_limits_of_its_own_is_asked_for_time(phase: Phase) -> None:
    assert extension(Situation(phase)) == ["EXTEND_TIMEOUT_USEC=30000000"]


def test_a_server_that_runs_asks_for_no_time() -> None:
    assert extension(RUNNING) == extension(Situation("reloading")) == []


class Manager:
    """What our side of the socket was told."""

    def __init__(self, folder: Path, limit: float | None) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind(str(folder / "notify"))
        self.teller = Notifier(str(folder / "notify"))
        self.service = Service(self.teller, Watchdog(limit))

    def heard(self) -> list[str]:
        said = []
        while True:
            try:
                said += self.socket.recv(4096).decode().split("\n")
            except BlockingIOError:
                return said

    def stuff(self) -> bool:
        """Fill its queue; false once that is full."""
        return self.teller.say("STATUS=")

    def fed_at(self, situation: Situation, *, beats: bool) -> list[int]:
        """The seconds of a minute in which it is fed."""
        fed = []
        for second in range(60):
            if beats:
                self.service.gateway_beat(float(second))
            self.service.tick(float(second), situation)
            fed += [second] * self.heard().count("WATCHDOG=1")
        return fed

    def __enter__(self) -> Manager:
        return self

    def __exit__(self, *_: object) -> None:
        self.service.close()
        self.socket.close()


@pytest.mark.parametrize(
    ("situation", "beats", "fed"),
    [
        (RUNNING, True, list(range(0, 60, 5))),
        # There is a gateway, and it hangs.
        (RUNNING, False, []),
        (Situation("draining"), False, []),
        # There is none.
        (STARTING, False, list(range(0, 60, 5))),
        (Situation("running", is_served=False), False, list(range(0, 60, 5))),
        (Situation("stopping", is_served=False), False, list(range(0, 60, 5))),
    ],
)
def test_the_watchdog_is_fed_in_half_its_time_where_requests_have_a_chance(
    situation: Situation, beats: bool, fed: list[int], tmp_path: Path
) -> None:
    with Manager(tmp_path, 10.0) as manager:
        assert manager.fed_at(situation, beats=beats) == fed


def test_a_gateway_that_was_slow_and_beats_again_feeds_at_once(tmp_path: Path) -> None:
    with Manager(tmp_path, 10.0) as manager:
        assert manager.fed_at(RUNNING, beats=False) == []
        manager.service.gateway_beat(60.0)
        assert manager.heard() == ["WATCHDOG=1"]


def test_what_a_full_queue_did_not_take_is_said_again(tmp_path: Path) -> None:
    with Manager(tmp_path, None) as manager:
        manager.service.tick(0.0, STARTING)
        while manager.stuff():
            pass
        manager.service.tick(1.0, RUNNING)
        assert "READY=1" not in manager.heard()
        manager.service.tick(2.0, RUNNING)
        assert "READY=1" in manager.heard()
        manager.service.tick(3.0, RUNNING)
        assert "READY=1" not in manager.heard()


def test_without_a_watchdog_nobody_feeds(tmp_path: Path) -> None:
    with Manager(tmp_path, None) as manager:
        assert manager.fed_at(RUNNING, beats=True) == []


def test_a_server_is_one_from_the_first_beat_of_a_gateway_on(tmp_path: Path) -> None:
    with Manager(tmp_path, None) as manager:
        manager.service.tick(0.0, STARTING)
        assert not manager.service.was_served
        manager.service.gateway_beat(1.0)
        assert manager.service.was_served


# The socket and the environment.


@pytest.mark.parametrize("form", ["path", "abstract"])
def test_what_is_said_arrives_as_one_datagram(form: str, tmp_path: Path) -> None:
    name = str(tmp_path / "notify") if form == "path" else f"@kronk-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name.replace("@", "\0"))
        teller = notifier({"NOTIFY_SOCKET": name})
        teller.say("READY=1", "STATUS=Zwölf")
        assert manager.recv(4096).decode() == "READY=1\nSTATUS=Zwölf"
        teller.close()


@pytest.mark.parametrize(
    "environment", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1234"}]
)
def test_without_a_manager_nothing_is_said(environment: dict[str, str]) -> None:
    teller = notifier(environment)
    teller.say("READY=1")
    assert not teller.is_heard


def test_a_manager_that_is_gone_or_does_not_read_is_no_error(tmp_path: Path) -> None:
    name = str(tmp_path / "notify")
    teller = notifier({"NOTIFY_SOCKET": name})
    teller.say("READY=1")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name)
        for _ in range(10_000):
            teller.say("STATUS=" + "x" * 1000)
    teller.close()
    teller.say("STOPPING=1")


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "3000000"}, 3.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "42"}, 3.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "41"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_of_another_process_is_not_ours(
    environment: dict[str, str], seconds: float | None
) -> None:
    assert watchdog_seconds(environment, 42) == seconds


def test_children_are_not_told_what_was_meant_for_the_supervisor() -> None:
    inherited = dict.fromkeys(VARIABLES, "1") | {"PATH": "/bin", "INVOCATION_ID": "x"}
    assert for_children(inherited) == {"PATH": "/bin", "INVOCATION_ID": "x"}
