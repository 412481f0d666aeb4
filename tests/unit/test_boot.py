"""What must hold before the first process is started."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest

from kronk.shared import exits
from kronk.shared.paths import BasePath
from kronk.shared.settings import resolve
from kronk.shared.units import Address, parse_address
from kronk.supervisor.boot import CannotStart, Census, Lock, bound_address, listen, start_time
from kronk.supervisor.commands import environment


@pytest.mark.parametrize(
    ("asked", "bound"),
    [("127.0.0.1:0", "127.0.0.1"), ("localhost:0", "127.0.0.1"), (":0", "0.0.0.0")],
)
def test_the_api_listens_where_it_was_asked_to(asked: str, bound: str) -> None:
    with listen(parse_address(asked)) as server:
        address = bound_address(server)
        assert address.host == bound
        with socket.create_connection(("127.0.0.1", address.port)):
            pass


def test_an_address_in_use_is_named_with_the_way_out() -> None:
    with listen(Address("127.0.0.1", 0)) as server:
        address = bound_address(server)
        with pytest.raises(CannotStart, match=f"{address} is in use.*--api-host") as raised:
            listen(address)
    assert raised.value.code == exits.ADDRESS_IN_USE


def test_a_port_is_free_again_at_once_after_a_connection() -> None:
    with listen(Address("127.0.0.1", 0)) as server:
        address = bound_address(server)
        with socket.create_connection((address.host, address.port)):
            server.accept()[0].close()
    listen(address).close()


def test_a_base_path_has_one_server_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "run" / "kronk.pid"
    path.parent.mkdir()
    lock = Lock(path)
    with pytest.raises(CannotStart, match=rf"already runs on {tmp_path} \(pid {os.getpid()}\)"):
        Lock(path)
    lock.release()
    Lock(path).release()


def test_a_pid_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match=f"cannot write {tmp_path}"):
        Lock(tmp_path)


def test_a_disk_too_full_for_the_pid_is_said_with_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "kronk.pid"
    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(CannotStart, match=f"cannot write {path}: no space left on device"):
        Lock(path)
    monkeypatch.undo()
    Lock(path).release()


def test_a_start_time_tells_a_process_from_its_successor() -> None:
    assert start_time(os.getpid()) == start_time(os.getpid())
    assert start_time(os.getpid()) != start_time(1)
    assert start_time(2**22 + 1) is None


@pytest.mark.parametrize("text", [None, "", "{", "[1]", '[["x", 1]]', "null"])
def test_a_census_that_is_missing_or_broken_kills_nobody(text: str | None, tmp_path: Path) -> None:
    base = BasePath(tmp_path)
    base.run.mkdir()
    if text is not None:
        (base.run / "children.json").write_text(text)
    assert Census(base).sweep() == []


def test_a_census_takes_only_processes_that_live(tmp_path: Path) -> None:
    base = BasePath(tmp_path)
    base.run.mkdir()
    Census(base).record([os.getpid(), 2**22 + 1])
    text = (base.run / "children.json").read_text()
    assert f"[{os.getpid()}, " in text
    assert str(2**22 + 1) not in text


def test_a_child_sees_the_operators_environment_and_the_settings_in_force() -> None:
    settings = resolve({"cache_ttl": "7s"}, {})
    child = environment(settings, {"OMP_WAIT_POLICY": "active", "KRONK_CACHE_TTL": "1s"}, "worker")
    assert child["OMP_WAIT_POLICY"] == "active"
    assert child["KRONK_CACHE_TTL"] == "7000ms"
