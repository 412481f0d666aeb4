"""Kronk next to a bare `llama_decode` loop, on the same model, in one run.

    python bench/serving.py [--rounds 5] [--tokens 128] [--streams 1,2,4,8] [MODEL.gguf]

The two take turns, round by round, so that a machine whose speed drifts is the same machine for
both; the figure to quote is the median of the rounds' ratios. Absolute numbers are this machine's.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from client import chat, stream_chats
from decode import load
from options import model_of, parser
from proc import memory
from report import Ratio, head, keep, table
from rounds import in_turns, percentile, quotients, ratio
from server import Server, running_server

# At so many streams the ratio is to be at least that.
TARGETS = {1: 0.97, 8: 0.95}
ROUNDS = 5
CONTEXT = 1024
SYSTEM = "You are a storyteller."
TOPICS = ["fox", "river", "clock", "lighthouse", "violin", "glacier", "market", "comet"]


@dataclass(frozen=True, slots=True)
class Figures:
    """One round of one side. Seconds; `tokens_per_second` is of all streams together."""

    tokens_per_second: float
    decode_tokens_per_second: float
    ttft: list[float]
    gaps: list[float]
    tokens: int


def figures(starts: list[float], times: list[list[float]]) -> Figures:
    begin, end = min(starts), max(stamps[-1] for stamps in times)
    tokens = sum(len(stamps) for stamps in times)
    # From the moment every stream has its first token: decoding alone.
    steady = max(stamps[0] for stamps in times)
    after = sum(sum(stamp > steady for stamp in stamps) for stamps in times)
    return Figures(
        tokens / (end - begin),
        after / (end - steady),
        [stamps[0] - start for start, stamps in zip(starts, times, strict=True)],
        [b - a for stamps in times for a, b in itertools.pairwise(stamps)],
        tokens,
    )


def user_text(stream: int) -> str:
    return f"Write a very long story about a {TOPICS[stream % len(TOPICS)]}. Do not stop early."


def rendered(stream: int) -> str:
    parts = (("system", SYSTEM), ("user", user_text(stream)))
    turns = "".join(f"<|im_start|>{role}\n{text}<|im_end|>\n" for role, text in parts)
    return turns + "<|im_start|>assistant\n"


class BareLoop:
    """The peer, in a process of its own, idle until asked."""

    def __init__(self, model: Path, streams: int, threads: int, context: int = CONTEXT) -> None:
        script = Path(__file__).with_name("bare.py")
        options = ["--streams", str(streams), "--context", str(context), "--threads", str(threads)]
        self._process = subprocess.Popen(
            [sys.executable, str(script), str(model), *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._read()

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def run(self, streams: int, tokens: int) -> Figures:
        started, times = self.ask([rendered(s) for s in range(streams)], tokens)
        return figures([started] * streams, times)

    def ask(self, prompts: Sequence[str], tokens: int) -> tuple[float, list[list[float]]]:
        """When it began, and when each prompt's tokens came."""
        assert self._process.stdin is not None
        order = {"prompts": list(prompts), "tokens": tokens}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._read())
        return answer["started"], answer["times"]

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def kronk_run(server: Server, streams: int, tokens: int) -> Figures:
    bodies = [
        chat(
            server.model,
            [
                {"role": "system", "content": SYSTEM},
                {"role": "user", "content": user_text(stream)},
            ],
            tokens,
        )
        for stream in range(streams)
    ]
    answers = stream_chats(server.host, server.port, bodies)
    return figures([answer.started for answer in answers], [answer.times for answer in answers])


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU of the gateway and of the worker's threads that are not the engine's, per token."""

    gateway: float
    worker_io: float
    engine: float


def compare(server: Server, model: Path, streams: int, options: Any) -> dict[str, Any]:
    """All rounds at one number of streams."""

    def kronk() -> tuple[Figures, Cost | None]:
        before = server.cpu()
        result = kronk_run(server, streams, options.tokens)
        return result, cost(before, server.cpu(), result.tokens)

    loop = BareLoop(model, streams, options.threads)
    runs = in_turns(
        options.rounds,
        {"kronk": kronk, "bare": lambda: (loop.run(streams, options.tokens), None)},
    )
    loop.close()
    costs = [spent for _, spent in runs["kronk"] if spent is not None]
    mine, peers = ([figures for figures, _ in runs[side]] for side in ("kronk", "bare"))
    return summary(streams, mine, peers, costs)


def cost(before: dict[str, float], after: dict[str, float], tokens: int) -> Cost:
    spent = {name: after[name] - before.get(name, 0.0) for name in after}
    return Cost(*(1e6 * spent[part] / tokens for part in ("gateway", "worker io", "engine")))


def summary(
    streams: int, kronk: list[Figures], bare: list[Figures], costs: list[Cost]
) -> dict[str, Any]:
    rates = [[one.tokens_per_second for one in side] for side in (kronk, bare)]
    decode_rates = [[one.decode_tokens_per_second for one in side] for side in (kronk, bare)]

    def latency(side: list[Figures]) -> dict[str, float]:
        ttft = [t for f in side for t in f.ttft]
        gaps = [g for f in side for g in f.gaps]
        return {
            "ttft_p50_ms": 1e3 * percentile(ttft, 0.5),
            "ttft_p99_ms": 1e3 * percentile(ttft, 0.99),
            "itl_p50_ms": 1e3 * percentile(gaps, 0.5),
            "itl_p99_ms": 1e3 * percentile(gaps, 0.99),
            "tokens_per_second": statistics.median(f.tokens_per_second for f in side),
        }

    return {
        "streams": streams,
        "kronk": latency(kronk),
        "bare": latency(bare),
        "ratio": ratio(*rates),
        "ratio_rounds": quotients(*rates),
        "ratio_decode": ratio(*decode_rates),
        "gateway_us_per_token": statistics.median(c.gateway for c in costs),
        "worker_io_us_per_token": statistics.median(c.worker_io for c in costs),
    }


def show(row: dict[str, Any]) -> None:
    print(
        f"{row['streams']:>2} streams   Kronk / bare loop: {row['ratio']:.3f}"
        f"   (decode only {row['ratio_decode']:.3f};"
        f" rounds {', '.join(f'{r:.3f}' for r in row['ratio_rounds'])})"
    )
    for side in ("kronk", "bare"):
        f = row[side]
        print(
            f"   {side:<6} {f['tokens_per_second']:7.1f} tok/s"
            f"   TTFT p50 {f['ttft_p50_ms']:7.1f} p99 {f['ttft_p99_ms']:7.1f} ms"
            f"   ITL p50 {f['itl_p50_ms']:6.2f} p99 {f['itl_p99_ms']:6.2f} ms"
        )
    print(
        f"   CPU per token: gateway {row['gateway_us_per_token']:.0f} us,"
        f" worker's sockets and messages {row['worker_io_us_per_token']:.0f} us",
        flush=True,
    )


def cold_start(model: Path, spare: bool) -> dict[str, float]:
    """A request to a model that is not loaded: to its first token, and the load inside it."""
    with running_server(model, slots=1, context=CONTEXT, spare=spare) as server:
        server.wait_for_spare(spare)
        body = chat(server.model, "Hello!", 8)
        (stream,) = stream_chats(server.host, server.port, [body])
        return {
            "first_token_s": stream.ttft,
            "load_to_ready_s": server.last_load_seconds(),
        }


def ratios(options: argparse.Namespace) -> list[Ratio]:
    """Kronk / bare loop, by number of streams; also memory and cold starts, on the screen."""
    model = model_of(options)
    head("Serving, next to a bare llama_decode loop", model, options.rounds, options.threads)
    rows = []
    for streams in (int(part) for part in options.streams.split(",")):
        with running_server(
            model, slots=streams, context=CONTEXT, spare=True, threads=options.threads
        ) as server:
            load(server)
            rows.append(compare(server, model, streams, options))
            show(rows[-1])
            processes = {
                role: dict(zip(("rss", "model_pages"), memory(pid), strict=True))
                for role, pid in server.processes().items()
            }
    print("\nresident memory without the model file's pages")
    for role, sizes in processes.items():
        print(f"   {role:<12} {(sizes['rss'] - sizes['model_pages']) / 2**20:7.1f} MiB")
    cold = cold_starts(model)
    found = [
        Ratio(
            f"Kronk / bare loop, {row['streams']} stream{'s' * (row['streams'] > 1)}",
            row["ratio_rounds"],
            at_least=TARGETS.get(row["streams"]),
        )
        for row in rows
    ]
    details = {"model": model.name, "serving": rows, "memory": processes, "cold_start": cold}
    keep("serving", found, details)
    return found


def cold_starts(model: Path) -> dict[str, dict[str, float]]:
    """With the spare worker and without, three times each."""
    print("\ncold start, from the request")
    sides = {
        "with a spare": partial(cold_start, model, True),
        "without a spare": partial(cold_start, model, False),
    }
    cold = {
        word: {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        for word, runs in in_turns(3, sides, warm_ups=0).items()
    }
    for word, seconds in cold.items():
        print(
            f"   {word:<16} spawn or spare to READY {seconds['load_to_ready_s']:.2f} s,"
            f" first token after {seconds['first_token_s']:.2f} s",
            flush=True,
        )
    return cold


def arguments() -> argparse.ArgumentParser:
    """What it can be told."""
    arguments = parser(__doc__, ROUNDS)
    arguments.add_argument("--tokens", type=int, default=128)
    arguments.add_argument("--streams", default="1,2,4,8")
    return arguments


if __name__ == "__main__":
    table(ratios(arguments().parse_args()))
