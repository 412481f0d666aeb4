"""The debug server of a real server that asks for tokens: what it shows of processes that work,
that are stopped and that hang, and to whom."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.fault_house import fault_house
from harness.server import Server, free_port, kronk, running_server
from harness.waiting import PATIENCE, wait_until

MODEL = "Tiny"
PROFILE = "/debug/pprof/profile?idle=1&format=raw&seconds="


class Debugged:
    """A server, and its debug server as the operator."""

    def __init__(self, server: Server, port: int, token: str | None) -> None:
        self.server = server
        self.url = f"http://127.0.0.1:{port}"
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def ask(self, path: str, *, known: bool = True, **headers: str) -> httpx.Response:
        """As the operator, or as nobody."""
        own = self._headers if known else {}
        return httpx.get(f"{self.url}{path}", headers={**own, **headers}, timeout=PATIENCE)

    @contextlib.contextmanager
    def asking(self, path: str) -> Iterator[None]:
        """Somebody who asks as the operator, and goes away at the end."""
        host, port = self.url.removeprefix("http://").split(":")
        lines = [f"GET {path} HTTP/1.1", f"Host: {host}"]
        lines += [f"{name}: {value}" for name, value in self._headers.items()]
        with socket.create_connection((host, int(port)), PATIENCE) as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode())
            yield

    def good(self, path: str) -> httpx.Response:
        answer = self.ask(path)
        assert answer.status_code == 200, answer.text
        return answer

    def process(self, name: str) -> dict[str, Any]:
        """What its stacks say, as JSON."""
        (row,) = self.good(f"/debug/stacks?process={name}&format=json").json()["processes"]
        return dict(row)

    def event(self) -> dict[str, Any]:
        """One second of the charts."""
        with httpx.stream("GET", f"{self.url}/debug/statsviz/events", headers=self._headers) as it:
            line = next(line for line in it.iter_lines() if line.startswith("data: "))
        return dict(json.loads(line.removeprefix("data: ")))


@pytest.fixture(scope="module")
def debugged(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> Iterator[Debugged]:
    port = free_port()
    flags = (f"--debug-host=127.0.0.1:{port}", "--auth-enabled", "--cache-ttl=0")
    with running_server(
        tmp_path_factory.mktemp("debug"), {f"{MODEL}.gguf": tiny}, None, *flags
    ) as server:
        token = (server.base / "keys" / "master.jwt").read_text().strip()
        httpx.post(
            f"{server.url}/v1/kronk/models/{MODEL}/load",
            headers={"Authorization": f"Bearer {token}"},
            timeout=PATIENCE,
        ).raise_for_status()
        yield Debugged(server, port, token)


@pytest.mark.parametrize(
    ("process", "code"),
    [
        ("gateway", "gateway/main.py"),
        ("supervisor", "supervisor/main.py"),
        ("spare", "worker/heartbeat.py"),
        (MODEL, "worker/engine/engine.py"),
    ],
)
def test_each_process_tells_its_stacks(debugged: Debugged, process: str, code: str) -> None:
    def told() -> dict[str, Any] | None:
        row = debugged.process(process)
        # A spare that is just starting has no handler yet, or does not wait for anything.
        return row if row["source"] == "signal" and code in row["text"] else None

    row = wait_until(told, f"{code} in the stacks of {process}")
    assert row["pid"] in {thread["tid"] for thread in row["threads"]}
    assert all(thread["state"] and thread["name"] for thread in row["threads"])
    assert bool(row["tasks"]) == (process == "gateway")
    # None of it is noise in the log.
    assert debugged.server.log_file.read_text().count("most recent call first") == 0


def test_a_stopped_worker_says_so_and_is_read_from_outside(debugged: Debugged) -> None:
    pid = debugged.process(MODEL)["pid"]
    debugged.server.kill(pid, signal.SIGSTOP)
    try:
        row = debugged.process(MODEL)
    finally:
        debugged.server.kill(pid, signal.SIGCONT)
    assert row["state"] == "stopped by a signal"
    assert "stopped" in row["silence"]
    assert row["source"] in ("py-spy", "")
    assert ("engine.py" in row["text"]) == (row["source"] == "py-spy")
    # What it wrote after that belongs to no later question.
    wait_until(lambda: debugged.process(MODEL)["source"] == "signal", "it to answer again")


def test_a_stopped_worker_measures_nothing_and_says_so_at_once(debugged: Debugged) -> None:
    pid = debugged.process(MODEL)["pid"]
    debugged.server.kill(pid, signal.SIGSTOP)
    try:
        answer = debugged.ask(f"/debug/pprof/heap?process={MODEL}&seconds=60")
    finally:
        debugged.server.kill(pid, signal.SIGCONT)
    assert answer.status_code == 409
    assert f"is stopped (process {pid})" in answer.text


def test_the_supervisor_is_looked_at_while_it_stands_still(debugged: Debugged) -> None:
    pid = debugged.server.pid
    debugged.server.kill(pid, signal.SIGSTOP)
    try:
        assert "stopped" in debugged.process("supervisor")["silence"]
        # Nobody says which processes there are: they do.
        text = debugged.good("/debug/stacks").text
    finally:
        debugged.server.kill(pid, signal.SIGCONT)
    assert "gateway gateway" in text and f"process {pid}, stopped" in text


@pytest.mark.parametrize(
    ("form", "begins"),
    [("flamegraph", b"<?xml"), ("speedscope", b'{"$schema"'), ("pprof", b"\x1f")],
)
def test_a_profile_is_recorded(debugged: Debugged, form: str, begins: bytes) -> None:
    path = f"/debug/pprof/profile?process={MODEL}&seconds=1&idle=1&format={form}"
    answer = debugged.ask(path)
    if answer.status_code == 501:
        pytest.skip(answer.json()["error"]["message"])
    assert answer.status_code == 200, answer.text
    assert answer.content.startswith(begins)
    if form == "flamegraph":
        assert b"engine.py" in answer.content
        assert "sandbox" in answer.headers["content-security-policy"]


def test_one_profile_at_a_time_and_none_for_who_has_gone(debugged: Debugged) -> None:
    refused = wait_until(lambda: _while_one_is_recorded(debugged), "the profiler to be busy")
    assert refused.status_code == 501 or refused.json()["error"]["code"] == "conflict"
    # Whoever asked for minutes of it is not there any more.
    wait_until(lambda: debugged.ask(PROFILE + "1").status_code in (200, 501), "the next profile")


def _while_one_is_recorded(debugged: Debugged) -> httpx.Response | None:
    with debugged.asking(PROFILE + "200"):
        answer = debugged.ask(PROFILE + "1")
    # It came first.
    return None if answer.status_code == 200 else answer


@pytest.mark.parametrize("process", ["gateway", "supervisor", MODEL])
def test_a_heap_tells_what_is_pythons(debugged: Debugged, process: str) -> None:
    found = debugged.good(f"/debug/pprof/heap?process={process}&seconds=0.2&format=json").json()
    assert found["python"]["blocks"] > 10_000
    assert found["python"]["objects_bytes"] > 100_000
    assert found["kernel_bytes"]["Rss"] > found["python"]["objects_bytes"]
    assert any(row["type"] == "builtins.dict" for row in found["types"])


def test_the_charts_show_every_process(debugged: Debugged) -> None:
    page = debugged.good("/debug/statsviz")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert "http://" not in page.text and "https://" not in page.text
    sample = debugged.event()
    rows = {row["name"]: row for row in sample["processes"]}
    assert {"gateway", "supervisor", "spare", MODEL} <= set(rows)
    for name in ("gateway", "supervisor", MODEL):
        assert rows[name]["rss_bytes"] > 2**20 and rows[name]["threads"] > 1
        assert 0 <= rows[name]["loop_lag"] < PATIENCE and rows[name]["gc_seconds"] >= 0
    assert sample["requests"]["frames_in"] > 0 and sample["requests"]["frames_out"] > 0


def test_the_index_names_the_processes(debugged: Debugged) -> None:
    for path in ("/", "/debug/", "/debug/pprof/"):
        assert f"process={MODEL}" in debugged.good(path).text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        # On this machine a scraper needs no token.
        ("/metrics", 200),
        ("/", 401),
        ("/debug/stacks", 401),
        ("/debug/pprof/profile?seconds=1", 401),
        ("/debug/pprof/heap?seconds=1", 401),
        ("/debug/statsviz", 401),
        ("/debug/statsviz/events", 401),
    ],
)
def test_nobody_may_look_into_processes_without_a_token(
    debugged: Debugged, path: str, status: int
) -> None:
    assert debugged.ask(path, known=False).status_code == status


def test_a_token_that_is_no_administrators_is_not_enough(debugged: Debugged) -> None:
    base = f"--base-path={debugged.server.base}"
    wish = ("--duration=1h", "--endpoints=monitoring", "--name=Prometheus")
    made = kronk("security", "token", "create", *wish, "--json", base, mark=debugged.server.mark)
    assert made.returncode == 0, made.stderr
    token = json.loads(made.stdout)["token"]
    answer = debugged.ask("/debug/stacks", known=False, Authorization=f"Bearer {token}")
    assert answer.status_code == 403, answer.text


def test_a_name_that_is_not_ours_is_refused(debugged: Debugged) -> None:
    assert debugged.ask("/metrics", Host="evil.example").status_code == 403


@pytest.mark.parametrize(
    ("path", "param"),
    [
        ("/debug/pprof/profile?seconds=0", "seconds"),
        ("/debug/pprof/profile?seconds=301", "seconds"),
        ("/debug/pprof/profile?format=pdf", "format"),
        ("/debug/pprof/heap?secs=1", "secs"),
    ],
)
def test_what_is_wrong_with_a_question_is_named(debugged: Debugged, path: str, param: str) -> None:
    answer = debugged.ask(path)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_a_process_that_there_is_not_is_told_with_those_there_are(debugged: Debugged) -> None:
    # Also none of somebody else's.
    for name in ("Nobody", "1", str(os.getpid())):
        answer = debugged.ask(f"/debug/stacks?process={name}")
        assert answer.status_code == 404
        assert MODEL in answer.json()["error"]["message"]


def test_commands_find_the_debug_server_and_the_operators_token(
    debugged: Debugged, tmp_path: Path
) -> None:
    base, mark = f"--base-path={debugged.server.base}", debugged.server.mark
    told = kronk("server", "stacks", MODEL, base, mark=mark)
    assert told.returncode == 0, told.stderr
    assert "worker/engine/engine.py" in told.stdout
    rows = json.loads(kronk("server", "stacks", "--json", base, mark=mark).stdout)["processes"]
    assert {row["role"] for row in rows} >= {"gateway", "supervisor", "worker", "spare"}
    path = tmp_path / "profile.txt"
    options = ("--seconds=1", "--format=text", "--idle", "-o", str(path))
    done = kronk("server", "profile", MODEL, *options, base, mark=mark)
    if "not_permitted" not in done.stderr and "does not let" not in done.stderr:
        assert done.returncode == 0, done.stderr
        assert "flat" in path.read_text()


def test_without_its_gateway_a_server_is_asked_directly(debugged: Debugged) -> None:
    # It is stopped: whoever connects waits, so the command is told another address.
    base, mark = f"--base-path={debugged.server.base}", debugged.server.mark
    facts = debugged.server.base / "run" / "server.json"
    whole = facts.read_text()
    facts.write_text(json.dumps({**json.loads(whole), "debug": f"127.0.0.1:{free_port()}"}))
    try:
        told = kronk("server", "stacks", "supervisor", base, mark=mark)
    finally:
        facts.write_text(whole)
    assert told.returncode == 0, told.stderr
    assert "supervisor/main.py" in told.stdout
    assert "asking the processes themselves" in told.stderr


def test_the_next_gateway_has_the_same_address(debugged: Debugged) -> None:
    before = debugged.process("gateway")["pid"]
    debugged.server.kill(before)
    after = wait_until(lambda: _pid_of_another(debugged, before), "another gateway")
    assert debugged.process(MODEL)["pid"] not in (before, after)
    # Only those of the living are left.
    assert not list((debugged.server.base / "run").glob(f"stacks-{before}*"))


def _pid_of_another(debugged: Debugged, before: int) -> int | None:
    with contextlib.suppress(httpx.TransportError):
        pid = int(debugged.process("gateway")["pid"])
        return None if pid == before else pid
    return None


def test_a_hung_worker_says_where_it_hangs(tmp_path: Path) -> None:
    port = free_port()
    flags = {"debug_host": f"127.0.0.1:{port}"}
    with fault_house(tmp_path, ["Held", "Spinning"], flags=flags) as server:
        looking = Debugged(server, port, None)
        # A C function that never lets go of the GIL, and a loop of Python's.
        for model, fault, where in (
            ("Held", "hold=60 once at 1", "hold_the_gil"),
            ("Spinning", "spin=60 once at 1", "_spin"),
        ):
            with server.stream(model, f"from 1 {fault}", max_tokens=9) as stream:
                stream.wait_for_pieces(1)
                row = wait_until(
                    functools.partial(_hung, looking, model, where), f"{where} in the stacks"
                )
                assert row["source"] == "signal"
                server.kill(row["pid"])
                stream.wait_for_end()


def _hung(looking: Debugged, model: str, where: str) -> dict[str, Any] | None:
    row = looking.process(model)
    return row if where in row["text"] else None
