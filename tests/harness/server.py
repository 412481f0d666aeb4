"""A real Kronk server for tests: started as a user starts it, and proved gone afterwards."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import openai
import yaml

from kronk.shared.paths import BasePath

from . import proc
from .stream import Stream
from .waiting import PATIENCE, wait_until

KRONK = str(Path(sys.prefix, "bin", "kronk"))
# In the environment of everything a test starts; not a KRONK_ name, which Kronk would warn of.
MARK = "HARNESS_ID"
# Above those that servers have by custom: 8080, 11434.
LEAST_PORT = 12_000
# Small, so that a load takes no time; one thread each, because tests load several on two cores.
SMALL = {"context_window": 1024, "n_seq_max": 8, "n_threads": 1}

Config = Mapping[str, Mapping[str, Any]]


@dataclass
class Server:
    """A running server. `base` is its base path, `mark` what its processes carry."""

    base: Path
    port: int
    mark: str
    process: subprocess.Popen[bytes]
    clients: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    # Asking it.

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log_file(self) -> Path:
        return self.base / "logs" / "kronk.log"

    @property
    def sockets(self) -> Path:
        return BasePath(self.base).sockets

    @property
    def output(self) -> Path:
        return self.base / "stderr.txt"

    def openai(self) -> openai.OpenAI:
        """The official client, without retries: an error must be seen."""
        client = openai.OpenAI(
            base_url=f"{self.url}/v1", api_key="none", max_retries=0, timeout=PATIENCE
        )
        return self.clients.enter_context(client)

    def http(self) -> httpx.Client:
        return self.clients.enter_context(httpx.Client(base_url=self.url, timeout=PATIENCE))

    def get(self, path: str) -> Any:
        """One request on a connection of its own, which leaves nothing open behind."""
        answer = httpx.get(f"{self.url}{path}", timeout=PATIENCE)
        answer.raise_for_status()
        return answer.json()

    def chat(self, model: str, prompt: str, **options: Any) -> httpx.Response:
        """A plain request, whatever its answer, on a connection of its own."""
        body = chat_body(model, prompt, **options)
        return httpx.post(f"{self.url}/v1/chat/completions", json=body, timeout=PATIENCE)

    def text(self, model: str, prompt: str, **options: Any) -> str:
        """The answer of a plain request that must work."""
        answer = self.chat(model, prompt, **options)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["choices"][0]["message"]["content"])

    def stream(self, model: str, prompt: str, **options: Any) -> Stream:
        return Stream(self.port, chat_body(model, prompt, **options))

    def ps(self) -> list[dict[str, Any]]:
        """What `kronk ps --json` prints."""
        done = kronk("ps", "--json", f"--base-path={self.base}", mark=self.mark)
        assert done.returncode == 0, done.stderr
        rows: list[dict[str, Any]] = json.loads(done.stdout)
        return rows

    def status(self) -> dict[str, Any]:
        """The same and more in no time, for polling."""
        answer: dict[str, Any] = self.get("/v1/kronk/ps")
        return answer

    def row(self, model: str) -> dict[str, Any] | None:
        """The model's line of `kronk ps`, if it has one."""
        return next((row for row in self.status()["data"] if row["model"] == model), None)

    def wait_for_row(self, model: str, **facts: Any) -> dict[str, Any]:
        """Until the model's line says these."""

        def found() -> dict[str, Any] | None:
            row = self.row(model)
            right = row is not None and all(row[key] == value for key, value in facts.items())
            return row if right else None

        return wait_until(found, lambda: f"{model} with {facts}, has {self.row(model)}")

    def role_pid(self, role: str) -> int | None:
        """The process of this role (`gateway`, `spare`), if it runs."""
        pids = {process["role"]: process["pid"] for process in self.status()["processes"]}
        return pids.get(role)

    def events(self, event: str, **facts: Any) -> list[dict[str, Any]]:
        """The log's records of this event."""
        lines = self.log_file.read_text(errors="replace").splitlines()
        records = [json.loads(line) for line in lines if event in line]
        return [
            record
            for record in records
            if record["event"] == event and all(record.get(k) == v for k, v in facts.items())
        ]

    def alarms(self) -> list[str]:
        """The log's lines that ask for somebody's attention."""
        lines = self.log_file.read_text(errors="replace").splitlines()
        return [line for line in lines if json.loads(line)["level"] not in ("debug", "info")]

    # Its processes.

    @property
    def pid(self) -> int:
        """The supervisor: `kronk server start` in the foreground becomes it."""
        return self.process.pid

    def children(self) -> set[int]:
        return {child.pid for child in proc.children(self.pid)}

    def kill(self, pid: int, number: signal.Signals = signal.SIGKILL) -> None:
        assert pid in {self.pid, *self.children()}, f"process {pid} is not of this server"
        os.kill(pid, number)
        if number == signal.SIGSTOP:
            # A signal that is sent has not had its effect yet.
            wait_until(lambda: proc.is_still(pid), f"process {pid} to stop")

    def settle(self) -> None:
        """Until there is a spare and every process has dialled in: nothing more is on its way."""
        control = str(self.sockets / "control.sock")

        def settled() -> bool:
            if self.role_pid("spare") is None or proc.zombies(self.pid):
                return False
            # The gateway has one connection, a worker another one for its heartbeats.
            return proc.connections(control) == 2 * len(self.children()) - 1

        wait_until(settled, lambda: f"a spare and all connections; children {self.children()}")

    # Its end.

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.clients.close()
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(PATIENCE)

    def left(self) -> list[proc.Process]:
        """Every process of this server that still runs, orphans too."""
        return proc.marked(MARK, self.mark)

    def prove_gone(self) -> None:
        """Fail if any process of this server is left."""
        left = self.left()
        assert not left, f"left behind: {left}"

    def clean_up(self) -> None:
        """Whatever a failed test left: end it."""
        self.clients.close()
        for process in self.left():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE)

    def last_lines(self, count: int = 12) -> str:
        """The end of the log without its requests, for the report of a failed test."""
        log = self.log_file if self.log_file.exists() else self.output
        lines = log.read_text(errors="replace").splitlines()
        told = [line[:300] for line in lines if '"event": "request"' not in line]
        return "\n".join(told[-count:])


