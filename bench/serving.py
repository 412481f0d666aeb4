"""Kronk next to a bare `llama_decode` loop, on the same model, in one run.

    python bench/serving.py [--rounds 5] [--tokens 128] [--streams 1,2,4,8] [MODEL.gguf]

The two take turns, round by round, so that a machine whose speed drifts is the same machine for
both; the figure to quote is the median of the rounds' ratios. Absolute numbers are this machine's.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from client import stream_chats
from proc import memory
from server import Server, running_server, starter_model

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

    def __init__(self, model: Path, streams: int, threads: int) -> None:
        script = Path(__file__).with_name("bare.py")
        options = ["--streams", str(streams), "--context", str(CONTEXT), "--threads", str(threads)]
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
        assert self._process.stdin is not None
        order = {"prompts": [rendered(s) for s in range(streams)], "tokens": tokens}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._read())
        return figures([answer["started"]] * streams, answer["times"])

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def kronk_run(server: Server, streams: int, tokens: int) -> Figures:
    bodies = [
        {
            "model": server.model,
            "messages": [
                {"role": "system", "content": SYSTEM},
                {"role": "user", "content": user_text(stream)},
            ],
            "temperature": 0,
            "max_tokens": tokens,
        }
        for stream in range(streams)
    ]
    answers = stream_chats(server.host, server.port, bodies)
    return figures([answer.started for answer in answers], [answer.times for answer in answers])


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU of the gateway and of the worker's threads that are not the engine's, per token."""

    gateway: float
    worker_io: float
    engine: float


def compare(server: Server, model: Path, streams: int, options: Any) -> dict[str, Any]:
    """All rounds at one number of streams."""
    loop = BareLoop(model, streams, options.threads)
    kronk: list[Figures] = []
    bare: list[Figures] = []
    costs: list[Cost] = []
    for round_ in range(-1, options.rounds):
        sides = [True, False] if round_ % 2 else [False, True]
        for is_kronk in sides:
            if not is_kronk:
                result = loop.run(streams, options.tokens)
                bare.extend([result] if round_ >= 0 else [])
                continue
            before = server.cpu()
            result = kronk_run(server, streams, options.tokens)
            if round_ >= 0:
                kronk.append(result)
                costs.append(cost(before, server.cpu(), result.tokens))
    loop.close()
    return summary(streams, kronk, bare, costs)


def cost(before: dict[str, float], after: dict[str, float], tokens: int) -> Cost:
    spent = {name: after[name] - before.get(name, 0.0) for name in after}
    return Cost(*(1e6 * spent[part] / tokens for part in ("gateway", "worker io", "engine")))


def summary(
    streams: int, kronk: list[Figures], bare: list[Figures], costs: list[Cost]
) -> dict[str, Any]:
    pairs = list(zip(kronk, bare, strict=True))

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
        "ratio": statistics.median(k.tokens_per_second / b.tokens_per_second for k, b in pairs),
        "ratio_rounds": [k.tokens_per_second / b.tokens_per_second for k, b in pairs],
        "ratio_decode": statistics.median(
            k.decode_tokens_per_second / b.decode_tokens_per_second for k, b in pairs
        ),
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
        body = {
            "model": server.model,
            "messages": [{"role": "user", "content": "Hello!"}],
            "temperature": 0,
            "max_tokens": 8,
        }
        (stream,) = stream_chats(server.host, server.port, [body])
        return {
            "first_token_s": stream.times[0] - stream.started,
            "load_to_ready_s": server.last_load_seconds(),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", type=Path, help="default: the starter model")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--streams", default="1,2,4,8")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    model = options.model or starter_model()
    print(f"{model.name}: {options.rounds} rounds of {options.tokens} tokens, greedy,")
    print(f"{options.threads} threads, load average {os.getloadavg()[0]:.2f}\n", flush=True)
    rows = []
    for streams in (int(part) for part in options.streams.split(",")):
        with running_server(
            model, slots=streams, context=CONTEXT, spare=True, threads=options.threads
        ) as server:
            kronk_run(server, 1, 4)
            rows.append(compare(server, model, streams, options))
            show(rows[-1])
            processes = {
                role: dict(zip(("rss", "model_pages"), memory(pid), strict=True))
                for role, pid in server.processes().items()
            }
    print("\nresident memory without the model file's pages")
    for role, sizes in processes.items():
        print(f"   {role:<12} {(sizes['rss'] - sizes['model_pages']) / 2**20:7.1f} MiB")
    print("\ncold start, from the request")
    cold = {}
    for spare in (True, False):
        runs = [cold_start(model, spare) for _ in range(3)]
        word = "with a spare" if spare else "without a spare"
        cold[word] = {k: statistics.median(r[k] for r in runs) for k in runs[0]}
        print(
            f"   {word:<16} spawn or spare to READY {cold[word]['load_to_ready_s']:.2f} s,"
            f" first token after {cold[word]['first_token_s']:.2f} s",
            flush=True,
        )
    results = Path(__file__).with_name("results")
    results.mkdir(exist_ok=True)
    report = {"model": model.name, "serving": rows, "memory": processes, "cold_start": cold}
    path = results / f"serving-{time.strftime('%Y%m%d-%H%M%S')}.json"
    path.write_text(json.dumps(report, indent=1))
    print(f"\nwritten to {path}")


if __name__ == "__main__":
    main()
