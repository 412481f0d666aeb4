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

from options import parser
from peer_servers import Side
from report import Ratio, head, keep, table
from rounds import in_turns, quotients
from server import Server, running_server
from texts import WORDS

TARGET = 3.0
ROUNDS = 7
TEXTS = 32
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
    """One kept-alive connection, to a server of anybody's."""

    def __init__(self, server: Server | Side) -> None:
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
    return in_turns(rounds, ways)


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


def ratios(options: argparse.Namespace) -> list[Ratio]:
    """Each way's texts per second / those one at a time."""
    dice = random.Random(0)
    texts = [" ".join(dice.choices(WORDS, k=options.words)) for _ in range(TEXTS)]
    with tempfile.TemporaryDirectory() as folder:
        model = options.model or tiny_encoder(Path(folder))
        what = f"Embeddings: {TEXTS} texts of {options.words} words"
        head(what, model, options.rounds, options.threads)
        more = {"flash_attention": "enabled"} if options.flash else {}
        plain = Plain(model, options.threads, options.flash)
        with running_server(model, spare=False, threads=options.threads, more=more) as server:
            seconds = measure(server, plain, options.rounds, texts)
        plain.close()
    for way, spent in seconds.items():
        print(f"   {way:<14} {TEXTS / statistics.median(spent):8.1f} texts/s")
    one = seconds["one at a time"]
    rows = [
        Ratio(
            "texts/s, 32 in one request / one at a time",
            quotients(one, seconds["one request"]),
            at_least=TARGET,
        ),
        Ratio(
            "texts/s, 32 requests at once / one at a time", quotients(one, seconds["32 at once"])
        ),
        Ratio(
            "texts/s, 32 in one request / plain class, one at a time",
            quotients(seconds["plain class"], seconds["one request"]),
        ),
    ]
    keep("embeddings", rows, {"model": model.name, "seconds": seconds})
    return rows


def arguments() -> argparse.ArgumentParser:
    """What it can be told."""
    arguments = parser(__doc__, ROUNDS, model="a tiny encoder")
    arguments.add_argument("--words", type=int, default=3, help="of each text")
    arguments.add_argument("--flash", action="store_true", help="flash attention, on both sides")
    return arguments


if __name__ == "__main__":
    table(ratios(arguments().parse_args()))
