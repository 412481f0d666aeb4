"""The supervisor with real processes and real signals, over a scripted gateway and worker."""

from __future__ import annotations

import json
import os
import queue
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from kronk.shared import exits
from kronk.shared.paths import BasePath
from kronk.shared.wire.codec import encode
from kronk.shared.wire.sockets import connect_dealer
from kronk.shared.wire.to_supervisor import Heartbeat, LoadFailed
from kronk.shared.wire.to_worker import Stop
from kronk.supervisor.boot import start_time

SUPERVISOR = Path(__file__).parents[1] / "fakes" / "supervisor.py"
FAILED = LoadFailed("internal", "not true", None)
BEAT = Heartbeat(0, False, None)
LOST = encode(99, [FAILED])
# Far above what anything here takes: a limit for a hang, not a measurement.
PATIENCE = 30.0


def environment(base: Path, **extra: str) -> dict[str, str]:
    mine = {key: value for key, value in os.environ.items() if not key.startswith("KRONK_")}
    mine |= {"KRONK_BASE_PATH": str(base), "KRONK_WEB_API_HOST": "127.0.0.1:0"}
    return {**mine, **extra}


class House:
    """One supervisor, its log as it is written, and a connection to its gateway."""

    def __init__(self, base: Path, *arguments: str, **variables: str) -> None:
        self.base = BasePath(base)
        self.log: list[dict[str, Any]] = []
        self.pids: set[int] = set()
        self.lease = 0
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._connection: socket.socket | None = None
        self.process = subprocess.Popen(
            [sys.executable, "-P", str(SUPERVISOR), *arguments],
            env=environment(base, KRONK_LOG_LEVEL="debug", **variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    # What it logs.

    def until(self, event: str, **fields: Any) -> dict[str, Any]:
        """The next line of the log with this event and these fields."""
        while True:
            line = self._lines.get(timeout=PATIENCE)
            assert line is not None, f"it ended without {event!r}: {self.log}"
            record = json.loads(line)
            self.log.append(record)
            if record["event"] == "process started":
                self.pids.add(record["child"])
            if record["event"] == event and fields.items() <= record.items():
                return record

    # What its gateway hears and says.

    def connect(self) -> None:
        self.until("gateway is up")
        facts = json.loads(self.base.server_file.read_text())
        host, port = facts["api"].rsplit(":", 1)
        self._connection = socket.create_connection((host, int(port)), PATIENCE)
        self._file = self._connection.makefile("rw")

    def disconnect(self) -> None:
        if self._connection is not None:
            self._file.close()
            self._connection.close()
            self._connection = None

    def say(self, *message: Any) -> None:
        self._file.write(json.dumps(message) + "\n")
        self._file.flush()

    def hear(self, *names: str) -> list[Any]:
        """The next message from the supervisor; it must be one of these. How those who wait are
        doing is heard only by who asks for it."""
        message = json.loads(self._file.readline())
        while message[0] == "Waiting" and "Waiting" not in names:
            message = json.loads(self._file.readline())
        assert message[0] in names, message
        return list(message)

    def ask(self, model: str) -> int:
        self.lease += 1
        self.say("LeaseRequest", self.lease, model)
        return self.lease

    def load(self, model: str) -> int:
        """One request served; returns the worker's generation."""
        lease = self.ask(model)
        granted = self.hear("Granted")
        assert granted[1] == lease
        self.say("LeaseReturn", lease)
        return int(granted[2])

    def status(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Models by id, and the pids of the other processes by role."""
        self.say("StatusRequest", 1)
        _, _, _, models, processes, *_ = self.hear("Status")
        by_role = {process["role"]: process["pid"] for process in processes}
        return {model["model"]: model for model in models}, by_role

    # Its end.

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> int:
        """Its exit code, once it has ended; its log is complete then."""
        code = self.process.wait(PATIENCE)
        while (line := self._lines.get(timeout=PATIENCE)) is not None:
            record = json.loads(line)
            self.log.append(record)
            if record["event"] == "process started":
                self.pids.add(record["child"])
        return code

    def events(self) -> list[str]:
        return [record["event"] for record in self.log]

    def error(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.read()

    def close(self) -> None:
        """End it if the test has not, and prove that it left nothing."""
        self.disconnect()
        if self.process.poll() is None:
            self.stop()
            self.process.kill()
        self._reader.join(PATIENCE)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()
        for pid in self.pids:
            wait_gone(pid)


def wait_gone(pid: int) -> None:
    """Returns when there is no such process; fails when it stays."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        ended, _, _ = select.select([handle], [], [], PATIENCE)
        assert ended or start_time(pid) is None, f"process {pid} is left over"
    finally:
        os.close(handle)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., House]]:
    houses: list[House] = []

    def begin(*arguments: str, **variables: str) -> House:
        houses.append(House(tmp_path, *arguments, **variables))
        return houses[-1]

    yield begin
    for house in houses:
        house.close()


def test_a_server_starts_serves_and_stops_without_a_trace(start: Callable[..., House]) -> None:
    house = start()
    house.connect()
    generation = house.load("a")
    models, processes = house.status()
    assert models["a"]["state"] == "ready"
    assert models["a"]["generation"] == generation
    assert models["a"]["rss_bytes"] > 0
    house.until("process started", role="worker")
    assert house.base.pid_file.read_text().strip() == str(house.process.pid)
    assert processes["supervisor"] == house.process.pid
    assert house.stop() == exits.OK
    # What must be gone, beside the processes; the lock's file stays, and is empty.
    assert [entry.name for entry in house.base.run.iterdir()] == ["kronk.pid"]
    assert house.base.pid_file.read_text() == ""
    assert house.log[-1]["event"] == "server stopped"
    written = house.base.log_file.read_text().splitlines()
    assert [json.loads(line) for line in written] == house.log


def test_a_killed_worker_is_named_to_the_gateway_and_replaced(
    start: Callable[..., House],
) -> None:
    house = start()
    house.connect()
    lost, kept = house.load("a"), house.load("b")
    held = house.ask("a")
    house.hear("Granted")
    os.kill(house.status()[0]["a"]["pid"], signal.SIGKILL)
    assert house.hear("WorkerLost") == ["WorkerLost", lost, "a", "SIGKILL", "crashed"]
    house.say("LeaseReturn", held)
    died = house.until("worker died", generation=lost)
    assert "memory" in died["hint"]
    assert house.load("a") != lost
    models, _ = house.status()
    assert (models["a"]["restarts"], models["a"]["last_exit"]) == (1, "SIGKILL")
    assert (models["b"]["restarts"], models["b"]["generation"]) == (0, kept)


def test_a_killed_gateway_is_replaced_and_the_workers_stay(start: Callable[..., House]) -> None:
    house = start()
    house.connect()
    generation = house.load("a")
    house.ask("a")
    house.hear("Granted")
    models, processes = house.status()
    os.kill(processes["gateway"], signal.SIGKILL)
    house.disconnect()
    house.connect()
    again, replaced = house.status()
    assert replaced["gateway"] != processes["gateway"]
    assert again["a"]["pid"] == models["a"]["pid"]
    assert again["a"]["active_streams"] == 0
    assert house.load("a") == generation


def test_a_killed_supervisor_takes_every_process_with_it(start: Callable[..., House]) -> None:
    house = start()
    house.connect()
    house.load("a")
    house.until("process started", role="worker")
    house.process.kill()
    house.ended()
    assert len(house.pids) >= 3
    for pid in house.pids:
        wait_gone(pid)


def test_the_next_supervisor_ends_what_a_killed_one_left_behind(
    start: Callable[..., House], tmp_path: Path
) -> None:
    first = start()
    first.connect()
    assert first.stop() == exits.OK
    stray = subprocess.Popen(["sleep", "600"], process_group=0)
    innocent = subprocess.Popen(["sleep", "600"], process_group=0)
    try:
        rows = [(stray.pid, start_time(stray.pid)), (innocent.pid, "another boot:1"), (1, "x")]
        (first.base.run / "children.json").write_text(json.dumps(rows))
        second = start()
        assert second.until("killed processes of a supervisor that died")["pids"] == [stray.pid]
        assert stray.wait(PATIENCE) == -signal.SIGKILL
        assert innocent.poll() is None
    finally:
        for process in (stray, innocent):
            process.kill()
            process.wait()


def test_models_that_cannot_be_loaded_are_refused_with_their_reason(
    start: Callable[..., House],
) -> None:
    house = start(KRONK_SPARE="false")
    house.connect()
    for model, code, words in [
        ("nope", "not_found", "no such model"),
        ("bad", "invalid_argument", "not a GGUF file"),
        ("unfit", "model_failed", "died from SIGILL in its first decode"),
    ]:
        lease = house.ask(model)
        _, refused, *error = house.hear("Refused")
        assert (refused, error[0]) == (lease, code)
        assert words in error[1]
    models, _ = house.status()
    assert models["unfit"]["state"] == "failed"
    assert models["bad"]["state"] == "absent"


def test_a_death_in_the_first_decode_is_survived_without_the_special_kernels(
    start: Callable[..., House],
) -> None:
    house = start()
    house.connect()
    house.load("special")
    models, _ = house.status()
    assert (models["special"]["restarts"], models["special"]["last_exit"]) == (1, "SIGILL")


def test_a_request_outlives_a_crashing_load_while_there_is_hope(
    start: Callable[..., House],
) -> None:
    house = start()
    house.connect()
    lease = house.ask("crash")
    died = house.until("worker died", model="crash")
    assert died["cause"].startswith("exit 1: uncaught exception; its last words:")
    assert "out of cheese" in died["cause"]
    # The line itself came as a line of the log of its own, with its origin.
    assert any(
        record["event"] == "out of cheese" and record["model"] == "crash" for record in house.log
    )
    house.until("worker died", model="crash")
    house.say("LeaseReturn", lease)
    assert house.status()[0]["crash"]["last_exit"].endswith("(out of cheese)")


def test_a_worker_deaf_to_stop_is_killed_and_its_place_is_used(
    start: Callable[..., House],
) -> None:
    house = start(KRONK_MODELS_IN_CACHE="1")
    house.connect()
    deaf = house.load("deaf")
    house.ask("b")
    assert house.hear("WorkerLost")[1] == deaf
    house.hear("Granted")
    assert house.until("killing a worker")["cause"] == "it did not exit when asked to"


def test_a_grandchild_that_holds_the_pipe_does_not_outlive_its_worker(
    start: Callable[..., House],
) -> None:
    house = start()
    house.connect()
    house.load("parent")
    pid = house.status()[0]["parent"]["pid"]
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    house.pids |= {int(child) for child in children}
    assert len(children) == 1
    os.kill(pid, signal.SIGKILL)
    assert house.hear("WorkerLost")[3] == "SIGKILL"


def test_an_idle_model_is_unloaded_after_its_ttl(start: Callable[..., House]) -> None:
    house = start(KRONK_CACHE_TTL="100ms")
    house.connect()
    generation = house.load("a")
    assert house.hear("WorkerLost")[1] == generation
    assert house.status()[0] == {}
    assert house.until("model unloads")["reason"] == "unused for its TTL"


def test_a_process_with_a_wrong_secret_is_not_heard(start: Callable[..., House]) -> None:
    house = start("worker:liar")
    assert house.until("dropped a control message")["reason"] == "wrong secret"


def test_garbage_and_stale_frames_are_dropped_and_nothing_else_happens(
    start: Callable[..., House],
) -> None:
    house = start()
    house.connect()
    generation = house.load("a")
    context: zmq.Context[Any] = zmq.Context()
    try:
        for sender, frame, event, reason in [
            (b"worker-99", encode(99, [Stop()]), "unreadable control frame", "unknown message"),
            (b"worker-99", b"\xc1", "unreadable control frame", "not a frame of ours"),
            (b"worker-99", LOST, "dropped a control message", "a process that is gone"),
            # A process that claims to be another one.
            (b"x", encode(generation, [BEAT]), "dropped a control message", "not a heartbeat's"),
            (b"x", encode(generation, [FAILED]), "dropped a control message", "no Hello before"),
        ]:
            dealer = connect_dealer(context, f"ipc://{house.base.sockets}/control.sock", sender)
            dealer.setsockopt(zmq.SNDTIMEO, int(PATIENCE * 1000))
            dealer.send(frame)
            assert reason in house.until(event)["reason"]
            dealer.close()
    finally:
        context.destroy(linger=0)
    assert house.load("a") == generation


def test_a_stop_during_a_load_leaves_nothing(start: Callable[..., House]) -> None:
    house = start()
    house.connect()
    house.ask("never")
    house.until("load started")
    assert house.stop(signal.SIGINT) == exits.OK


def test_a_gateway_that_does_not_end_is_killed_when_its_time_is_over(
    start: Callable[..., House],
) -> None:
    house = start("stubborn", KRONK_WEB_SHUTDOWN_TIMEOUT="50ms")
    house.connect()
    house.load("a")
    assert house.stop() == exits.OK
    assert "running requests did not end in time" in house.events()


def test_a_second_signal_stops_at_once(start: Callable[..., House]) -> None:
    house = start("stubborn", KRONK_WEB_SHUTDOWN_TIMEOUT="0")
    house.connect()
    house.load("a")
    house.process.send_signal(signal.SIGTERM)
    house.hear("Drain")
    assert house.stop() == exits.OK
    assert "stopping at once" in house.events()


def test_a_hangup_reloads_and_leaves_alone_what_has_not_changed(
    start: Callable[..., House],
) -> None:
    house = start()
    house.connect()
    generation = house.load("a")
    house.process.send_signal(signal.SIGHUP)
    house.until("configuration reloaded", changed=[], later=[])
    assert house.hear("Reread") == ["Reread"]
    assert house.load("a") == generation


def test_a_gateway_that_cannot_start_ends_the_server_with_its_reason(
    start: Callable[..., House],
) -> None:
    house = start("broken")
    assert house.ended() == exits.NO_GATEWAY
    error = house.error()
    assert "the gateway cannot start" in error
    assert "no module named fastapi" in error
    assert "Traceback" not in error


def test_settings_that_the_gateway_cannot_use_are_called_so(start: Callable[..., House]) -> None:
    house = start("misled")
    # Service managers do not start it again then.
    assert house.ended() == exits.USAGE
    assert "policy_dir: /nope cannot be read" in house.error()


# What a person has to put right before there is a server.


def test_a_second_server_on_the_same_base_path_is_refused(
    start: Callable[..., House], tmp_path: Path
) -> None:
    house = start()
    house.connect()
    code, error = run_real(tmp_path)
    assert code == exits.ALREADY_RUNNING
    assert f"already runs on {tmp_path} (pid {house.process.pid})" in error
    house.load("a")


def run_real(base: Path, **variables: str) -> tuple[int, str]:
    """Start the real thing, which is expected to give up; its exit code and its one line."""
    result = subprocess.run(
        [sys.executable, "-P", "-m", "kronk.supervisor"],
        env=environment(base, **variables),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert result.stderr.startswith("error: ")
    assert len(result.stderr.splitlines()) == 1
    return result.returncode, result.stderr


def test_an_address_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        code, error = run_real(tmp_path, KRONK_WEB_API_HOST=address)
    assert code == exits.ADDRESS_IN_USE
    assert address in error


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"KRONK_CACHE_TTL": "soon"}, "KRONK_CACHE_TTL"),
        ({"KRONK_CATALOG_MODEL_CONFIG_FILE": "/does/not/exist.yaml"}, "/does/not/exist.yaml"),
        ({"KRONK_WEB_API_HOST": "192.0.2.1:80"}, "192.0.2.1:80"),
        ({"KRONK_BASE_PATH": "/dev/null/kronk"}, "/dev/null"),
        ({"KRONK_WEB_API_HOST": "no.such.host.invalid:80"}, "no.such.host.invalid:80"),
    ],
)
def test_a_bad_setting_is_one_clear_line(
    variables: dict[str, str], words: str, tmp_path: Path
) -> None:
    code, error = run_real(tmp_path, **variables)
    assert code == exits.USAGE
    assert words in error


def test_the_supervisor_loads_neither_a_web_framework_nor_an_engine() -> None:
    code = (
        "import sys, kronk.supervisor.main; "
        "print(*{'fastapi', 'starlette', 'llama_cpp', 'numpy', 'uvicorn'} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == ""
