"""Servers to stand beside Kronk's: started with the same shape, at a port of their own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from peers import Peers
from proc import cpu_by_thread
from server import Server, free_port, running_server

_PATIENCE = 120.0
# Kronk's workers decode with this setting of OpenMP; without it a peer's threads spin for a
# millisecond at each barrier, against whatever else wants the core.
_OPENMP = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "1000"}


@dataclass(frozen=True, slots=True)
class Shape:
    """What all sides are made by. `context` is the cells of all slots together."""

    model: Path
    slots: int
    context: int
    threads: int
    embedding: bool = False
    # Peers as they come, with OpenMP's own defaults.
    own_openmp: bool = False


@dataclass(frozen=True, slots=True)
class Side:
    """A server that answers."""

    name: str
    host: str
    port: int
    model: str
    # All that computes for it.
    pids: tuple[int, ...]

    def cpu(self) -> float:
        """Seconds of CPU so far."""
        return sum(sum(cpu_by_thread(pid).values()) for pid in self.pids)


@contextlib.contextmanager
def sides(found: Peers, shape: Shape) -> Iterator[list[Side]]:
    """Kronk and every peer that can be started; one that cannot is said and left out."""
    with contextlib.ExitStack() as stack:
        running = [stack.enter_context(kronk(shape))]
        for name, command in _commands(found, shape, stack):
            try:
                running.append(stack.enter_context(_peer(name, command, shape)))
            except (OSError, TimeoutError) as error:
                print(f"   {name} is left out: {error}", flush=True)
        yield running


@contextlib.contextmanager
def kronk(shape: Shape) -> Iterator[Side]:
    """Kronk, its model loaded."""
    sizes = {"slots": shape.slots, "context": shape.context // shape.slots}
    with running_server(
        shape.model,
        spare=False,
        threads=shape.threads,
        # Texts are pooled, and what is decoded together has a size of its own.
        more={"flash_attention": "enabled"} if shape.embedding else {},
        **({} if shape.embedding else sizes),
    ) as server:
        _load(server, shape)
        processes = server.processes()
        pids = tuple(processes[role] for role in ("supervisor", "gateway", "worker"))
        yield Side("Kronk", server.host, server.port, server.model, pids)


def _load(server: Server, shape: Shape) -> None:
    path, body = (
        ("/v1/embeddings", {"input": "Hello!"})
        if shape.embedding
        else ("/v1/completions", {"prompt": "Hello!", "max_tokens": 1})
    )
    request = urllib.request.Request(
        f"http://{server.host}:{server.port}{path}",
        json.dumps({"model": server.model} | body).encode(),
        {"Content-Type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=_PATIENCE).close()


def _commands(
    found: Peers, shape: Shape, stack: contextlib.ExitStack
) -> Iterator[tuple[str, Sequence[str]]]:
    if found.llama_server is not None:
        yield "llama-server", [str(found.llama_server), *_llama_server_options(shape)]
    if found.example_server is not None:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        yield (
            "example server",
            [sys.executable, str(found.example_server), "-C", str(Path(folder) / "config.json")],
        )


def _llama_server_options(shape: Shape) -> list[str]:
    options = ["--model", str(shape.model), "--alias", shape.model.stem, "--offline"]
    options += ["--ctx-size", str(shape.context), "--parallel", str(shape.slots), "--kv-unified"]
    options += ["--threads", str(shape.threads), "--flash-attn", "on", "--fit", "off"]
    options += ["--cache-type-k", "f16", "--cache-type-v", "f16", "--batch-size", "2048"]
    if shape.embedding:
        # One text is pooled within one ubatch, so they have as many rows as Kronk's.
        options += ["--embedding", "--ubatch-size", "2048"]
    return options


def _example_config(shape: Shape, port: int) -> dict[str, object]:
    return {
        "server": {"host": "127.0.0.1", "port": port},
        "model": {
            "path": str(shape.model),
            "alias": shape.model.stem,
            "n_ctx": shape.context,
            "n_seq_max": shape.slots,
            "n_batch": 2048,
            "n_ubatch": 2048 if shape.embedding else 512,
            "threads": shape.threads,
            "threads_batch": shape.threads,
            "flash_attn": True,
            "kv_unified": True,
            "embedding": shape.embedding,
            "store_logits": False,
        },
    }


@contextlib.contextmanager
def _peer(name: str, command: Sequence[str], shape: Shape) -> Iterator[Side]:
    port = free_port()
    if "-C" in command:
        Path(command[-1]).write_text(json.dumps(_example_config(shape, port)))
        health = "/healthz"
    else:
        command = [*command, "--host", "127.0.0.1", "--port", str(port)]
        health = "/health"
    environment = os.environ | ({} if shape.own_openmp else _OPENMP)
    process = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(process, f"http://127.0.0.1:{port}{health}")
        yield Side(name, "127.0.0.1", port, shape.model.stem, (process.pid,))
    finally:
        process.kill()
        process.wait()


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            urllib.request.urlopen(url, timeout=5).close()
            return
        time.sleep(0.1)
    raise TimeoutError(f"it did not become ready (exit status {process.poll()})")
