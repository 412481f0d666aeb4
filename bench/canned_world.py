"""The real gateway among canned workers, as `gateway.py` measures it: what its threads, the wire's
and the workers' have taken of the processor."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proc import cpu_by_thread


class World:
    """A gateway and its canned workers, run by one interpreter."""

    def __init__(self, python: str, folder: Path) -> None:
        script = Path(__file__).with_name("canned.py")
        self._process = subprocess.Popen(
            [python, "-P", str(script), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        facts = self._read()
        self.port: int = facts["port"]
        self.gateway: int = facts["gateway"]
        self._worker: int = facts["worker"]

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        facts: dict[str, Any] = json.loads(self._process.stdout.readline())
        return facts

    def order(self, **what: float) -> dict[str, Any]:
        """Tell the workers; returns what they have done so far."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        return self._read()

    def spent(self) -> Spent:
        """So far."""
        done = self.order()
        ours, theirs = cpu_by_thread(self.gateway), cpu_by_thread(self._worker)
        wire = [seconds for side in (ours, theirs) for name, seconds in side.items() if is_io(name)]
        gateway = sum(seconds for name, seconds in ours.items() if not is_io(name))
        # The thread that hears credit, and what the other took to send.
        worker = done["spent"] + theirs.get(Path(sys.executable).name, 0.0)
        return Spent(gateway, sum(wire), worker, done["deltas"], time.monotonic())

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)


def is_io(thread: str) -> bool:
    """Whether it is one of ZeroMQ's."""
    return thread.startswith("ZMQbg")


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of CPU, and tokens, up to a moment."""

    gateway: float
    wire: float
    worker: float
    tokens: int
    at: float

    def since(self, before: Spent) -> Cost:
        tokens = self.tokens - before.tokens
        parts = (
            1e6 * (getattr(self, part) - getattr(before, part)) / tokens
            for part in ("gateway", "wire", "worker")
        )
        seconds = self.at - before.at
        return Cost(*parts, tokens / seconds, (self.gateway - before.gateway) / seconds)


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds of CPU a token, and what it was at; `busy` is the gateway's share of a core."""

    gateway: float
    wire: float
    worker: float
    tokens_per_second: float
    busy: float

    @property
    def whole(self) -> float:
        return self.gateway + self.wire + self.worker


@contextlib.contextmanager
def worlds(pythons: dict[str, str]) -> Iterator[dict[str, World]]:
    with contextlib.ExitStack() as stack:
        found = {}
        for name, python in pythons.items():
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kronk-")))
            found[name] = stack.enter_context(contextlib.closing(World(python, folder)))
        yield found
