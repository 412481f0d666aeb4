"""No text of a prompt comes to where operators look: logs, metrics, traces, stacks, state, reports.

One server is asked, in every way there is, with a word that nothing else has; then all that it has
told or written is searched for it. It says more than by default: `--log-level=debug`, llama.cpp's
own lines, and a trace of every request. `tests/unit/test_edge_gateway.py` has the other side: with
`--insecure-logging` the log has it.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from fakes.collector import Collector
from harness import random_pooled
from harness.media_files import data_url, png
from harness.random_pooled import MEAN, RERANKER
from harness.server import Server, free_port, kronk, running_server
from harness.waiting import wait_until

CANARY = "quailfeather"
# Some of it in a token of its own, and as a client may spell it in JSON.
SPELLINGS = (CANARY, CANARY.upper(), CANARY.encode().hex())
BROKEN = "data:image/png;base64,AAAA" + CANARY
PICTURE = data_url(png(255, 0, 0))

SMALL = {"context_window": 1024, "n_seq_max": 2, "n_threads": 1}
CONFIG: dict[str, Any] = {
    "Tiny": SMALL,
    "Slow": SMALL,
    "Eyes": SMALL,
    "Mean": {"n_threads": 1},
    "tiny-rerank-q8_0": {"n_threads": 1},
}


def said(text: str = f"What is {CANARY}?", role: str = "user") -> list[dict[str, Any]]:
    return [{"role": role, "content": text}]


def seen(url: str) -> list[dict[str, Any]]:
    content = [{"type": "text", "text": CANARY}, {"type": "image_url", "image_url": {"url": url}}]
    return [{"role": "user", "content": content}]


def tool(**more: Any) -> dict[str, Any]:
    described = {"name": f"get_{CANARY}", "description": f"Gets {CANARY}"}
    parameters = {"type": "object", "properties": {CANARY: {"type": "string", "enum": [CANARY]}}}
    return {"type": "function", "function": {**described, "parameters": parameters, **more}}


CHAT = {"model": "Tiny", "max_tokens": 4, "messages": said()}
BAD_PATTERN = {
    "type": "object",
    "properties": {CANARY: {"type": "string", "pattern": f"({CANARY}"}},
}
RESPONSE = {"model": "Tiny", "max_output_tokens": 4, "store": False}
CHAT_PATH = "/v1/chat/completions"

# What is asked, and the status of the answer.
ASKED: list[tuple[str, dict[str, Any], int]] = [
    (CHAT_PATH, CHAT, 200),
    (CHAT_PATH, CHAT | {"messages": said("Be " + CANARY, "system") + said()}, 200),
    (CHAT_PATH, CHAT | {"stop": [CANARY], "user": CANARY, "n": 2, "logprobs": True}, 200),
    (CHAT_PATH, CHAT | {"tools": [tool()], "tool_choice": "required", "max_tokens": 40}, 200),
    (CHAT_PATH, CHAT | {"tools": [tool(parameters=BAD_PATTERN)]}, 200),
    ("/v1/completions", {"model": "Tiny", "prompt": CANARY, "max_tokens": 4, "echo": True}, 200),
    ("/v1/messages", {"model": "Tiny", "max_tokens": 4, "messages": said(), "system": CANARY}, 200),
    ("/v1/messages/count_tokens", {"model": "Tiny", "messages": said()}, 200),
    ("/v1/responses", RESPONSE | {"input": f"Say {CANARY}", "instructions": CANARY}, 200),
    ("/api/chat", {"model": "Tiny", "messages": said(), "stream": False}, 200),
    ("/v1/embeddings", {"model": "Mean", "input": [f"red {CANARY}", CANARY]}, 200),
    ("/v1/rerank", {"model": "tiny-rerank-q8_0", "query": CANARY, "documents": [CANARY]}, 200),
    ("/v1/tokenize", {"model": "Tiny", "prompt": CANARY}, 200),
    ("/v1/apply-template", {"model": "Tiny", "messages": said()}, 200),
    (CHAT_PATH, CHAT | {"model": "Eyes", "messages": seen(PICTURE)}, 200),
    # Wrong in ways that an error may quote.
    (CHAT_PATH, CHAT | {"model": "Eyes", "messages": seen(BROKEN)}, 400),
    (CHAT_PATH, CHAT | {"messages": said(role=CANARY)}, 400),
    (CHAT_PATH, CHAT | {"messages": CANARY}, 400),
    (CHAT_PATH, CHAT | {"temperature": CANARY}, 400),
    (CHAT_PATH, CHAT | {"tools": [tool(name=CANARY + "!")]}, 400),
    (CHAT_PATH, CHAT | {"tools": [tool()], "tool_choice": CANARY}, 400),
    (CHAT_PATH, CHAT | {"logit_bias": {CANARY: 1}}, 400),
    (CHAT_PATH, CHAT | {"grammar": f"root ::= {CANARY}"}, 400),
    (
        CHAT_PATH,
        CHAT
        | {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": CANARY, "schema": BAD_PATTERN, "strict": True},
            }
        },
        400,
    ),
    (CHAT_PATH, CHAT | {"messages": said(f"{CANARY} " * 3000)}, 400),
    ("/v1/embeddings", {"model": "Tiny", "input": CANARY}, 400),
    ("/v1/embeddings", {"model": "Mean", "input": CANARY * 20_000}, 400),
    ("/v1/responses", RESPONSE | {"input": [{"type": CANARY}]}, 400),
    ("/v1/messages", {"model": "Tiny", "max_tokens": CANARY, "messages": said()}, 400),
]


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        yield collector


@pytest.fixture(scope="module")
def asked(
    tmp_path_factory: pytest.TempPathFactory, tiny: Path, slow: Path, collector: Collector
) -> Iterator[Server]:
    """A server that has been asked all of it."""
    folder = tmp_path_factory.mktemp("models")
    files = {
        "o/f/Tiny.gguf": tiny,
        "o/f/Slow.gguf": slow,
        "o/eyes/Eyes.gguf": tiny,
        "o/eyes/mmproj-Eyes-F16.gguf": tiny.with_name("tiny-mmproj-f16.gguf"),
        "o/f/Mean.gguf": random_pooled.encoder(folder / "mean.gguf", MEAN),
        "o/f/tiny-rerank-q8_0.gguf": RERANKER,
    }
    flags = [
        "--log-level=debug",
        "--llama-log=1",
        "--models-in-cache=9",
        f"--debug-host=127.0.0.1:{free_port()}",
        f"--tempo-host={collector.address}",
        "--tempo-probability=1",
    ]
    base = tmp_path_factory.mktemp("canary")
    with running_server(base, files, CONFIG, *flags) as server:
        for path, body, status in ASKED:
            answer = server.http().post(path, json=body)
            assert answer.status_code == status, (path, body, answer.text)
        half = '{"model": "Tiny", "messages": [{"role": "user", "content": "' + CANARY
        assert server.http().post(CHAT_PATH, content=half).status_code == 400
        _stream_and_leave(server)
        _stream_and_crash(server)
        yield server


def _stream_and_leave(server: Server) -> None:
    with server.stream("Slow", f"{CANARY} from 7", max_tokens=500) as stream:
        stream.wait_for_pieces(2)
    server.wait_for_row("Slow", active_streams=0)


def _stream_and_crash(server: Server) -> None:
    row = server.wait_for_row("Slow", state="ready")
    with server.stream("Slow", f"{CANARY} from 70", max_tokens=30) as stream:
        stream.wait_for_pieces(2)
        # At this one it writes the stacks of its threads.
        server.kill(row["pid"], signal.SIGABRT)
        stream.wait_for_end()
    wait_until(lambda: server.events("worker died"), "its death in the log")


def assert_clean(where: str, text: str) -> None:
    for spelling in SPELLINGS:
        at = text.find(spelling)
        assert at < 0, f"{where}: ...{text[max(at - 300, 0) : at + 100]}..."


@pytest.mark.parametrize("folder", ["logs", "run", "db"])
def test_no_file_has_it(asked: Server, folder: str) -> None:
    # The gateway's lines are relayed: the last one is there when it is found.
    wait_until(lambda: asked.events("request", model="Slow"), "the last request's line")
    found = [path for path in (asked.base / folder).rglob("*") if path.is_file()]
    assert found
    for path in found:
        assert_clean(str(path), path.read_bytes().decode("latin-1"))


def test_what_the_server_writes_to_its_terminal_has_it_not(asked: Server) -> None:
    for name in ("stdout.txt", "stderr.txt"):
        assert_clean(name, (asked.base / name).read_text())


@pytest.mark.parametrize(
    "path",
    [
        "/v1/kronk/ps",
        "/v1/kronk/history",
        "/v1/kronk/logs?lines=10000",
        "/v1/kronk/loads",
        "/v1/kronk/statistics",
        "/v1/kronk/security/usage",
        "/v1/kronk/security/audit",
    ],
)
def test_no_route_of_the_servers_own_tells_it(asked: Server, path: str) -> None:
    answer = asked.http().get(path)
    # Without --auth-mode there is nothing to tell of subjects.
    assert answer.status_code == 200 or "security" in path, answer.text
    assert_clean(path, answer.text)


def test_the_live_state_has_it_not_while_it_is_worked_on(asked: Server) -> None:
    with (
        asked.stream("Slow", f"{CANARY} from 7", max_tokens=500) as stream,
        asked.http().stream("GET", "/v1/kronk/events") as events,
    ):
        stream.wait_for_pieces(2)
        told = ""
        for line in events.iter_lines():
            told += line
            if '"generating"' in line:
                break
    assert_clean("/v1/kronk/events", told)


def debug_url(server: Server) -> str:
    flags = [word for word in server.process.args if "--debug-host" in str(word)]  # type: ignore[union-attr]
    return "http://" + str(flags[-1]).partition("=")[2]


def test_the_debug_server_tells_it_not(asked: Server) -> None:
    url = debug_url(asked)
    with asked.stream("Slow", f"{CANARY} from 7", max_tokens=500) as stream:
        stream.wait_for_pieces(2)
        # Stacks in the middle of it: code, and no values.
        for path in ("/metrics", "/debug/stacks", "/debug/pprof/goroutine"):
            answer = httpx.get(url + path, timeout=60)
            assert answer.status_code == 200, answer.text
            assert_clean(path, answer.text)


def test_no_span_has_it(asked: Server, collector: Collector) -> None:
    names = {"Tiny", "Slow", "Mean", "tiny-rerank-q8_0"}
    seen = collector.wait_for(
        lambda spans: names <= {str(span.attributes.get("gen_ai.request.model")) for span in spans}
    )
    assert_clean("the traces", repr(seen))


@pytest.mark.parametrize(
    "command",
    [["ps", "--json"], ["server", "logs", "-n", "10000"], ["diagnose", "--no-bench"]],
    ids=" ".join,
)
def test_no_command_prints_it(asked: Server, command: list[str]) -> None:
    where = f"--base-path={asked.base}"
    done = kronk(*command, where, mark=asked.mark)
    # A report that found something wrong with this machine says so by its code.
    assert done.returncode == 0 or command[0] == "diagnose", done.stderr
    assert done.stdout
    assert_clean(" ".join(command), done.stdout + done.stderr)


def test_the_word_would_be_found(asked: Server) -> None:
    """The search works: a response that the server was asked to keep has it."""
    kept = RESPONSE | {"input": f"Keep {CANARY}", "store": True}
    answer = asked.http().post("/v1/responses", json=kept)
    assert answer.status_code == 200
    assert CANARY in json.dumps(
        asked.http().get(f"/v1/responses/{answer.json()['id']}/input_items").json()
    )
    data = b"".join(path.read_bytes() for path in (asked.base / "db").rglob("*.mdb"))
    with pytest.raises(AssertionError):
        assert_clean("db", data.decode("latin-1"))
