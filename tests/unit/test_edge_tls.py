"""The certificate: looked at before the start, exchanged while connections are open."""

from __future__ import annotations

import json
import os
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import structlog
from typer.testing import CliRunner

from harness.tls_pairs import NAME, Handshake, Pair, credulous, make_pair
from kronk.cli.client import NoServer, find_server
from kronk.cli.main import app
from kronk.gateway.edge.certificate import Certificate
from kronk.shared import tls
from kronk.shared.errors import InvalidArgument, ServerError


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return make_pair(tmp_path, "kronk")


# What is wrong with files.


def broken(folder: Path, what: str) -> Pair:
    good = make_pair(folder, "good")
    match what:
        case "no certificate file":
            return Pair(folder / "nowhere.pem", good.key, 0)
        case "no key file":
            return Pair(good.cert, folder / "nowhere.key", 0)
        case "a folder":
            return Pair(folder, good.key, 0)
        case "no certificate in it":
            return Pair(good.key, good.key, 0)
        case "no key in it":
            return Pair(good.cert, good.cert, 0)
        case "another's key":
            return Pair(good.cert, make_pair(folder, "other").key, 0)
        case "a passphrase":
            return make_pair(folder, "locked", passphrase=b"secret")
        case "run out":
            return make_pair(folder, "old", begins=-9.0, ends=-1.0)
    assert what == "not yet"
    return make_pair(folder, "new", begins=1.0)


BROKEN = [
    ("no certificate file", "tls_cert", "no such file"),
    ("no key file", "tls_key", "no such file"),
    ("a folder", "tls_cert", "is a directory"),
    ("no certificate in it", "tls_cert", "no certificate"),
    ("no key in it", "tls_key", "no private key"),
    ("another's key", "tls_key", "not the key of the certificate"),
    ("a passphrase", "tls_key", "passphrase"),
    ("run out", "tls_cert", "ran out on"),
    ("not yet", "tls_cert", "not valid before"),
]


@pytest.mark.parametrize(("what", "param", "words"), BROKEN, ids=[what for what, *_ in BROKEN])
def test_a_pair_that_is_of_no_use_refuses_the_start_and_names_the_setting(
    tmp_path: Path, what: str, param: str, words: str
) -> None:
    files = broken(tmp_path, what)
    base = tmp_path / "base"
    flags = [f"--base-path={base}", f"--tls-cert={files.cert}", f"--tls-key={files.key}"]
    said = CliRunner().invoke(app, ["server", "start", *flags])
    assert isinstance(said.exception, InvalidArgument)
    assert said.exception.param == param
    flag = "--" + param.replace("_", "-")
    assert said.exception.message.startswith(flag)
    assert words in said.exception.message
    # Nothing was started, nor made.
    assert not base.exists()


