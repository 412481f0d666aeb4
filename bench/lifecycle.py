"""What it costs when a model is not there: cold start, switch of models, crash of its process.

    python bench/lifecycle.py [--rounds 3] [MODEL.gguf]

All as a client sees them, on one server with a spare worker and room for one model: the first
token of a model that is not loaded; of another while one is loaded, which has to go first; and the
gap in a running stream whose worker is killed. The same file is the model both times, so that the
disk has no part in it. Ratios are to the first: a switch costs one unload more, a crash the
reading of what was said so far.
"""

from __future__ import annotations

import argparse
import itertools
import os
import signal
import statistics
import threading
import time

from client import chat, stream_chats
from options import model_of, parser
from report import Ratio, head, keep, table
from rounds import in_turns, quotients
from server import Server, running_server

ROUNDS = 3
CONTEXT = 2048
OTHER = "The-Other"
# Of the stream whose worker is killed, and how far it is then.
TOKENS, INTO = 256, 0.4
TARGET_SWITCH, TARGET_CRASH = 1.5, 1.5


class Life:
    """One server that goes through all of it."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._turns = itertools.cycle([server.model, OTHER])
        self._loaded: str | None = None

    def cold(self) -> float:
        """Seconds to the first token, with no model loaded."""
        if self._loaded is not None:
            self._server.unload(self._loaded)
            self._loaded = None
        return self._first_token(next(self._turns))

    def switch(self) -> float:
        """Seconds to the first token, with another model in the only place there is."""
        if self._loaded is None:
            self._first_token(next(self._turns))
        return self._first_token(next(name for name in self._turns if name != self._loaded))

    def crash(self) -> float:
        """Seconds without a token in a stream whose worker is killed."""
        model = self._loaded or next(self._turns)
        self._first_token(model)
        self._server.wait_for_spare(True)
        pid = self._server.processes()["worker"]
        timer = threading.Timer(INTO, os.kill, (pid, signal.SIGKILL))
        timer.start()
        body = chat(model, "Tell a very long story.", TOKENS, ignore_eos=True)
        (stream,) = stream_chats(self._server.host, self._server.port, [body])
        timer.join()
        if stream.tokens != TOKENS:
            raise RuntimeError(f"the stream ended after {stream.tokens} tokens")
        return max(b - a for a, b in itertools.pairwise(stream.times))

    def _first_token(self, model: str) -> float:
        self._server.wait_for_spare(model != self._loaded)
        self._loaded = model
        body = chat(model, f"Hello at {time.monotonic()}!", 4)
        (stream,) = stream_chats(self._server.host, self._server.port, [body])
        return stream.ttft


def ratios(options: argparse.Namespace) -> list[Ratio]:
    """Switch and crash / cold start."""
    model = model_of(options)
    head("Cold start, switch, crash", model, options.rounds, options.threads)
    settings = ["--models-in-cache=1"]
    with running_server(
        model,
        spare=True,
        slots=2,
        context=CONTEXT,
        threads=options.threads,
        also=[OTHER],
        settings=settings,
    ) as server:
        life = Life(server)
        acts = {"cold start": life.cold, "switch": life.switch, "crash": life.crash}
        seconds = in_turns(options.rounds, acts, warm_ups=0)
    for name, spent in seconds.items():
        print(f"   {name:<11} {statistics.median(spent):6.2f} s", flush=True)
    cold = seconds["cold start"]
    rows = [
        Ratio(
            "first token after a switch of models / cold start",
            quotients(seconds["switch"], cold),
            at_most=TARGET_SWITCH,
        ),
        Ratio(
            "gap in a stream whose worker is killed / cold start",
            quotients(seconds["crash"], cold),
            at_most=TARGET_CRASH,
        ),
    ]
    keep("lifecycle", rows, {"model": model.name, "seconds": seconds})
    return rows


def arguments() -> argparse.ArgumentParser:
    """What it can be told."""
    return parser(__doc__, ROUNDS)


if __name__ == "__main__":
    table(ratios(arguments().parse_args()))
