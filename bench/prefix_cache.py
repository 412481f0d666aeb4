"""Time to first token with a prompt of some 2,000 tokens: its beginning cached, and not.

    python bench/prefix_cache.py [--rounds 5] [--tokens 2000] [MODEL.gguf]

Each round has a beginning of its own. The first prompt with it is the miss; then another question
after the same words is asked while they are still in their slot, once more when the slot has been
used for something else in between (so they are in RAM), and on a second server, which keeps nothing
in RAM, again from disk. Each answer says where its prompt came from, and that is checked.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
from collections.abc import Iterator
from contextlib import ExitStack

from client import Stream, chat, stream_chats
from decode import load
from options import model_of, parser
from report import Ratio, head, keep, table
from rounds import quotients
from server import Server, running_server
from texts import some_words

TARGET = 0.1
ROUNDS = 5
# What an answer's timings call them.
SOURCES = ("retained", "stored", "disk")
DISK = {"cache_ram": "off", "cache_disk": "2GB"}


class Prompts:
    """Prompts of one server: they share a beginning until `turn` changes it."""

    def __init__(self, server: Server, words: int) -> None:
        self._server = server
        self._words = words
        self._questions: Iterator[int] = itertools.count()
        self._beginning = 0

    def turn(self) -> None:
        """From now on another beginning."""
        self._beginning += 1

    def ask(self, source: str) -> Stream:
        """One answer, whose prompt must have come from `source`; "" is nowhere."""
        text = some_words(self._beginning, self._words)
        question = f"{text}\n\nQuestion {next(self._questions)}: what is this about?"
        (stream,) = stream_chats(
            self._server.host, self._server.port, [chat(self._server.model, question, 2)]
        )
        said = stream.timings["cache"]
        found = said.partition(":")[0]
        if (found if found in SOURCES else "") != source:
            raise RuntimeError(f"expected the prompt from {source or 'nowhere'}, not {said!r}")
        return stream

    def disturb(self) -> None:
        """Use the slot for something else."""
        other = chat(self._server.model, f"{next(self._questions)} " * 60, 2)
        stream_chats(self._server.host, self._server.port, [other])


def ratios(options: argparse.Namespace) -> list[Ratio]:
    """Hit / miss, by where the hit is from."""
    model = model_of(options)
    head("Prefix cache: time to first token", model, options.rounds, options.threads)
    shape = {"slots": 1, "context": options.tokens + 512, "threads": options.threads}
    with ExitStack() as stack:
        ram = stack.enter_context(running_server(model, spare=False, **shape))
        disk = stack.enter_context(running_server(model, spare=False, more=DISK, **shape))
        load(ram)
        load(disk)
        seconds = _measure(ram, disk, options)
    for name, spent in seconds.items():
        print(f"   {name:<20} {1e3 * statistics.median(spent):8.1f} ms")
    sides = (("in its slot", "miss"), ("in RAM", "miss"), ("on disk", "miss, disk on"))
    rows = [
        Ratio(f"TTFT, prefix {hit} / miss", quotients(seconds[hit], seconds[miss]), at_most=TARGET)
        for hit, miss in sides
    ]
    keep("prefix-cache", rows, {"model": model.name, "tokens": options.tokens, "ttft": seconds})
    return rows


def _measure(ram: Server, disk: Server, options: argparse.Namespace) -> dict[str, list[float]]:
    def once() -> dict[str, float]:
        in_ram.turn()
        on_disk.turn()
        streams = {"miss": in_ram.ask(""), "in its slot": in_ram.ask("retained")}
        streams["miss, disk on"] = on_disk.ask("")
        in_ram.disturb()
        on_disk.disturb()
        streams["in RAM"] = in_ram.ask("stored")
        streams["on disk"] = on_disk.ask("disk")
        return {name: stream.ttft for name, stream in streams.items()}

    in_ram, on_disk = Prompts(ram, options.tokens), Prompts(disk, options.tokens)
    # The first warms up.
    rounds = [once() for _ in range(1 + options.rounds)][1:]
    return {name: [one[name] for one in rounds] for name in rounds[0]}


def arguments() -> argparse.ArgumentParser:
    """What it can be told."""
    arguments = parser(__doc__, ROUNDS)
    arguments.add_argument("--tokens", type=int, default=2000)
    return arguments


if __name__ == "__main__":
    table(ratios(arguments().parse_args()))
