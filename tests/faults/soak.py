"""`python -m tests.faults.soak --minutes 10`: one fault every five seconds, eight clients, three
models, and everything that must hold at the end. Exits with 1 when it does not.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parents[1]))

import httpx

from harness import proc
from harness.asked import AskedStream, AskedWhole
from harness.chaos import MODELS, Chaos
from harness.fault_house import fault_house
from harness.invariants import after_fault
from harness.server import Server

CLIENTS = 8
# Crashes are what a soak is for: nothing is given up for them, or put off for a minute.
LIMITS = {
    "restart.WINDOW": 0.5,
    "restart.FIRST_HOLD": 1.0,
    "restart.LONGEST_DELAY": 1.0,
    "front.FIRST_DELAY": 0.1,
    "front.LONGEST_DELAY": 1.0,
}
FLAGS = {"stuck_after": "4s"}
# What a client may be told in a day like this.
KNOWN = {
    *("model_crashed", "model_failed", "overloaded", "internal", "prompt_quarantined", "timeout"),
    "model_unloaded",
}


class Client(threading.Thread):
    """Asks one thing after another, and looks at each end."""

    def __init__(self, server: Server, seed: str, over: threading.Event) -> None:
        super().__init__(daemon=True)
        self.ends: Counter[str] = Counter()
        self.violations: list[str] = []
        # The first error of each kind.
        self.words: dict[str, str] = {}
        self.longest = 0.0
        self._server = server
        self._random = Random(seed)
        self._over = over

    def run(self) -> None:
        while not self._over.is_set():
            try:
                self._ask()
            except ConnectionError:
                self.ends["not connected"] += 1
            except AssertionError as error:
                self.violations.append(told(error))

    def _ask(self) -> None:
        model, start = self._random.choice(MODELS), self._random.randrange(900)
        tokens, begun = self._random.choice((1, 20, 100, 300)), time.monotonic()
        kind = self._random.choice((AskedStream, AskedStream, AskedWhole))
        asked = kind(self._server, model, start, "", max_tokens=tokens)
        try:
            if isinstance(asked, AskedStream) and self._random.random() < 0.1:
                time.sleep(self._random.uniform(0, 0.1))
                asked.leave()
            end: str = asked.end()
            if isinstance(asked, AskedStream) and asked.has_left and end == "broken":
                end = "left"
        finally:
            asked.close()
        if asked.error is not None:
            code = asked.error["code"]
            assert code in KNOWN, asked.error
            end = f"{end}: {code}"
            self.words.setdefault(end, asked.error["message"])
        self.ends[end] += 1
        self.longest = max(self.longest, time.monotonic() - begun)


def soak(server: Server, minutes: float, interval: float, seed: int, *, scripted: bool) -> int:
    """Run it; returns how many promises were broken."""
    over = threading.Event()
    clients = [Client(server, f"{seed}-{number}", over) for number in range(CLIENTS)]
    chaos = Chaos(server, Random(seed), scripted=scripted)
    done: Counter[str] = Counter()
    broken: list[str] = []
    where = f"{minutes:g} min, seed {seed}, {'scripted' if scripted else 'real'} engine"
    try:
        with after_fault(server, "chaos", where, models=MODELS, gateway_dies=True) as fault:
            sizes = rss(server)
            for client in clients:
                client.start()
            end = time.monotonic() + 60 * minutes
            while time.monotonic() < end:
                time.sleep(interval)
                print(".", end="", flush=True)
                done[do(chaos, broken)] += 1
            over.set()
            for client in clients:
                client.join()
            fault.figure("faults", done.total())
            fault.figure("requests", sum(client.ends.total() for client in clients))
            fault.figure("longest request, s", max(client.longest for client in clients))
            print(f"\nrss, MiB, before and after: {sizes}, {rss(server)}")
    except AssertionError as error:
        broken.append(told(error))
    finally:
        over.set()
    report(done, clients)
    broken += [words for client in clients for words in client.violations]
    for words in broken:
        print(f"VIOLATED: {words}")
    return len(broken)


def do(chaos: Chaos, broken: list[str]) -> str:
    """One fault; what it meets itself while the gateway is away is no violation."""
    try:
        return chaos.do()
    except (httpx.HTTPError, ConnectionError, OSError):
        return "(none: the gateway was away)"
    except AssertionError as error:
        broken.append(told(error))
        return "(failed)"


def told(error: AssertionError) -> str:
    """Its words, and where it was: not every assertion has words."""
    at = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(at.filename).name}:{at.lineno}: {at.line}: {error}"[:2000]


def rss(server: Server) -> dict[str, int]:
    """Resident mebibytes of the two that live long."""
    status = server.status()["processes"]
    return {p["role"]: p["rss_bytes"] >> 20 for p in status if p["role"] != "spare"}


def report(done: Counter[str], clients: list[Client]) -> None:
    """What was done, and how requests ended."""
    print("\n| fault | times |\n| --- | --- |")
    for name, count in sorted(done.items()):
        print(f"| {name} | {count} |")
    ends: Counter[str] = Counter()
    for client in clients:
        ends += client.ends
    print("\n| end of a request | times |\n| --- | --- |")
    words = {name: said for client in clients for name, said in client.words.items()}
    for name, count in ends.most_common():
        print(f"| {name} | {count} |")
    for name, said in words.items():
        print(f"{name}: {said[:500]}")


def main() -> None:
    """Parse the arguments, and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--interval", type=float, default=5, help="seconds between two faults")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--real", action="store_true", help="real workers")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="kronk-soak-", ignore_cleanup_errors=True) as folder,
        fault_house(
            Path(folder),
            MODELS,
            flags=FLAGS,
            limits=LIMITS,
            engine="real" if options.real else "scripted",
        ) as server,
    ):
        count = soak(
            server, options.minutes, options.interval, options.seed, scripted=not options.real
        )
        if count:
            kept = Path(tempfile.mkdtemp(prefix="kronk-soak-log-"), "kronk.log")
            kept.write_bytes(server.log_file.read_bytes())
            print(f"{count} violations; seed {options.seed}; the log is {kept}")
    assert not proc.marked("HARNESS_ID", server.mark)
    sys.exit(1 if count else 0)


if __name__ == "__main__":
    main()
