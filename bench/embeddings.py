"""Texts to embed: 32 in one request, 32 requests at once, and one at a time; in one run.

    python bench/embeddings.py [--rounds 7] [--words 3] [--threads N] [--flash] [MODEL.gguf]

Also the same texts one at a time through the plain `Llama` class of llama-cpp-python, in a process
of its own: what packing is worth without the requests around it. All take turns, round by round;
the figures to quote are the medians of the rounds' ratios. Without a model: the tests' tiny
reranker as an encoder, so small that a request costs more than its text.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from server import Server, running_server

TEXTS = 32
WORDS = (
    "quick", "brown", "fox", "jumps", "over", "lazy", "dog", "while", "seven", "wizards", "brew",
    "potions", "in", "quiet", "towers", "near", "cold", "rivers", "and", "old", "mills", "turn",
)  # fmt: skip
# The peer: reads a list of texts, embeds them one by one, says how many seconds that took.
PEER = """
import json, sys, time
from llama_cpp import Llama
llama = Llama(sys.argv[1], embedding=True, n_ctx=512, n_batch=512, n_ubatch=512,
              n_threads=int(sys.argv[2]), n_threads_batch=int(sys.argv[2]), verbose=False,
              flash_attn=sys.argv[3] == "1")
for line in sys.stdin:
    texts = json.loads(line)
    begin = time.perf_counter()
    for text in texts:
        llama.embed(text, normalize=True)
    print(time.perf_counter() - begin, flush=True)
"""


class Client:
    """One kept-alive connection."""

    def __init__(self, server: Server) -> None:
        self._model = server.model
        self._connection = http.client.HTTPConnection(server.host, server.port, timeout=120)

    def embed(self, texts: str | list[str]) -> None:
        body = {"model": self._model, "input": texts, "encoding_format": "base64"}
        headers = {"Content-Type": "application/json"}
        self._connection.request("POST", "/v1/embeddings", json.dumps(body), headers)
        answer = self._connection.getresponse()
        data = answer.read()
        assert answer.status == 200, data


class Plain:
    """The plain class, idle until asked."""

    def __init__(self, model: Path, threads: int, flash: bool) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PEER, str(model), str(threads), str(int(flash))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_WAIT_POLICY": "passive"},
        )

    def run(self, texts: list[str]) -> float:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(texts) + "\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def timed(act: Callable[[], None]) -> float:
    begin = time.perf_counter()
    act()
    return time.perf_counter() - begin


def at_once(clients: list[Client], texts: list[str]) -> None:
    """Each text a request of its own, all on their way together."""
    threads = [
        threading.Thread(target=client.embed, args=(text,))
        for client, text in zip(clients, texts, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def one_by_one(client: Client, texts: list[str]) -> None:
    for text in texts:
        client.embed(text)


def measure(server: Server, plain: Plain, rounds: int, texts: list[str]) -> dict[str, list[float]]:
    """Seconds for all texts, by way, round by round."""
    clients = [Client(server) for _ in texts]
    ways: dict[str, Callable[[], float]] = {
        "one request": lambda: timed(lambda: clients[0].embed(texts)),
        "32 at once": lambda: timed(lambda: at_once(clients, texts)),
        "one at a time": lambda: timed(lambda: one_by_one(clients[0], texts)),
        "plain class": lambda: plain.run(texts),
    }
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for round_ in range(-1, rounds):
        for way, run in ways.items():
            spent = run()
            seconds[way] += [spent] if round_ >= 0 else []
    return seconds


def ratio(slow: list[float], fast: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(slow, fast, strict=True))


def tiny_encoder(folder: Path) -> Path:
    """The tests' reranker with mean pooling instead of its classifier."""
    source = Path(__file__).parents[1] / "tests" / "models" / "tiny-rerank-q8_0.gguf"
    data = bytearray(source.read_bytes())
    key = b"bert.pooling_type"
    at = data.index(key) + len(key) + 4
    data[at : at + 4] = (1).to_bytes(4, "little")
    path = folder / "tiny-encoder.gguf"
    path.write_bytes(data)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", type=Path, help="default: a tiny encoder")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--words", type=int, default=3, help="of each text")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--flash", action="store_true", help="flash attention, on both sides")
    options = parser.parse_args()
    dice = random.Random(0)
    texts = [" ".join(dice.choices(WORDS, k=options.words)) for _ in range(TEXTS)]
    with tempfile.TemporaryDirectory() as folder:
        model = options.model or tiny_encoder(Path(folder))
        print(f"{model.name}: {TEXTS} texts of {options.words} words, {options.rounds} rounds,")
        print(f"{options.threads} threads, load average {os.getloadavg()[0]:.2f}\n", flush=True)
        more = {"flash_attention": "enabled"} if options.flash else {}
        plain = Plain(model, options.threads, options.flash)
        with running_server(model, spare=False, threads=options.threads, more=more) as server:
            seconds = measure(server, plain, options.rounds, texts)
        plain.close()
    show(model, seconds)


def show(model: Path, seconds: dict[str, list[float]]) -> None:
    one = seconds["one at a time"]
    rows: dict[str, Any] = {}
    for way, spent in seconds.items():
        rate = TEXTS / statistics.median(spent)
        rows[way] = {"texts_per_second": rate, "times_one_at_a_time": ratio(one, spent)}
        print(f"   {way:<14} {rate:8.1f} texts/s   {ratio(one, spent):5.2f} x one at a time")
    packing = ratio(seconds["plain class"], seconds["one request"])
    print(f"\nKronk, one request / plain class, one at a time: {packing:.2f}")
    results = Path(__file__).with_name("results")
    results.mkdir(exist_ok=True)
    path = results / f"embeddings-{time.strftime('%Y%m%d-%H%M%S')}.json"
    path.write_text(json.dumps({"model": model.name, "ways": rows, "seconds": seconds}, indent=1))
    print(f"written to {path}")


if __name__ == "__main__":
    main()
