"""Which server a command talks to, and what it makes of the answers."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from kronk.cli.client import Admin, NoServer, find_server, in_path
from kronk.shared.errors import (
    Internal,
    InvalidArgument,
    KronkError,
    NotFound,
    Overloaded,
    ServerError,
)
from kronk.shared.paths import BasePath

ANSWERS: dict[str, tuple[int, str]] = {
    "/good": (200, '{"a": [1]}'),
    "/html": (200, "<html>"),
    "/missing": (404, json.dumps({"error": {"code": "not_found", "message": "no such model"}})),
    "/busy": (503, json.dumps({"error": {"code": "overloaded", "message": "full"}})),
    "/new": (418, json.dumps({"error": {"code": "teapot", "message": "short and stout"}})),
    "/proxy": (502, "Bad Gateway"),
    "/odd": (500, "[]"),
}


class Canned(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, body = ANSWERS[self.path]
        self.send_response(status)
        self.send_header("Retry-After", "7")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def admin() -> Iterator[Admin]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Canned)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield Admin(f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_answer_is_its_json(admin: Admin) -> None:
    assert admin.get("/good") == {"a": [1]}


@pytest.mark.parametrize(
    ("path", "error", "words"),
    [
        ("/missing", NotFound, "no such model"),
        ("/busy", Overloaded, "full"),
        ("/new", Internal, "short and stout"),
        ("/proxy", Internal, "answered 502; is it Kronk?"),
        ("/odd", Internal, "answered 500; is it Kronk?"),
        ("/html", Internal, "not JSON; is it Kronk?"),
    ],
)
def test_a_refusal_is_the_servers_own_error(
    admin: Admin, path: str, error: type[KronkError], words: str
) -> None:
    with pytest.raises(error) as caught:
        admin.get(path)
    assert words in caught.value.message


def test_a_refused_stream_is_an_error_too(admin: Admin) -> None:
    with pytest.raises(Overloaded) as caught, admin.stream("/busy", {}):
        pass
    assert caught.value.retry_after == 7


def test_nobody_there_says_how_to_start_a_server() -> None:
    with pytest.raises(NoServer, match="kronk server start"):
        Admin("http://127.0.0.1:9").get("/v1/liveness")


@pytest.mark.parametrize(
    ("flag", "variable", "written", "url"),
    [
        (None, None, None, "http://127.0.0.1:8080"),
        (None, None, '{"api": "127.0.0.1:9001", "pid": 1}', "http://127.0.0.1:9001"),
        (None, None, '{"api": "0.0.0.0:9001", "pid": 1}', "http://127.0.0.1:9001"),
        (None, None, "{half", "http://127.0.0.1:8080"),
        (None, None, "[]", "http://127.0.0.1:8080"),
        (None, "10.0.0.1:9002", '{"api": "127.0.0.1:9001"}', "http://10.0.0.1:9002"),
        (None, "", '{"api": "127.0.0.1:9001"}', "http://127.0.0.1:9001"),
        ("host:9003", "10.0.0.1:9002", '{"api": "127.0.0.1:9001"}', "http://host:9003"),
        ("https://kronk.example/", None, None, "https://kronk.example"),
    ],
)
def test_the_flag_wins_then_the_variable_then_the_running_server(
    flag: str | None,
    variable: str | None,
    written: str | None,
    url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("KRONK_WEB_API_HOST", raising=False)
    if variable is not None:
        monkeypatch.setenv("KRONK_WEB_API_HOST", variable)
    if written is not None:
        base = BasePath(tmp_path)
        base.run.mkdir()
        base.server_file.write_text(written)
    assert find_server(flag, str(tmp_path)).url == url


def test_a_bad_address_names_where_it_came_from(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidArgument, match=r"--api-host: .* got 'x'"):
        find_server("x")
    monkeypatch.setenv("KRONK_WEB_API_HOST", "y")
    with pytest.raises(InvalidArgument, match=r"KRONK_WEB_API_HOST: .* got 'y'"):
        find_server()


def test_a_server_that_hangs_up_may_want_tls() -> None:
    def hang_up(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection:
            # What is left unread would make it a reset.
            while not connection.recv(65536).endswith(b"\r\n\r\n"):
                pass

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=hang_up, args=(listening,))
        thread.start()
        host, port = listening.getsockname()
        with pytest.raises(ServerError, match="https://"):
            Admin(f"http://{host}:{port}").get("/v1/liveness")
        thread.join()


def test_a_token_is_not_shown() -> None:
    assert "secret" not in repr(Admin("http://h", "secret"))


@pytest.mark.parametrize("name", ["", "..", "../models/Tiny", "Tiny/../Other", "./Tiny", "a\nb"])
def test_a_name_that_would_lead_to_another_path_is_nobodys(name: str) -> None:
    with pytest.raises(NotFound, match="there is no model"):
        in_path(name)


def test_a_job_has_no_slash_in_its_name_and_a_variant_of_a_model_has() -> None:
    with pytest.raises(NotFound, match="there is no job 'a/b'"):
        in_path("a/b", "job")
    assert in_path("Tiny/LONG") == "Tiny/LONG"
    assert in_path("a?b#..c%") == "a%3Fb%23..c%25"


@pytest.mark.parametrize("token", ["a\nb", "a\tb", "schlüssel"])
def test_what_cannot_be_a_token_is_said_and_not_shown(
    token: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KRONK_TOKEN", token)
    with pytest.raises(InvalidArgument, match="KRONK_TOKEN") as caught:
        find_server(None, str(tmp_path))
    assert token not in caught.value.message


def test_white_space_around_a_token_is_not_part_of_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KRONK_TOKEN", " abc\r\n")
    assert find_server(None, str(tmp_path)).token == "abc"
