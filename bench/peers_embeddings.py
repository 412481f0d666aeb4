"""Texts to embed: Kronk next to llama-server and the binding's example server, in one run.

    python bench/peers_embeddings.py [--rounds 5] [--words 3] [--peers FOLDER] [MODEL.gguf]

Each side has the same GGUF, threads and flash attention. They take turns, round by round: 32 texts
in one request, and 32 requests at once. Without a model: the encoder of `embeddings.py`.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from embeddings import TEXTS, Client, at_once, timed, tiny_encoder
from options import parser
from peer_servers import Shape, sides
from peers import add_option, peers
from report import Ratio, head, keep, table
from rounds import in_turns, quotients
from texts import WORDS

ROUNDS = 5
WINDOW = 512
IN_ONE, AT_ONCE = "32 in one request", "32 requests at once"


def ratios(options: argparse.Namespace) -> list[Ratio]:
    """Texts per second, Kronk / each peer."""
    dice = random.Random(0)
    texts = [" ".join(dice.choices(WORDS, k=options.words)) for _ in range(TEXTS)]
    with tempfile.TemporaryDirectory() as folder:
        model = options.model or tiny_encoder(Path(folder))
        what = f"Embeddings, next to other servers: {TEXTS} texts of {options.words} words"
        head(what, model, options.rounds, options.threads)
        shape = Shape(model, TEXTS, TEXTS * WINDOW, options.threads, embedding=True)
        with sides(peers(options.peers), shape) as running:
            acts: dict[tuple[str, str], Callable[[], float]] = {}
            for side in running:
                clients = [Client(side) for _ in texts]
                acts[side.name, IN_ONE] = partial(timed, partial(clients[0].embed, texts))
                acts[side.name, AT_ONCE] = partial(timed, partial(at_once, clients, texts))
            seconds = in_turns(options.rounds, acts)
    rows = []
    for (name, way), spent in seconds.items():
        print(f"   {name:<14} {way:<20} {TEXTS / statistics.median(spent):8.1f} texts/s")
        if name != "Kronk":
            mine = seconds["Kronk", way]
            rows.append(Ratio(f"texts/s, {way}, Kronk / {name}", quotients(spent, mine)))
    kept = {f"{name}, {way}": spent for (name, way), spent in seconds.items()}
    keep("peers-embeddings", rows, {"model": model.name, "seconds": kept})
    return rows


def arguments() -> argparse.ArgumentParser:
    """What it can be told."""
    arguments = parser(__doc__, ROUNDS, model="a tiny encoder")
    arguments.add_argument("--words", type=int, default=3, help="of each text")
    add_option(arguments)
    return arguments


if __name__ == "__main__":
    table(ratios(arguments().parse_args()))
