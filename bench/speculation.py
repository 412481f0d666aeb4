"""Decoding with guesses next to decoding without: where they can help, and where they cannot.

    python bench/speculation.py [--rounds 5] [--tokens 220] [--draft SMALLER.gguf] [MODEL.gguf]

Copying: an answer that is in the prompt, word for word. Inventing: a story that may not repeat
itself. Both go to the same servers in turns, so that what one kind of text teaches the engine
meets the other. Greedy, so the texts with and without guesses have to be equal; whether they are is
shown.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from client import Body, chat
from decode import Decode, by_clock, by_cpu, decode, load
from options import model_of, parser
from report import Ratio, head, keep, table
from rounds import in_turns, quotients
from server import Server, running_server

# A draft model helps or switches itself off: which, is the pair's business.
AT_LEAST = {
    ("ngram", "copying"): 1.3,
    ("ngram", "inventing"): 0.95,
    ("draft", "copying"): 0.95,
    ("draft", "inventing"): 0.95,
}
ROUNDS = 5
CONTEXT = 2048
PLAIN = "none"
STORY = """\
The old lighthouse stood at the end of the pier. Every evening the keeper climbed the stairs, lit \
the lamp and wrote the weather into his book. On clear nights he could see the ships far out at \
sea, and on foggy nights he rang the bell once every minute. In winter the waves broke over the \
wall and the spray froze on the windows. He had lived there for thirty years, and he knew every \
stone of the tower. When the new electric lamp came, he kept the old one in a cupboard, polished \
and full of oil, in case it was needed again.

One night in March the power failed along the whole coast. The keeper found his matches, opened \
the cupboard and carried the old lamp up the stairs. Within ten minutes it was burning as brightly \
as it ever had. Far out, a captain who had lost his way saw the light, turned his ship and came \
safely into the harbour. In the morning the whole crew walked along the pier to thank him. He gave \
them hot coffee and showed them the lamp."""
# A text that is being edited. The second round makes the starter model sure of each token: with the
# first alone it leaves out sentences, and now and then others than the last time.
COPYING = [
    {"role": "user", "content": "Write a short story about a lighthouse."},
    {"role": "assistant", "content": STORY},
    {"role": "user", "content": "Good. Write it again."},
    {"role": "assistant", "content": STORY},
    {"role": "user", "content": "Good. Replace March by April and write it again."},
]
INVENTING = "Write a very long story about a lighthouse."
# Keeps a small model out of loops, which would be copying again.
NO_LOOPS = {"repeat_penalty": 1.3, "repeat_last_n": -1, "ignore_eos": True}


def bodies(model: str, tokens: int) -> dict[str, Body]:
    """By kind of text."""
    return {
        "copying": chat(model, COPYING, tokens),
        "inventing": chat(model, INVENTING, tokens, **NO_LOOPS),
    }


def ratios(options: argparse.Namespace) -> list[Ratio]:
    """With guesses / without, by way of guessing and kind of text."""
    model = model_of(options)
    head("Speculation: decode speed", model, options.rounds, options.threads)
    ways: dict[str, dict[str, Any]] = {PLAIN: {}, "ngram": {"speculative": "ngram"}}
    if options.draft:
        ways["draft"] = {"speculative": "draft", "draft_model": str(options.draft.resolve())}
    shape = {"slots": 1, "context": CONTEXT, "threads": options.threads}
    sides: dict[tuple[str, str], Callable[[], Decode]] = {}
    with ExitStack() as stack:
        for way, keys in ways.items():
            keys = {**keys, "cache_min_tokens": 1}
            server = stack.enter_context(running_server(model, spare=False, more=keys, **shape))
            load(server)
            for kind, body in bodies(server.model, options.tokens).items():
                sides[way, kind] = partial(once, server, body)
        runs = in_turns(options.rounds, sides)
    rows = []
    for way, kind in runs:
        show(way, kind, runs[way, kind], runs[PLAIN, kind])
        if way == PLAIN:
            continue
        speed, plain = (by_clock(runs[one, kind]) for one in (way, PLAIN))
        what = f"decode, {kind}, {way} / no guesses"
        rows.append(Ratio(what, quotients(speed, plain), at_least=AT_LEAST[way, kind]))
    keep("speculation", rows, {"model": model.name, "runs": figures(runs)})
    return rows


def once(server: Server, body: Body) -> Decode:
    """One answer."""
    return decode(server, [body])


def show(way: str, kind: str, runs: Sequence[Decode], plain: Sequence[Decode]) -> None:
    """One line of what happened."""
    (first, *_) = runs
    timings = [run.streams[0].timings for run in runs]
    drafted = [one["drafted_tokens"] for one in timings]
    accepted = [one["accepted_tokens"] for one in timings]
    rate = Ratio("", by_clock(runs)).median
    cpu = Ratio("", quotients(by_cpu(runs), by_cpu(plain))).median
    equal = sum(a.streams[0].text == b.streams[0].text for a, b in zip(runs, plain, strict=True))
    print(
        f"   {kind:<9}  {way:<5}  {rate:6.1f} tok/s   x {cpu:.2f} by CPU time"
        f"   {first.streams[0].tokens} tokens, guessed {drafted}, right {accepted};"
        f" same text in {equal} of {len(runs)}"
    )


def figures(runs: dict[tuple[str, str], list[Decode]]) -> dict[str, Any]:
    """For the file."""
    return {
        f"{kind}, {way}": [
            {
                "tokens_per_second": run.tokens_per_second,
                "tokens_per_cpu_second": run.tokens_per_cpu_second,
                "text": run.streams[0].text,
                **run.streams[0].timings,
            }
            for run in some
        ]
        for (way, kind), some in runs.items()
    }


def arguments() -> argparse.ArgumentParser:
    """What it can be told."""
    arguments = parser(__doc__, ROUNDS)
    arguments.add_argument("--tokens", type=int, default=220)
    arguments.add_argument("--draft", type=Path, help="also by this model, of the same vocabulary")
    return arguments


if __name__ == "__main__":
    table(ratios(arguments().parse_args()))