# Those that run now, for the report of a failed test.
RUNNING: list[Server] = []


def chat_body(model: str, prompt: str, **options: Any) -> dict[str, Any]:
    """A chat request of one user message, greedy unless told otherwise."""
    message = {"role": "user", "content": prompt}
    return {"model": model, "messages": [message], "temperature": 0} | options


@contextlib.contextmanager
def running_server(
    base: Path,
    files: Mapping[str, Path],
    config: Config | None = None,
    *flags: str,
) -> Iterator[Server]:
    """Start a server on `base`, wait until it is ready; stop it and prove that nothing is left.

    `files` are models by their path below the models folder; each is configured `SMALL` unless
    `config`, the model-config file's `models`, says otherwise.
    """
    install(base, files)
    path = base / "models.yaml"
    # A projector is not a model of its own.
    models = [stem for name in files if not (stem := Path(name).stem).startswith("mmproj")]
    configs = dict.fromkeys(models, SMALL) | {**(config or {})}
    path.write_text(yaml.safe_dump({"models": {k: dict(v) for k, v in configs.items()}}))
    server = launch(base, free_port(), f"--model-config-file={path}", *flags)
    RUNNING.append(server)
    try:
        wait_until_ready(server)
        yield server
        if server.process.poll() is None:
            code = server.stop()
            assert code == 0, f"exit code {code} after SIGTERM\n{server.last_lines()}"
            server.prove_gone()
    finally:
        RUNNING.remove(server)
        server.clean_up()


def install(base: Path, files: Mapping[str, Path]) -> None:
    """Put model files into the base path; hard links, as the copies would be the same bytes."""
    for name, source in files.items():
        target = base / "models" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            target.hardlink_to(source)
        except OSError:
            # Another file system.
            target.symlink_to(source)


def launch(
    base: Path,
    port: int,
    *flags: str,
    through: tuple[str, ...] = (),
    pass_fds: tuple[int, ...] = (),
) -> Server:
    """`kronk server start` in the foreground, in a session of its own. `through` is a command that
    becomes the one given to it as arguments; it gets the descriptors."""
    base.mkdir(parents=True, exist_ok=True)
    mark = uuid.uuid4().hex
    # Servers of other tests, and of the developer, are at the default address.
    own = [f"--base-path={base}", f"--api-host=127.0.0.1:{port}", "--debug-host=off"]
    command = [*through, KRONK, "server", "start", *own, *flags]
    with (base / "stdout.txt").open("wb") as out, (base / "stderr.txt").open("wb") as err:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=environment(mark),
            cwd="/",
            start_new_session=True,
            pass_fds=pass_fds,
        )
    return Server(base, port, mark, process)


def wait_until_ready(server: Server) -> None:
    """Until readiness says so; fails at once when the process ends."""

    def ready() -> bool:
        assert server.process.poll() is None, (
            f"the server ended with {server.process.returncode}: {server.output.read_text()}"
        )
        try:
            return httpx.get(f"{server.url}/v1/readiness", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    wait_until(ready, lambda: f"readiness; the log ends with\n{server.last_lines()}")


def kronk(*arguments: str, mark: str = "", cwd: str = "/") -> subprocess.CompletedProcess[str]:
    """Run a `kronk` command to its end."""
    return subprocess.run(
        [KRONK, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=environment(mark),
        cwd=cwd,
        timeout=2 * PATIENCE,
        check=False,
    )


def environment(mark: str) -> dict[str, str]:
    """Ours, without settings a developer may have for a server of their own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KRONK_")}
    # Its usual port is one for all servers of a machine, and nobody collects traces of tests.
    quiet = {"KRONK_DEBUG_HOST": "off", "KRONK_TEMPO_HOST": "off"}
    return kept | quiet | {MARK: mark}


def free_port() -> int:
    """One that nobody else gets before it is used: port 0, and connections, get theirs from above
    these, and thousands of them in a run of tests."""
    above = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        # Not by `random`, which Hypothesis begins anew, and in all test processes alike.
        port = LEAST_PORT + secrets.randbelow(above - LEAST_PORT)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
