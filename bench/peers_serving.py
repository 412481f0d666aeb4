"""Kronk next to llama-server, the binding's example server and the bare loop, in one run.

    python bench/peers_serving.py [--rounds 3] [--streams 1,4,8,16] [--tokens 64]
                                  [--peers FOLDER] [--own-openmp] [MODEL.gguf]

All of them have the same GGUF, 16 slots, as many cells, threads, flash attention and f16 caches,
and stay loaded while they take turns, round by round. Once the prompts have nothing in common, and
once a beginning of 400 tokens that the servers know already. Figures are ratios, Kronk's to the
peer's, each the median of the rounds'. Peers get the OpenMP settings of Kronk's workers, which
suit cores that are shared; with `--own-openmp` they come as they are.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from client import Body, chat, stream_chats
from options import model_of, parser
from peer_servers import Shape, Side, sides
from peers import add_option, peers
from report import Ratio, head, keep, table
from rounds import in_turns, percentile, quotients
from serving import BareLoop
from texts import some_words

ROUNDS = 3
SLOTS = 16
WINDOW = 1024
SHARED_WORDS, OWN_WORDS = 400, 60
# Where the promise is: as good as llama-server.
PROMISED = (8, 16)


@dataclass(frozen=True, slots=True)
class Run:
    """One side's round. Seconds; `rate` is tokens per second of all streams together, and
    `cpu_rate` per second of CPU of all its processes."""

    rate: float
    cpu_rate: float
    ttft: list[float]
    gaps: list[float]

    def figures(self) -> dict[str, float]:
        """What is compared, by name."""
        return {
            "tokens/s": self.rate,
            "tokens per CPU second": self.cpu_rate,
            "TTFT p50": percentile(self.ttft, 0.5),
            "TTFT p99": percentile(self.ttft, 0.99),
            "ITL p50": percentile(self.gaps, 0.5),
            "ITL p99": percentile(self.gaps, 0.99),
        }


Runs = dict[str, list[Run]]


class Prompts:
    """Texts that nobody has seen before, except for what they share."""

    def __init__(self, *, shared: bool) -> None:
        self._seeds = itertools.count(1)
        self._shared = some_words(0, SHARED_WORDS) if shared else ""

    def round(self, streams: int) -> list[str]:
        """One for each stream."""
        return [
            f"{self._shared} {some_words(seed, OWN_WORDS)} Tell a very long story of it.".strip()
            for seed in itertools.islice(self._seeds, streams)
        ]


def ask(side: Side, texts: Sequence[str], tokens: int) -> Run:
    """All of them at once."""
    bodies: list[Body] = [chat(side.model, text, tokens, ignore_eos=True) for text in texts]
    before = side.cpu()
    streams = stream_chats(side.host, side.port, bodies)
    spent = side.cpu() - before
    return _run(
        [one.times for one in streams], [one.started for one in streams], lambda count: spent
    )


def _run(times: Sequence[list[float]], starts: Sequence[float], cpu: Callable[[int], float]) -> Run:
    pieces = sum(map(len, times))
    spent = cpu(pieces)
    return Run(
        pieces / (max(stamps[-1] for stamps in times) - min(starts)),
        pieces / spent if spent else 0.0,
        [stamps[0] - start for start, stamps in zip(starts, times, strict=True)],
        [b - a for stamps in times for a, b in itertools.pairwise(stamps)],
    )


def bare(loop: BareLoop, texts: Sequence[str], tokens: int) -> Run:
    """The same by hand."""
    rendered = [f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n" for text in texts]
    started, times = loop.ask(rendered, tokens)
    return _run(times, [started] * len(times), lambda count: 0.0)


def compare(
    running: Sequence[Side], loop: BareLoop | None, streams: int, options: argparse.Namespace
) -> Runs:
    """All rounds at one number of streams; with no `loop`, of prompts that share a beginning."""
    prompts = Prompts(shared=loop is None)
    acts: dict[str, Callable[[], Run]] = {
        side.name: lambda side=side: ask(side, prompts.round(streams), options.tokens)
        for side in running
    }
    if loop is not None:
        acts["bare loop"] = partial(
            lambda loop: bare(loop, prompts.round(streams), options.tokens), loop
        )
    return in_turns(options.rounds, acts)


def show(what: str, runs: Runs) -> None:
    """The sides' own figures, medians of the rounds."""
    print(f"\n{what}")
    for name, rounds in runs.items():
        figures = [run.figures() for run in rounds]
        median = {key: statistics.median(one[key] for one in figures) for key in figures[0]}
        print(
            f"   {name:<14} {median['tokens/s']:7.1f} tok/s"
            f"   TTFT p50 {1e3 * median['TTFT p50']:7.0f} p99 {1e3 * median['TTFT p99']:7.0f} ms"
            f"   ITL p50 {1e3 * median['ITL p50']:6.1f} p99 {1e3 * median['ITL p99']:6.1f} ms",
            flush=True,
        )


def found(streams: int, shared: bool, runs: Runs) -> list[Ratio]:
    """Kronk / each other side."""
    mine = [run.figures() for run in runs["Kronk"]]
    rows = []
    for name in [name for name in runs if name != "Kronk"]:
        theirs = [run.figures() for run in runs[name]]
        promised = name == "llama-server" and streams in PROMISED
        for key in mine[0]:
            if not theirs[0][key]:
                continue
            rows.append(
                Ratio(
                    f"{key}, Kronk / {name}, {streams} stream{'s' * (streams > 1)}"
                    + ", shared prefix" * shared,
                    quotients([one[key] for one in mine], [one[key] for one in theirs]),
                    at_least=1.0 if promised and key == "tokens/s" else None,
                    at_most=1.0 if promised and key == "TTFT p99" else None,
                )
            )
    return rows


def ratios(options: argparse.Namespace) -> list[Ratio]:
    """Kronk / each peer, by streams and kind of prompt."""
    model: Path = model_of(options)
    head("Serving, next to other servers", model, options.rounds, options.threads)
    counts = [int(part) for part in options.streams.split(",")]
    shape = Shape(model, SLOTS, SLOTS * WINDOW, options.threads, own_openmp=options.own_openmp)
    rows, kept = [], {}
    with sides(peers(options.peers), shape) as running:
        loop = BareLoop(model, SLOTS, options.threads, WINDOW)
        try:
            for streams, shared in itertools.product(counts, (False, True)):
                what = f"{streams} streams{', shared prefix' * shared}"
                runs = compare(running, None if shared else loop, streams, options)
                show(what, runs)
                rows += found(streams, shared, runs)
                kept[what] = {
                    name: [run.figures() for run in rounds] for name, rounds in runs.items()
                }
        finally:
            loop.close()
    keep("peers-serving", rows, {"model": model.name, "runs": kept})
    return rows


def arguments() -> argparse.ArgumentParser:
    """What it can be told."""
    arguments = parser(__doc__, ROUNDS)
    arguments.add_argument("--tokens", type=int, default=64)
    arguments.add_argument("--streams", default="1,4,8,16")
    arguments.add_argument("--own-openmp", action="store_true", help="peers set nothing of it")
    add_option(arguments)
    return arguments


if __name__ == "__main__":
    table(ratios(arguments().parse_args()))
