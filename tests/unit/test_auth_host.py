"""What `--auth-host` needs beside it is asked for before anything starts."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from harness import certificates
from kronk.gateway.access.delegation.host import auth_host_of
from kronk.shared.errors import InvalidArgument
from kronk.shared.security import auth_host
from kronk.shared.settings import resolve

HOST = {"auth_host": "auth.example.com"}
WITH_TOKEN = HOST | {"auth_token": "a.b.c"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    certificates.make(tmp_path)
    (tmp_path / "words.pem").write_text("no certificate")
    return tmp_path


@pytest.mark.parametrize(
    ("flags", "param", "complaint"),
    [
        (HOST, "auth_token", "a token with the grant `delegation`"),
        (WITH_TOKEN | {"auth_ca": "nope.pem"}, "auth_ca", "no such file"),
        (WITH_TOKEN | {"auth_ca": "words.pem"}, "auth_ca", "there is no certificate"),
        (WITH_TOKEN | {"auth_ca": "key.pem"}, "auth_ca", "there is no certificate"),
    ],
)
def test_what_could_never_be_asked_is_refused(
    folder: Path, flags: dict[str, str | None], param: str, complaint: str
) -> None:
    settings = resolve(_in(folder, flags), {})
    for refuse in (auth_host.check, auth_host_of):
        with pytest.raises(InvalidArgument, match=complaint) as caught:
            refuse(settings)
        assert caught.value.param == param


@pytest.mark.parametrize("flags", [{}, WITH_TOKEN, WITH_TOKEN | {"auth_ca": "ca.pem"}])
def test_what_may_be_asked_is_not(folder: Path, flags: dict[str, str | None]) -> None:
    auth_host.check(resolve(_in(folder, flags), {}))


def test_a_file_of_authorities_that_is_none_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "words.pem"))
    with pytest.raises(InvalidArgument, match=r"SSL_CERT_FILE: .*words\.pem"):
        auth_host_of(resolve(dict(WITH_TOKEN), {}))
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))
    host = auth_host_of(resolve(dict(WITH_TOKEN), {}))
    assert host.address == "https://auth.example.com"
    asyncio.run(host.close())


def _in(folder: Path, flags: dict[str, str | None]) -> dict[str, str | None]:
    name = flags.get("auth_ca")
    return flags | ({"auth_ca": str(folder / name)} if name else {})
