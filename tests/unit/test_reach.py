"""Addresses that nothing is fetched from, and what a server says of its own exposure."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronk.shared import exposure
from kronk.shared.models.fetching import Refused
from kronk.shared.models.http_remote import HttpRemote
from kronk.shared.moving.peer import Peer
from kronk.shared.reach import is_forbidden, is_public, refusal, unwrapped
from kronk.shared.settings import resolve

FORBIDDEN = [
    "169.254.169.254",
    "169.254.0.1",
    "::ffff:169.254.169.254",
    "::169.254.169.254",
    "64:ff9b::169.254.169.254",
    "2002:a9fe:a9fe::",
    "fe80::1",
    "fe80::1%eth0",
    "fd00:ec2::254",
    "fd20:ce::254",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "0.0.0.0",
    "::",
    "224.0.0.1",
    "ff02::1",
]


@pytest.mark.parametrize("address", FORBIDDEN)
def test_not_even_an_administrator_fetches_from_there(address: str) -> None:
    assert is_forbidden(address)
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "10.0.0.1", "192.168.1.7", "fd12::1", "8.8.8.8", "2606:4700::1"]
)
def test_own_networks_and_the_internet_are_his(address: str) -> None:
    assert not is_forbidden(address)


@given(st.ip_addresses(v=4))
def test_an_address_is_the_same_in_every_dress(address: ipaddress.IPv4Address) -> None:
    for dress in (f"::ffff:{address}", f"64:ff9b::{address}"):
        assert unwrapped(dress) == address
        assert is_forbidden(dress) == is_forbidden(str(address))
        assert is_public(dress) == is_public(str(address))


@given(st.ip_addresses())
def test_what_is_public_is_not_forbidden(address: Any) -> None:
    assert not (is_public(str(address)) and is_forbidden(str(address)))


@pytest.mark.parametrize("host", ["169.254.169.254", "2852039166", "0xa9fea9fe", "[fe80::1]", "0"])
def test_downloads_and_other_kronks_are_not_looked_for_there(host: str) -> None:
    assert refusal(host, 443) is not None
    remote = HttpRemote(f"https://{host}/model.gguf", "model.gguf")
    with pytest.raises(Refused, match="link-local or reserved"), remote.opened(0):
        pass
    with pytest.raises(Refused, match="link-local or reserved"):
        Peer(f"https://{host}", "secret").plan("m")


def test_nor_behind_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    remote = HttpRemote("https://metadata.example/model.gguf", "model.gguf")
    with pytest.raises(Refused, match=r"metadata\.example is at 169\.254"), remote.opened(0):
        pass


def test_a_name_that_only_a_proxy_knows_is_left_to_it() -> None:
    assert refusal("nowhere.invalid", 443) is None


# What is said at the start.

PAIR = {"tls_cert": "/c.pem", "tls_key": "/k.pem"}


@pytest.mark.parametrize(
    ("flags", "host", "said"),
    [
        ({}, "127.0.0.1", []),
        ({}, "localhost", []),
        ({}, "::1", []),
        ({}, "0.0.0.0", [exposure.OPEN]),
        ({}, "::", [exposure.OPEN]),
        ({}, "10.0.0.5", [exposure.OPEN]),
        (PAIR, "0.0.0.0", [exposure.OPEN]),
        ({"auth_enabled": "true"}, "0.0.0.0", [exposure.PLAIN]),
        ({"auth_mode": "management"}, "studio.lan", [exposure.PLAIN]),
        ({"auth_enabled": "true", **PAIR}, "0.0.0.0", []),
        ({"auth_enabled": "true"}, "127.0.0.1", []),
        ({"insecure_logging": "true"}, "127.0.0.1", [exposure.LOGGED]),
        ({"insecure_logging": "true"}, "0.0.0.0", [exposure.OPEN, exposure.LOGGED]),
    ],
)
def test_what_lets_others_in_or_out_is_said(
    flags: dict[str, str | None], host: str, said: list[str]
) -> None:
    assert exposure.warnings(resolve(flags, {}), [(host, 8080)]) == said


@pytest.mark.parametrize(
    ("flags", "host", "said"),
    [
        ({}, "127.0.0.1", []),
        ({}, "0.0.0.0", [exposure.DEBUG_OPEN]),
        ({"auth_enabled": "true"}, "0.0.0.0", [exposure.DEBUG_PLAIN]),
    ],
)
def test_a_debug_server_that_others_reach_is_said(
    flags: dict[str, str | None], host: str, said: list[str]
) -> None:
    api = [("127.0.0.1", 8080)]
    assert exposure.warnings(resolve(flags, {}), api, [(host, 8090)]) == said


def test_a_unix_socket_is_nobody_elses() -> None:
    assert exposure.warnings(resolve({}, {}), ["/run/kronk.sock", b"\0kronk", ""]) == []
