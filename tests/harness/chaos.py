"""What goes wrong in a soak: one thing after another, chosen by chance, each undone by itself."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from random import Random

import httpx

from .asked import AskedStream
from .crowd import ask_all
from .server import Server
from .waiting import pause

MODELS = ("Red", "Green", "Blue")
BURST = 100
# Of processes that are stopped and continued, in seconds.
NAP = 2.0
# Beyond the supervisor's own limit for a gap in its ticks.
SLEEP = 6.0


class Chaos:
    """Does faults to a server. A poisoned request of its own is nobody else's to count."""

    def __init__(self, server: Server, random: Random, *, scripted: bool) -> None:
        self.server = server
        self.random = random
        # When gateways were killed: until the next one connections break without a word.
        self.gateways_killed = 0
        self.faults: dict[str, Callable[[], None]] = {
            "worker SIGKILL": lambda: self.signal_worker(signal.SIGKILL),
            "worker SIGSEGV": lambda: self.signal_worker(signal.SIGSEGV),
            "worker SIGABRT": lambda: self.signal_worker(signal.SIGABRT),
            "worker SIGTERM": lambda: self.signal_worker(signal.SIGTERM),
            "worker SIGSTOP, SIGCONT": self.nap,
            "all workers SIGKILL": self.kill_all_workers,
            "spare SIGKILL": self.kill_spare,
            "gateway SIGKILL": self.kill_gateway,
            "everything stopped, continued": self.suspend,
            "20 clients hang up": self.hang_up,
            f"{BURST} requests at once": self.burst,
            "unload": lambda: self.unload(force=False),
            "unload --force": lambda: self.unload(force=True),
            "reload": lambda: os.kill(server.pid, signal.SIGHUP),
        }
        if scripted:
            for words in SCRIPTED:
                self.faults[words] = lambda words=words: self.poison(words)  # type: ignore[misc]

    def do(self) -> str:
        """One of them; returns its name."""
        name = self.random.choice(sorted(self.faults))
        self.faults[name]()
        return name

    # Processes.

    def pid(self) -> int | None:
        """The process of some model that has one."""
        rows = [row for row in self.server.status()["data"] if row["model"] in MODELS]
        pids = [row["pid"] for row in rows if row["pid"] is not None]
        return self.random.choice(pids) if pids else None

    def signal_worker(self, number: signal.Signals) -> None:
        if pid := self.pid():
            self.kill(pid, number)

    def kill(self, pid: int, number: signal.Signals = signal.SIGKILL) -> None:
        """It may have ended in this moment."""
        if pid in self.server.children():
            os.kill(pid, number)

    def kill_all_workers(self) -> None:
        for row in self.server.status()["data"]:
            if row["model"] in MODELS and row["pid"] is not None:
                self.kill(row["pid"])

    def kill_spare(self) -> None:
        if pid := self.server.role_pid("spare"):
            self.kill(pid)

    def kill_gateway(self) -> None:
        if pid := self.server.role_pid("gateway"):
            self.gateways_killed += 1
            self.kill(pid)

    def nap(self) -> None:
        if pid := self.pid():
            self.kill(pid, signal.SIGSTOP)
            pause(NAP)
            self.kill(pid, signal.SIGCONT)

    def suspend(self) -> None:
        pids = [self.server.pid, *self.server.children()]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        pause(SLEEP)
        for pid in reversed(pids):
            os.kill(pid, signal.SIGCONT)

    # Requests.

    def hang_up(self) -> None:
        model = self.random.choice(MODELS)
        with ThreadPoolExecutor(20) as pool, ExitStack() as stack:
            for number in range(20):
                stream = AskedStream(self.server, model, number, "", max_tokens=2000)
                stack.callback(pool.submit, stream.leave)
            pause(self.random.uniform(0, 0.3))

    def burst(self) -> None:
        answers = ask_all(self.server, self.random.choice(MODELS), range(BURST), tokens=5)
        assert {answer.status for answer in answers} <= {200, 503}

    def poison(self, words: str) -> None:
        at = self.random.choice((0, 1, 5, 80))
        start = self.random.randrange(900)
        prompt = f"{words} at {at} number {self.random.random()}"
        model = self.random.choice(MODELS)
        stream = AskedStream(self.server, model, start, prompt, max_tokens=100)
        # In a thread of its own, which ends with the request.
        threading.Thread(target=stream.close_when_ended, daemon=True).start()

    def unload(self, *, force: bool) -> None:
        model = self.random.choice(MODELS)
        url = f"{self.server.url}/v1/kronk/models/{model}/unload"
        answer = httpx.post(url, json={"force": force}, timeout=60)
        assert answer.status_code < 500, answer.text


# Said to the scripted engine.
SCRIPTED = (
    *("kill", "segv", "abrt", "exit=0", "exit=1", "kill once", "segv once", "exit=0 once"),
    *("hang once", "spin once", "hold=2 once", "child", "deaf"),
    *("garbage once", "unknown once", "oversized once", "stale", "late", "replay", "flood"),
)
