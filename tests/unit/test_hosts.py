"""Which far processes live, by what their hosts say and when."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from kronk.shared import worker_hosts
from kronk.shared.paths import BasePath
from kronk.shared.wire.loading import AdapterSpec, LoadSpec
from kronk.shared.wire.to_host import HelloAgain, HostBeat, HostSignal, HostSpawn, Welcome
from kronk.shared.wire.to_supervisor import HostAlive, HostExited, HostHello, HostStarted
from kronk.shared.wire.values import PROTOCOL
from kronk.shared.worker_hosts import KnownHosts, WorkerHost, WorkerHosts
from kronk.supervisor.hosts import START_WITHIN, Hosts
from kronk.supervisor.placing import Places
from kronk.worker.relocation import data_address, place, relocated

LOST_AFTER = 5.0


class House:
    """The hosts of a server, with what is told to them and what they report."""

    def __init__(self, root: Path) -> None:
        base = BasePath(root)
        rows = {name: WorkerHost(name, name[0] * 40, 2) for name in ("a", "b")}
        worker_hosts.save(base, WorkerHosts(lost_after=LOST_AFTER, hosts=rows))
        self.told: list[Any] = []
        self.news: list[Any] = []
        self.hosts = Hosts(
            KnownHosts(base),
            "/base",
            tell=self._tell,
            on_up=lambda host, models: self.news.append(("up", host, models)),
            on_down=lambda host: self.news.append(("down", host)),
            on_exit=lambda child, exit: self.news.append((child.generation, exit)),
        )

    def _tell(self, host: str, message: Any) -> bool:
        self.told.append((host, message))
        return True

    def hello(self, now: float, host: str = "a", *running: int) -> None:
        self.hosts.on_message(now, host, HostHello(PROTOCOL, "1", 1, running))

    def alive(self, now: float, host: str = "a", *running: int) -> None:
        self.hosts.on_message(now, host, HostAlive(running))


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_a_host_that_says_hello_is_welcome_once(house: House) -> None:
    house.hello(0.0)
    house.hello(1.0)
    assert house.told == [("a", Welcome("/base", LOST_AFTER))] * 2
    assert house.news == [("up", "a", 2)]


def test_a_second_host_with_the_token_of_one_that_is_connected_is_noted(house: House) -> None:
    house.hello(0.0)
    with capture_logs() as lines:
        house.hello(1.0)
        house.hosts.on_message(2.0, "a", HostHello(PROTOCOL, "1", 2, ()))
    assert [line["event"] for line in lines] == [
        "a worker host started anew, or a second one has its token"
    ]


def test_a_host_of_another_protocol_is_not(house: House) -> None:
    house.hosts.on_message(0.0, "a", HostHello(PROTOCOL + 1, "2", 1, ()))
    assert (house.told, house.news) == ([], [])


def test_signs_of_life_are_answered_and_those_of_a_stranger_with_a_question(house: House) -> None:
    house.alive(0.0, "b")
    house.hello(0.0)
    house.alive(1.0)
    assert house.told[0] == ("b", HelloAgain())
    assert house.told[-1] == ("a", HostBeat())


def test_a_process_is_ordered_started_and_its_end_reported_once(house: House) -> None:
    house.hello(0.0)
    house.hosts.spawn("a", 7, "secret", 1.0)
    assert house.told[-1] == ("a", HostSpawn(7, "secret"))
    house.hosts.on_message(1.1, "a", HostStarted(7, 4711))
    child = house.hosts.get(7)
    assert child is not None
    assert child.pid == 4711
    house.hosts.signal(7, 15)
    assert house.told[-1] == ("a", HostSignal(7, 15))
    # Nobody else's word counts.
    house.hosts.on_message(2.0, "b", HostExited(7, 0, ()))
    house.hosts.on_message(2.0, "a", HostExited(7, -9, ("last",)))
    house.hosts.on_message(2.1, "a", HostExited(7, -9, ("last",)))
    (number, exit), *more = house.news[1:]
    assert (number, exit.returncode, exit.last_lines, more) == (7, -9, ("last",), [])
    assert house.hosts.get(7) is None


def test_a_silent_host_is_lost_with_all_it_ran(house: House) -> None:
    house.hello(0.0)
    house.hello(0.0, "b")
    house.hosts.spawn("a", 7, "s", 0.0)
    house.hosts.spawn("b", 8, "s", 0.0)
    house.alive(LOST_AFTER, "b", 8)
    house.hosts.tick(LOST_AFTER)
    assert ("down", "a") not in house.news
    house.hosts.tick(LOST_AFTER + 0.1)
    down, (number, exit) = house.news[2:]
    assert (down, number) == (("down", "a"), 7)
    assert exit.reason == "no word from the worker host a for 5 s"
    assert house.hosts.get(8) is not None


def test_what_a_lost_host_still_runs_is_ended_when_it_comes_back(house: House) -> None:
    house.hello(0.0)
    house.hosts.spawn("a", 7, "s", 0.0)
    house.hosts.tick(LOST_AFTER + 1)
    house.hello(20.0, "a", 7)
    assert house.told[-1] == ("a", HostSignal(7, 9))
    assert house.news[-1] == ("up", "a", 2)


def test_a_process_that_its_host_does_not_have_is_gone_after_a_while(house: House) -> None:
    house.hello(0.0)
    house.hosts.spawn("a", 7, "s", 0.0)
    house.alive(1.0)
    assert house.hosts.get(7) is not None
    house.alive(START_WITHIN + 1)
    assert house.hosts.get(7) is None
    assert house.news[-1][1].reason == "the worker host a does not run it any more"


def test_nobody_is_late_when_we_stood_still(house: House) -> None:
    house.hello(0.0)
    house.hosts.forgive(100.0)
    house.hosts.tick(100.0)
    assert ("down", "a") not in house.news


@pytest.mark.parametrize(
    ("wanted", "taken", "place"),
    [
        (["local"], [], "local"),
        (["a"], [], "a"),
        (["a"], ["a"], None),
        (["a", "b"], ["a"], "b"),
        (["a", "local"], ["a"], "local"),
        (["c"], [], None),
        (["c", "local"], [], "local"),
        (["b"], ["a", "b"], "b"),
    ],
)
def test_the_first_place_with_room_is_taken(
    wanted: list[str], taken: list[str], place: str | None
) -> None:
    places = Places()
    places.up("a", 1)
    places.up("b", 2)
    assert places.choose(wanted, taken) == place


def test_a_place_that_is_down_is_absent() -> None:
    places = Places()
    places.up("a", 1)
    assert not places.are_absent(["a"])
    places.down("a")
    assert places.are_absent(["a"])
    assert not places.are_absent(["a", "local"])


def test_paths_below_the_servers_base_are_below_the_hosts_own() -> None:
    plain = LoadSpec("m", "/base/models/m.gguf", adapters=(AdapterSpec("/opt/a.gguf", 0.5),))
    spec = replace(plain, cache=replace(plain.cache, directory="/base/cache"))
    here = relocated(spec, "/base", "/far")
    assert here.path == "/far/models/m.gguf"
    assert here.cache.directory == "/far/cache"
    assert here.adapters == (AdapterSpec("/opt/a.gguf", 0.5),)
    assert here.projector is None
    assert place("gpu1", here) == "worker host gpu1 (/far/models/m.gguf): "


@pytest.mark.parametrize(
    ("address", "control", "dialled"),
    [
        ("tcp://*:8392", "tcp://head:8391", "tcp://head:8392"),
        ("tcp://*:8392", "tcp://[::1]:8391", "tcp://[::1]:8392"),
        ("ipc:///run/data.sock", "tcp://head:8391", "ipc:///run/data.sock"),
    ],
)
def test_a_star_is_the_host_of_the_control_plane(address: str, control: str, dialled: str) -> None:
    assert data_address(address, control) == dialled
