"""A Kronk server of the benchmark's own: its base path, its port, the model under test."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from proc import cpu_by_thread

STARTER = "SmolLM2-135M-Instruct.Q4_1"
KRONK = [sys.executable, "-P", "-m", "kronk.cli.main"]
_PATIENCE = 120.0


def starter_model() -> Path:
    """The starter model: the user's own, or fetched once to where the tests have it, too."""
    own = Path(os.environ.get("KRONK_BASE_PATH", "~/.kronk")).expanduser()
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "kronk-tests"
    for base in (own, cache):
        if found := next((base / "models").rglob(f"{STARTER}.gguf"), None):
            return found
    command = [*KRONK, "catalog", "pull", STARTER, "--local", f"--base-path={cache}"]
    subprocess.run(command, check=True)
    return next((cache / "models").rglob(f"{STARTER}.gguf"))


class Server:
    """A running server with one model."""

    host = "127.0.0.1"

    def __init__(self, port: int, model: str, base: Path) -> None:
        self.port = port
        self.model = model
        self._base = base

    @property
    def base(self) -> Path:
        """Its base path."""
        return self._base

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://{self.host}:{self.port}{path}", timeout=5) as reply:
            return json.load(reply)

    def processes(self) -> dict[str, int]:
        """Process ids by role; `worker` is the model's."""
        status = self.get("/v1/kronk/ps")
        pids = {process["role"]: process["pid"] for process in status["processes"]}
        (worker,) = [row["pid"] for row in status["data"]] or [None]
        return pids if worker is None else pids | {"worker": worker}

    def cpu(self) -> dict[str, float]:
        """CPU seconds so far: the gateway, the worker's engine, the worker's other threads."""
        pids = self.processes()
        threads = cpu_by_thread(pids["worker"])
        engine = threads.pop("engine", 0.0)
        gateway = sum(cpu_by_thread(pids["gateway"]).values())
        return {"gateway": gateway, "worker io": sum(threads.values()), "engine": engine}

    def unload(self, model: str) -> None:
        """Have one of its models unloaded."""
        url = f"http://{self.host}:{self.port}/v1/kronk/models/{model}/unload"
        request = urllib.request.Request(url, b"{}", {"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=_PATIENCE).close()

    def wait_for_spare(self, wanted: bool) -> None:
        """Until the spare worker has been up for a moment, where one is wanted."""
        until = time.monotonic() + _PATIENCE
        while wanted and "spare" not in self.processes():
            if time.monotonic() > until:
                raise TimeoutError("no spare worker")
            time.sleep(0.1)
        # It imports llama.cpp next; a cold start measured during that would measure half a spare.
        time.sleep(2)

    def last_load_seconds(self) -> float:
        """How long the last load took, from its log line."""
        lines = (self._base / "logs" / "kronk.log").read_text().splitlines()
        events = [json.loads(line) for line in lines if '"model ready"' in line]
        return float(events[-1]["seconds"])


@contextlib.contextmanager
def running_server(
    model: Path,
    *,
    spare: bool,
    slots: int | None = None,
    context: int | None = None,
    threads: int | None = None,
    more: Mapping[str, object] | None = None,
    also: Sequence[str] = (),
    settings: Sequence[str] = (),
) -> Iterator[Server]:
    """Start, wait until it answers, stop, and clean up; `more` is keys of the model's own, `also`
    names under which the same file is a model of its own, `settings` flags of the server."""
    # Whoever ends a benchmark early shall not leave a server behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    base = Path(tempfile.mkdtemp(prefix="kronk-bench-"))
    folder = base / "models" / "bench" / "model"
    folder.mkdir(parents=True)
    names = [model.stem, *also]
    for name in names:
        (folder / f"{name}.gguf").symlink_to(model.resolve())
    keys = {"context_window": context, "n_seq_max": slots, "n_threads": threads, **(more or {})}
    config = base / "models.yaml"
    # YAML reads JSON, and null is as good as leaving a key out.
    config.write_text(json.dumps({"models": dict.fromkeys(names, keys)}))
    port = free_port()
    flags = [f"--base-path={base}", f"--api-host=127.0.0.1:{port}", f"--model-config-file={config}"]
    flags += ["--cache-ttl=0", f"--spare={'true' if spare else 'false'}", *settings]
    process = subprocess.Popen(
        [*KRONK, "server", "start", *flags],
        stdout=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    server = Server(port, model.stem, base)
    try:
        _wait_until_ready(server, process)
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(_PATIENCE)
        shutil.rmtree(base)


def _wait_until_ready(server: Server, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            server.get("/v1/readiness")
            return
        time.sleep(0.1)
    raise TimeoutError(f"the server did not become ready (exit status {process.poll()})")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
