"""Sockets that a service manager passes on."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from kronk.shared import exits
from kronk.shared.units import Address, UnixAddress
from kronk.supervisor.activation import passed
from kronk.supervisor.boot import CannotStart, api_address, bound_address

FIRST = 200


def said(count: int, pid: int | None = None, names: str = "") -> dict[str, str]:
    whom = str(os.getpid() if pid is None else pid)
    return {"LISTEN_FDS": str(count), "LISTEN_PID": whom, "LISTEN_FDNAMES": names}


@pytest.fixture
def sockets() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def give(stack: ExitStack, number: int, made: socket.socket) -> None:
    """What a service manager does: an inheritable descriptor of that number."""
    os.dup2(made.fileno(), number)
    made.close()
    # Ours closes it first, where it was taken.
    stack.callback(lambda: os.close(number) if is_open(number) else None)


def is_open(handle: int) -> bool:
    try:
        os.fstat(handle)
    except OSError:
        return False
    return True


def tcp() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def unix(path: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(path))
    made.listen()
    return made


def test_sockets_that_were_passed_are_taken_in_their_order(
    sockets: ExitStack, tmp_path: Path
) -> None:
    give(sockets, FIRST, unix(tmp_path / "api"))
    give(sockets, FIRST + 1, tcp())
    found = passed(said(2, names="kronk.socket:kronk.socket"), os.getpid(), FIRST)
    assert [one.family for one in found] == [socket.AF_UNIX, socket.AF_INET]
    assert not any(one.get_inheritable() for one in found)
    assert bound_address(found[0]) == UnixAddress(str(tmp_path / "api"))
    # What people are told: they have more use for a port.
    told = api_address(found)
    assert isinstance(told, Address)
    with socket.create_connection((told.host, told.port)):
        pass
    for one in found:
        one.close()


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"LISTEN_FDS": "1"},
        said(1, pid=1),
        said(0),
        said(1) | {"LISTEN_FDS": "many"},
    ],
)
def test_what_was_passed_to_another_process_is_not_ours(environment: dict[str, str]) -> None:
    assert passed(environment, os.getpid(), FIRST) == []


def udp() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", 0))
    return made


def deaf() -> socket.socket:
    made = socket.socket()
    made.bind(("127.0.0.1", 0))
    return made


@pytest.mark.parametrize("make", [udp, deaf])
def test_a_socket_that_takes_no_connections_is_refused_by_name(
    make: object, sockets: ExitStack
) -> None:
    assert callable(make)
    give(sockets, FIRST, make())
    with pytest.raises(CannotStart, match=r"'kronk.socket'.*not a listening stream") as raised:
        passed(said(1, names="kronk.socket"), os.getpid(), FIRST)
    assert raised.value.code == exits.USAGE


def test_a_descriptor_that_is_not_there_is_refused() -> None:
    with pytest.raises(CannotStart, match="bad file descriptor"):
        passed(said(1), os.getpid(), FIRST)
