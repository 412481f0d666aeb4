"""The story of one request, joined by its id from the lines of three processes."""

from __future__ import annotations

import json
import signal
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.server import KRONK, Server, kronk, launch, running_server
from harness.stream import Stream
from harness.terminal import Terminal
from harness.waiting import wait_until

LONG = 60
CTRL_C = "\x03"
CONFIG = {
    "Slow": {"context_window": 1024, "n_seq_max": 2, "n_threads": 1, "aliases": ["lazy"]},
    "Tiny": {"context_window": 1024, "n_seq_max": 2, "n_threads": 1},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, tiny: Path, slow: Path) -> Iterator[Server]:
    files = {"o/f/Tiny.gguf": tiny, "o/f/Slow.gguf": slow}
    base = tmp_path_factory.mktemp("logs")
    with running_server(base, files, CONFIG, "--log-level=debug") as server:
        assert server.chat("Tiny", "hello", max_tokens=2).status_code == 200
        yield server


def logged(server: Server, *arguments: str) -> list[dict[str, Any]]:
    """What `kronk server logs` prints in a pipe."""
    done = kronk("server", "logs", f"--base-path={server.base}", *arguments, mark=server.mark)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def story(server: Server, name: str) -> list[dict[str, Any]]:
    """All lines about a request; its last one is the gateway's."""

    def told() -> list[dict[str, Any]]:
        lines = server.log_file.read_text().splitlines()
        records = [json.loads(line) for line in lines if name in line]
        found = [one for one in records if one.get("request_id") == name]
        return found if any(one["event"] == "request" for one in found) else []

    return wait_until(told, f"the line of the request {name}")


def one(records: list[dict[str, Any]], event: str) -> dict[str, Any]:
    (found,) = [record for record in records if record["event"] == event]
    return found


def ask(server: Server, name: str, body: dict[str, Any], path: str = "/v1/chat/completions") -> Any:
    headers = {"x-request-id": name}
    return httpx.post(f"{server.url}{path}", json=body, headers=headers, timeout=60)


