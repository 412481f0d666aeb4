"""Models that an operator loads, unloads and pins, and those who wait meanwhile: real processes."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness import proc
from harness.counting_model import counted
from harness.error_shape import Refusal, assert_refused, bad
from harness.routes import WRITING
from harness.server import KRONK, SMALL, Server, kronk, running_server
from harness.terminal import Terminal
from harness.waiting import PATIENCE, wait_until

CTRL_C = "\x03"
LONG = SMALL | {"context_window": 8192}


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, counting: Path, slow: Path
) -> Iterator[Server]:
    files = {"Count.gguf": counting, "Slow.gguf": slow, "Other.gguf": counting}
    config = {"Count": SMALL | {"aliases": ["gpt-4o", "org/nice"]}, "Slow": LONG}
    flags = ("--cache-ttl=0", "--models-in-cache=9", "--stream-keepalive=200ms")
    base = tmp_path_factory.mktemp("lifecycle")
    with running_server(base, files, config, *flags) as server:
        yield server


@pytest.fixture
def aside() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def run(server: Server, *arguments: str) -> Any:
    return kronk("model", *arguments, f"--base-path={server.base}", mark=server.mark)


def post(server: Server, path: str, **body: Any) -> httpx.Response:
    return httpx.post(f"{server.url}/v1/kronk/models/{path}", json=body, timeout=PATIENCE)


def unload(server: Server, model: str) -> None:
    assert post(server, f"{model}/unload").json()["state"] == "absent"


@contextmanager
def stopped_load(server: Server, model: str) -> Iterator[int]:
    """Whatever loads the model next stands still until the block is left."""
    unload(server, model)
    server.settle()
    spare = server.role_pid("spare")
    assert spare is not None
    server.kill(spare, signal.SIGSTOP)
    try:
        yield spare
    finally:
        if proc.find(spare) is not None:
            server.kill(spare, signal.SIGCONT)


# The command line.


def test_a_model_is_loaded_and_unloaded_by_hand(server: Server) -> None:
    unload(server, "Count")
    loaded = run(server, "load", "gpt-4o")
    assert loaded.returncode == 0, loaded.stderr
    assert loaded.stdout.startswith("Count is loaded (")
    row = server.row("Count")
    assert row is not None
    assert row["state"] == "ready"

    gone = run(server, "unload", "Count")
    assert (gone.returncode, gone.stdout) == (0, "Count is unloaded\n")
    assert proc.is_gone(row["pid"])
    assert server.row("Count") is None
    again = run(server, "unload", "Count")
    assert (again.returncode, again.stdout) == (0, "Count was not loaded\n")


def test_a_ttl_and_a_pin_come_with_the_load(server: Server) -> None:
    unload(server, "Other")
    assert run(server, "load", "Other", "--ttl", "30m").returncode == 0
    assert server.row("Other")["ttl"] == 1800
    assert run(server, "load", "Other", "--ttl", "forever", "--pin").returncode == 0
    row = server.row("Other")
    assert (row["ttl"], row["pinned"]) == (None, True)
    let_go = run(server, "pin", "Other", "--off")
    assert "is not pinned" in let_go.stdout
    assert server.row("Other")["pinned"] is False
    pinned = run(server, "pin", "Other")
    assert "stays loaded until it is unpinned or the server stops" in pinned.stdout
    shown = kronk("ps", f"--base-path={server.base}").stdout
    assert "pinned" in next(line for line in shown.splitlines() if line.startswith("Other"))
    run(server, "pin", "Other", "--off")
    assert run(server, "reset", "Other").returncode == 0


@pytest.mark.parametrize("command", ["load", "unload", "pin", "reset"])
def test_a_name_that_is_none_is_one_line_of_error(server: Server, command: str) -> None:
    done = run(server, command, "Cuont")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: there is no model 'Cuont'; did you mean Count")


def test_ctrl_c_leaves_a_load_going_and_says_so(server: Server) -> None:
    with stopped_load(server, "Count") as worker:
        command = [KRONK, "model", "load", "Count", f"--base-path={server.base}"]
        with Terminal(command, server.mark) as terminal:
            terminal.wait_for("loading")
            server.wait_for_row("Count", state="loading", queued=1)
            terminal.type(CTRL_C)
            terminal.wait_for("Count goes on loading; `kronk ps` shows how far it is")
            assert terminal.process.wait(PATIENCE) == 130
        server.wait_for_row("Count", state="loading", queued=0)
        server.kill(worker, signal.SIGCONT)
        assert server.wait_for_row("Count", state="ready")["pid"] == worker


# Unloading what is in use.


def test_a_busy_model_is_unloaded_when_its_requests_have_ended(
    server: Server, aside: ThreadPoolExecutor
) -> None:
    with server.stream("Slow", "from 7", max_tokens=300) as stream:
        stream.wait_for_pieces(1)
        before = server.row("Slow")
        gone = aside.submit(post, server, "Slow/unload")
        server.wait_for_row("Slow", state="draining")
        # One that comes now waits, and has the model loaded again.
        late = aside.submit(server.text, "Slow", "from 100", max_tokens=3)
        server.wait_for_row("Slow", queued=1, active_streams=1)
        stream.wait_for_end()
        assert stream.text == counted(7, 300)
        assert stream.is_done
    assert gone.result(PATIENCE).json() == {
        "object": "model.managed",
        "model": "Slow",
        "action": "unload",
        "before": "ready",
        "state": "absent",
        "message": "Slow is unloaded",
    }
    assert proc.is_gone(before["pid"])
    assert late.result(PATIENCE) == counted(100, 3)
    after = server.row("Slow")
    assert after["generation"] > before["generation"]
    assert (after["restarts"], after["last_exit"]) == (0, None)


def test_force_ends_the_requests_with_an_error_that_says_why(
    server: Server, aside: ThreadPoolExecutor
) -> None:
    with server.stream("Slow", "from 7", max_tokens=5000) as stream:
        stream.wait_for_pieces(1)
        plain = aside.submit(server.chat, "Slow", "from 9", max_tokens=5000)
        row = server.wait_for_row("Slow", active_streams=2)
        done = run(server, "unload", "Slow", "--force")
        assert (done.returncode, done.stdout) == (0, "Slow is unloaded\n")
        assert proc.is_gone(row["pid"])
        stream.wait_for_end()
        assert stream.text == counted(7, len(stream.pieces))
        for error in (stream.error, plain.result(PATIENCE).json()["error"]):
            assert error is not None
            assert error["code"] == "model_unloaded"
            assert error["message"] == "Slow was unloaded: an operator wanted it"
    assert plain.result().status_code == 503
    assert server.row("Slow") is None


def test_the_load_of_a_model_can_be_stopped(server: Server, aside: ThreadPoolExecutor) -> None:
    with stopped_load(server, "Count") as worker:
        waits = aside.submit(server.chat, "Count", "from 7", max_tokens=3)
        loads = aside.submit(post, server, "Count/load")
        server.wait_for_row("Count", state="loading", queued=2)
        # It stands still, and so cannot end when it is asked to.
        done = post(server, "Count/unload", force=True)
        assert done.json()["message"] == "the load of Count was stopped"
        assert proc.is_gone(worker)
    for answer in (waits.result(PATIENCE), loads.result(PATIENCE)):
        assert_refused(answer, Refusal(503, "model_unloaded", None))
        assert answer.headers["retry-after"]
    assert server.text("Count", "from 7", max_tokens=3) == counted(7, 3)


# Waiting.


def test_a_hundred_first_requests_are_one_load(server: Server) -> None:
    def waiters() -> int:
        return sum(job["waiters"] for job in server.get("/v1/kronk/loads")["data"])

    async def ask_all(worker: int) -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(
            base_url=server.url, timeout=PATIENCE, limits=limits
        ) as client:
            body = {"model": "Other", "prompt": "from 7", "max_tokens": 2, "temperature": 0}
            asked = asyncio.gather(*(client.post("/v1/completions", json=body) for _ in range(100)))
            # A loaded model has a `queue_depth`: who is late would be refused.
            await asyncio.to_thread(wait_until, lambda: waiters() == 100, what="they all wait")
            server.kill(worker, signal.SIGCONT)
            return list(await asked)

    before = len(server.events("load started", model="Other"))
    with stopped_load(server, "Other") as worker:
        answers = asyncio.run(ask_all(worker))
    assert [answer.text for answer in answers if answer.status_code != 200] == []
    assert len({answer.json()["choices"][0]["text"] for answer in answers}) == 1
    assert len(server.events("load started", model="Other")) == before + 1


def test_a_stream_that_waits_is_told_how_its_model_is_doing(server: Server) -> None:
    with stopped_load(server, "Count") as worker:
        body = {"model": "Count", "prompt": "from 7", "max_tokens": 3, "stream": True}
        asked = httpx.stream("POST", f"{server.url}/v1/completions", json=body, timeout=PATIENCE)
        with asked as answer:
            lines = answer.iter_lines()
            # Earlier loads may have told how long it takes.
            comment = next(line for line in lines if line.startswith(": model loading, "))
            assert comment.endswith("1st in the queue")
            jobs = server.get("/v1/kronk/loads")["data"]
            server.kill(worker, signal.SIGCONT)
            rest = list(lines)
    (job,) = jobs
    assert (job["model"], job["phase"], job["loaded_bytes"]) == ("Count", None, 0)
    assert (job["waiters"], job["pid"]) == (1, worker)
    assert job["total_bytes"] > 1000
    assert rest[-2] == "data: [DONE]"


def test_a_load_can_be_watched(server: Server) -> None:
    with stopped_load(server, "Count") as worker:
        asked = httpx.stream(
            "POST",
            f"{server.url}/v1/kronk/models/Count/load",
            json={"stream": True},
            timeout=PATIENCE,
        )
        with asked as answer:
            lines = answer.iter_lines()
            first = json.loads(next(line[6:] for line in lines if line.startswith("data: ")))
            # Nothing changes, and the connection is kept.
            assert next(line for line in lines if line.startswith(":")) == ": keep-alive"
            server.kill(worker, signal.SIGCONT)
            *_, last, end = [line[6:] for line in lines if line.startswith("data: ")]
    assert (first["object"], first["state"]) == ("model.load.progress", "loading")
    loaded = json.loads(last)
    assert (loaded["object"], loaded["state"], loaded["pinned"]) == ("model.loaded", "ready", False)
    assert end == "[DONE]"


def test_a_load_that_is_not_waited_for_goes_on(server: Server) -> None:
    unload(server, "Count")
    begun = post(server, "Count/load", wait=False, ttl="1h").json()
    assert (begun["before"], begun["state"]) == ("absent", "loading")
    assert server.wait_for_row("Count", state="ready")["ttl"] == 3600


# Requests to these routes.


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("Count/load", {"ttl": 0}, "ttl"),
        ("Count/load", {"keep_alive": "0s"}, "keep_alive"),
        ("Count/load", {"ttl": "soon"}, "ttl"),
        ("Count/load", {"ttl": 5, "keep_alive": 5}, "ttl"),
        ("Count/load", {"pin": "yes"}, "pin"),
        ("Count/load", {"stream": True, "wait": False}, "wait"),
        ("Count/load", {"model": "Count"}, "model"),
        ("Count/unload", {"force": 1}, "force"),
        ("Count/unload", {"ttl": 1}, "ttl"),
        ("Count/pin", {"off": True}, "off"),
        ("Count/unpin", {"off": True}, "off"),
        ("Count/reset", {"now": True}, "now"),
    ],
)
def test_a_field_that_is_not_acceptable(
    server: Server, path: str, body: dict[str, Any], param: str
) -> None:
    assert_refused(post(server, path, **body), bad(param))


@pytest.mark.parametrize("action", ["load", "unload", "pin", "unpin", "reset"])
def test_a_body_that_is_none(server: Server, action: str) -> None:
    for content in (b"[]", b"{", b"\xff"):
        url = f"{server.url}/v1/kronk/models/Count/{action}"
        assert_refused(httpx.post(url, content=content, timeout=PATIENCE), bad(None))


# Aliases.


@pytest.mark.parametrize("path", WRITING)
def test_an_alias_means_its_model_on_every_route(server: Server, path: str) -> None:
    for name in ("gpt-4o", "org/nice"):
        body = WRITING[path]("from 7", 1) | {"model": name}
        if path.startswith("/api/"):
            # Ollama's clients add a tag.
            body |= {"model": f"{name}:latest", "stream": False}
        answer = httpx.post(f"{server.url}{path}", json=body, timeout=PATIENCE)
        assert answer.status_code == 200, answer.text
        assert answer.json()["model"] == body["model"]
    assert {row["model"] for row in server.status()["data"]} >= {"Count"}
    assert not {row["model"] for row in server.status()["data"]} & {"gpt-4o", "org/nice"}


def test_lists_have_the_aliases_too(server: Server) -> None:
    names = {model["id"] for model in server.get("/v1/models")["data"]}
    assert {"Count", "gpt-4o", "org/nice"} <= names
    assert server.get("/v1/models/org/nice")["id"] == "org/nice"
    assert {"gpt-4o"} <= {model["name"] for model in server.get("/api/tags")["models"]}
    files = {model["id"]: model["aliases"] for model in server.get("/v1/kronk/models")["data"]}
    assert files == {"Count": ["gpt-4o", "org/nice"], "Slow": [], "Other": []}
    assert json.loads(run(server, "show", "gpt-4o", "--json").stdout)["id"] == "Count"


# Servers of their own.


def test_a_pinned_model_neither_expires_nor_makes_room_and_comes_back(
    start_server: Any, counting: Path
) -> None:
    files = {f"{name}.gguf": counting for name in "ABC"}
    config = {"A": SMALL | {"pin": True}}
    server = start_server(files, config, "--cache-ttl=300ms", "--models-in-cache=2")
    assert server.text("A", "from 7", max_tokens=1, keep_alive=0) == counted(7, 1)
    first = server.row("A")
    for name in "BC":
        assert server.text(name, "from 7", max_tokens=1) == counted(7, 1)
    wait_until(lambda: [row["model"] for row in server.status()["data"]] == ["A"], "B and C to go")
    assert server.row("A")["pid"] == first["pid"]
    assert server.row("A")["expires_in"] is None

    server.kill(first["pid"])
    back = server.wait_for_row("A", state="ready", restarts=1)
    assert back["pid"] != first["pid"]
    # Nobody asked for it.
    assert len(server.events("request", path="/v1/chat/completions")) == 3

    assert run(server, "unload", "A").returncode == 0
    assert server.row("A") is None


def test_models_are_loaded_at_the_start_one_after_the_other(
    start_server: Any, counting: Path
) -> None:
    files = {f"{name}.gguf": counting for name in "ABCD"}
    config = {
        "A": SMALL | {"preload": True},
        "Ab": SMALL | {"preload": True},
        "B": SMALL | {"preload": True, "pin": True, "aliases": ["bee"]},
        "C": SMALL | {"preload": True},
    }
    server = start_server(files, config, "--models-in-cache=2")
    for name in "AB":
        server.wait_for_row(name, state="ready")
    wait_until(lambda: server.events("cannot load a model at the start", model="C"), "C to be told")
    events = [
        (event["event"], event["model"])
        for event in map(json.loads, server.log_file.read_text().splitlines())
        if event["event"] in ("load started", "model ready", "cannot load a model at the start")
    ]
    assert events == [
        ("load started", "A"),
        ("model ready", "A"),
        ("cannot load a model at the start", "Ab"),
        ("load started", "B"),
        ("model ready", "B"),
        ("cannot load a model at the start", "C"),
    ]
    times = json.loads((server.base / "db" / "load-times.json").read_text())
    assert times["models"].keys() == {"A", "B"}
    # What is asked for has its right all the same.
    assert server.text("D", "from 7", max_tokens=1) == counted(7, 1)
    assert {row["model"] for row in server.status()["data"]} == {"B", "D"}


def test_an_alias_that_is_a_models_id_stops_the_start(tmp_path: Path, counting: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    for name in ("A", "gpt-4o"):
        (models / f"{name}.gguf").symlink_to(counting)
    config = tmp_path / "models.yaml"
    config.write_text("models: {A: {aliases: [gpt-4o]}}")
    flags = [f"--base-path={tmp_path}", "--api-host=127.0.0.1:0", f"--model-config-file={config}"]
    done = kronk("server", "start", *flags)
    assert done.returncode == 2
    assert "A.aliases: 'gpt-4o' is the id of another model" in done.stderr