def test_clients_of_today_are_spoken_to_and_no_others(pair: Pair) -> None:
    context = tls.identity(pair.cert, pair.key).context
    client = credulous()
    client.set_alpn_protocols(["h2", "http/1.1"])
    done = Handshake(context, client)
    assert done.client.version() == "TLSv1.3"
    assert done.client.selected_alpn_protocol() == "http/1.1"
    older = credulous()
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    cipher = Handshake(context, older).client.cipher()
    assert cipher is not None
    assert cipher[0].startswith("ECDHE")
    weak = credulous()
    weak.maximum_version = ssl.TLSVersion.TLSv1_2
    weak.set_ciphers("AES128-SHA:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        Handshake(context, weak)


# Exchanged.


def test_new_connections_get_the_new_certificate_and_open_ones_go_on(
    pair: Pair, tmp_path: Path
) -> None:
    shown = Certificate(pair.cert, pair.key)
    before = Handshake(shown.context, credulous())
    fresh = make_pair(tmp_path, "fresh")
    fresh.move_to(pair)
    # Not before two looks found the same.
    shown.look()
    assert Handshake(shown.context, credulous()).serial == pair.serial
    shown.look()
    for name in (None, NAME, "another.example"):
        assert Handshake(shown.context, credulous(), name).serial == fresh.serial
    assert before.serial == pair.serial
    before.client.write(b"still here")
    assert before.server.read(99) == b"still here"


def test_a_pair_that_is_half_written_is_not_read(pair: Pair, tmp_path: Path) -> None:
    shown = Certificate(pair.cert, pair.key)
    fresh = make_pair(tmp_path, "fresh")
    with structlog.testing.capture_logs() as logs:
        fresh.cert.replace(pair.cert)
        shown.look()
        fresh.key.replace(pair.key)
        shown.look()
        shown.look()
    assert [line["event"] for line in logs] == ["certificate exchanged"]
    assert Handshake(shown.context, credulous()).serial == fresh.serial


@pytest.mark.parametrize("what", ["another's key", "no certificate in it", "run out", "gone"])
def test_a_new_pair_that_is_of_no_use_leaves_the_old_one(
    pair: Pair, tmp_path: Path, what: str
) -> None:
    shown = Certificate(pair.cert, pair.key)
    (tmp_path / "more").mkdir()
    if what == "gone":
        pair.cert.unlink()
    else:
        bad = broken(tmp_path / "more", what)
        pair.cert.write_bytes(bad.cert.read_bytes())
        pair.key.write_bytes(bad.key.read_bytes())
    with structlog.testing.capture_logs() as logs:
        for _ in range(4):
            shown.look()
    # Said once.
    (line,) = logs
    assert line["log_level"] == "error"
    assert "the old one stays" in line["event"]
    assert Handshake(shown.context, credulous()).serial == pair.serial
    # And a good one afterwards is taken.
    fresh = make_pair(tmp_path, "fresh")
    fresh.move_to(pair)
    shown.look()
    shown.look()
    assert Handshake(shown.context, credulous()).serial == fresh.serial


@pytest.mark.parametrize(
    ("ends", "event"),
    [
        (20.0, None),
        (13.0, "the TLS certificate runs out soon"),
        (-1.0, "the TLS certificate has run out"),
    ],
)
def test_that_a_certificate_runs_out_is_said_daily(
    tmp_path: Path, ends: float, event: str | None
) -> None:
    files = make_pair(tmp_path, "kronk", begins=-30.0, ends=ends)
    with structlog.testing.capture_logs() as logs:
        shown = Certificate(files.cert, files.key)
        shown.look()
        shown.look()
    assert [line["event"] for line in logs] == ([event] if event else [])
    with structlog.testing.capture_logs() as logs:
        shown.warn(10.0**9)
        shown.warn(10.0**9 + 80_000.0)
        shown.warn(10.0**9 + 87_000.0)
    assert len(logs) == (2 if event else 0)


# Whom the command line trusts.


class Here(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'{"here": true}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def https(pair: Pair) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Here)
    context = tls.identity(pair.cert, pair.key).context
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KRONK_WEB_API_HOST", "KRONK_CA_FILE", "SSL_CERT_FILE", "KRONK_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def write_facts(base: Path, **facts: Any) -> None:
    (base / "run").mkdir(parents=True, exist_ok=True)
    (base / "run" / "server.json").write_text(json.dumps({"pid": os.getpid(), **facts}))


@pytest.mark.parametrize("listens", ["127.0.0.1", "0.0.0.0"])
def test_commands_trust_the_certificate_that_the_server_of_the_base_path_has(
    https: int, pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listens: str
) -> None:
    base = tmp_path / "base"
    write_facts(base, api=f"https://{listens}:{https}", certificate=str(pair.cert))
    assert find_server(None, str(base)).get("/") == {"here": True}
    # Also where its address is in the environment, as in a container.
    monkeypatch.setenv("KRONK_WEB_API_HOST", f"{listens}:{https}")
    assert find_server(None, str(base)).get("/") == {"here": True}


def test_and_no_other(https: int, tmp_path: Path) -> None:
    base = tmp_path / "base"
    other = make_pair(tmp_path, "other")
    write_facts(base, api=f"https://127.0.0.1:{https}", certificate=str(other.cert))
    with pytest.raises(ServerError, match="not to be trusted"):
        find_server(None, str(base)).get("/")


@pytest.mark.parametrize("name", ["KRONK_CA_FILE", "SSL_CERT_FILE"])
def test_elsewhere_the_authorities_of_a_file_are_trusted(
    https: int, pair: Pair, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    admin = find_server(f"https://127.0.0.1:{https}")
    with pytest.raises(ServerError, match="KRONK_CA_FILE") as caught:
        admin.get("/")
    assert not isinstance(caught.value, NoServer)
    monkeypatch.setenv(name, str(pair.cert))
    assert admin.get("/") == {"here": True}


def test_a_file_without_authorities_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KRONK_CA_FILE", str(tmp_path / "nowhere.pem"))
    with pytest.raises(InvalidArgument, match=r"nowhere\.pem"):
        find_server("https://127.0.0.1:1").get("/")