def chat(model: str, **more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": "from 7"}]
    return {"model": model, "messages": messages, "max_tokens": 9, "temperature": 0} | more


def test_a_request_can_be_followed_through_three_processes_by_its_id(server: Server) -> None:
    answer = ask(server, "plain-1", chat("lazy"))
    assert answer.status_code == 200
    records = story(server, "plain-1")
    assert {record["process"] for record in records} == {"supervisor", "worker", "gateway"}
    # One line of each, at a level that is usually written or not.
    line, lease, end = (
        one(records, "request"),
        one(records, "lease granted"),
        one(records, "answered"),
    )
    assert (line["level"], lease["level"], end["level"]) == ("info", "info", "debug")
    # They agree on what is said by several.
    assert line["model"] == lease["model"] == end["model"] == "Slow"
    assert line["asked_for"] == "lazy"
    assert line["generation"] == lease["generation"] == end["generation"]
    for fact in ("prompt_tokens", "tokens", "cached", "finish_reason", "prefill"):
        assert line[fact] == end[fact], fact
    usage = answer.json()["usage"]
    assert (line["prompt_tokens"], line["tokens"]) == (
        usage["prompt_tokens"],
        usage["completion_tokens"],
    )
    assert line["answer_id"] == answer.json()["id"]
    assert (line["status"], line["method"], line["path"]) == (200, "POST", "/v1/chat/completions")
    # It was the first for this model, and waited for the load.
    assert 0 < line["load"] <= line["queue"] <= line["ttft"] <= line["duration"]
    assert line["tokens_per_second"] > 0
    assert line["finish_reason"] == "length"


def test_a_request_whose_worker_is_killed_has_lines_of_both_generations_and_the_cause(
    server: Server,
) -> None:
    before = server.wait_for_row("Slow", state="ready")
    body = chat("Slow", max_tokens=LONG)
    with Stream(server.port, body) as stream:
        stream.wait_for_pieces(3)
        server.kill(before["pid"], signal.SIGKILL)
        stream.wait_for_end()
        assert stream.is_done
        name = stream.events[0]["id"]
    (line,) = wait_until(lambda: server.events("request", answer_id=name), "its line")
    records = story(server, line["request_id"])
    dead, alive = before["generation"], line["generation"]
    assert alive > dead
    assert [one["generation"] for one in records if one["event"] == "lease granted"] == [
        dead,
        alive,
    ]
    lost = one(records, "worker lost")
    assert (lost["generation"], lost["attempt"]) == (dead, 1)
    assert "SIGKILL" in lost["cause"]
    assert one(records, "request recovered")["attempt"] == 2
    assert one(records, "answered")["generation"] == alive
    assert (line["status"], line["resumed"], line["tokens"]) == (200, 1, LONG)
    assert "SIGKILL" in line["cause"]
    # What the supervisor says of the process itself, and what the model's own log has of both.
    assert server.events("worker died", generation=dead)
    said = (server.base / "logs" / "models" / "Slow.log").read_text()
    assert f" {dead} -       process {before['pid']}: SIGKILL" in said
    assert f" {alive} info    llama_model_loader" in said


def test_a_refused_request_says_why_in_one_line(server: Server) -> None:
    assert ask(server, "nobody-1", chat("Nobody")).status_code == 404
    records = story(server, "nobody-1")
    line = one(records, "request")
    assert (line["status"], line["error"], line["model"]) == (404, "not_found", "Nobody")
    assert one(records, "lease refused")["code"] == "not_found"


def test_an_embedding_has_no_time_of_tokens(server: Server) -> None:
    body = {"model": "Tiny", "input": "red fox"}
    assert ask(server, "wrong-1", body, "/v1/embeddings").status_code == 400
    line = one(story(server, "wrong-1"), "request")
    assert line["error"] == "wrong_model_kind" or line["status"] == 400
    assert line.keys().isdisjoint({"tokens_per_second", "ttft", "cause"})


def test_llama_cpps_lines_are_for_the_log_of_their_model_unless_asked_for(server: Server) -> None:
    assert "llama.cpp" not in server.log_file.read_text()
    folder = server.base / "logs" / "models"
    said = {path.name: path.read_text() for path in folder.iterdir()}
    assert said.keys() == {"Slow.log", "Tiny.log"}
    assert all("llama_model_loader" in text for text in said.values())
    # What our own logging says is there too.
    assert " debug   answered " in said["Tiny.log"]
    modes = {stat.S_IMODE(path.stat().st_mode) for path in [*folder.iterdir(), server.log_file]}
    assert modes == {0o600}


def found(server: Server, **asked: str) -> list[dict[str, Any]]:
    """What the route answers."""
    answer = server.http().get("/v1/kronk/logs", params=asked)
    assert answer.status_code == 200, answer.text
    data: list[dict[str, Any]] = answer.json()["data"]
    return data


def test_lines_are_found_by_what_they_say(server: Server) -> None:
    ask(server, "found-1", chat("Tiny"))
    story(server, "found-1")
    assert {one["request_id"] for one in found(server, request="found-1")} == {"found-1"}
    names = {one["model"] for one in found(server, model="lazy", lines="1000")}
    assert names == {"Slow", "lazy"}
    assert {one["level"] for one in found(server, level="warning")} <= {"warning", "error"}
    workers = found(server, process="worker", model="Tiny")
    assert {(one["process"], one["model"]) for one in workers} == {("worker", "Tiny")}
    assert found(server, since="2999-01-01") == []
    assert len(found(server, since="1h", lines="2")) == 2


def test_the_command_says_the_same_from_the_files_and_over_http(server: Server) -> None:
    ask(server, "same-1", chat("Tiny"))
    story(server, "same-1")
    asked = ("--request=same-1", "--model=o/f/Tiny", "--level=debug", "-n", "50")
    here = logged(server, *asked)
    assert here and here == found(server, request="same-1", model="Tiny")
    assert here == logged(server, f"--api-host=127.0.0.1:{server.port}", *asked)
    # It is asked again and again by pages, so it does not fill what it shows.
    polls = server.events("request", path="/v1/kronk/logs")
    assert polls and {one["level"] for one in polls} == {"debug"}


def test_new_lines_are_followed_here_and_over_http(server: Server) -> None:
    here = [KRONK, "server", "logs", f"--base-path={server.base}", "-f", "-n", "0"]
    wanted = ["--model=Tiny", "--process=gateway"]
    with (
        Terminal([*here, *wanted], mark=server.mark) as files,
        Terminal([*here, *wanted, f"--api-host=127.0.0.1:{server.port}"], mark=server.mark) as http,
    ):
        watchers = (files, http)

        def seen() -> bool:
            ask(server, "followed-1", chat("Tiny"))
            return all("followed-1" in watcher.shown for watcher in watchers)

        wait_until(seen, lambda: f"the line in both: {[watcher.shown for watcher in watchers]}")
        for watcher in watchers:
            watcher.type(CTRL_C)
            assert watcher.process.wait(60) == 130
            assert "lease granted" not in watcher.shown
            # In a form for people, and no word at the end.
            assert " gateway    request request_id=followed-1" in watcher.shown or (
                "model=Tiny" in watcher.shown
            )
            assert "Traceback" not in watcher.shown


def test_who_follows_over_http_sees_how_the_server_is_started_again(
    tmp_path: Path, tiny: Path
) -> None:
    with running_server(tmp_path, {"o/f/Tiny.gguf": tiny}) as server:
        command = [KRONK, "server", "logs", f"--base-path={server.base}", "-f", "--json"]
        with Terminal([*command, f"--api-host=127.0.0.1:{server.port}"], server.mark) as screen:
            screen.wait_for('"server started"')
            assert server.stop() == 0
            screen.wait_for("trying again")
            again = launch(server.base, server.port)
            try:
                screen.wait_for("connected again")
                # Written before there was anybody to tell it.
                screen.wait_for('"server started"')
                screen.type(CTRL_C)
                assert screen.process.wait(60) == 130
            finally:
                assert again.stop() == 0
