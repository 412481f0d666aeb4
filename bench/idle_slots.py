"""One stream on a server whose other slots hold idle conversations, next to an empty server.

    python bench/idle_slots.py [--rounds 5] [--tokens 128] [--held 2000] [MODEL.gguf]

Attention on a processor looks at every cell up to the last that is used, so conversations that only
wait to be continued would slow down all others if they stayed in the context.
"""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from functools import partial

from client import chat, stream_chats
from decode import by_clock, by_cpu, decode, load
from options import model_of, parser
from report import Ratio, head, keep, table
from rounds import in_turns, quotients
from server import running_server
from texts import some_words

TARGET = 0.95
ROUNDS = 5
SLOTS = 4
# Long enough to be found in the cache again, and not to need a conversation's slot.
PROMPT = some_words(0, 260) + "\n\nTell a very long story with these words."


def ratios(options: argparse.Namespace) -> list[Ratio]:
    """Beside idle conversations / alone."""
    model = model_of(options)
    head("Idle conversations in the other slots", model, options.rounds, options.threads)
    shape = {"slots": SLOTS, "context": options.held + 512, "threads": options.threads}
    with ExitStack() as stack:
        holding, empty = (
            stack.enter_context(running_server(model, spare=False, **shape)) for _ in range(2)
        )
        load(empty)
        for seed in range(1, SLOTS):
            body = chat(holding.model, some_words(seed, options.held), 16)
            stream_chats(holding.host, holding.port, [body])
        sides = {
            side: partial(
                decode,
                server,
                [chat(server.model, PROMPT, options.tokens, ignore_eos=True)],
            )
            for side, server in (("idle conversations", holding), ("empty", empty))
        }
        runs = in_turns(options.rounds, sides)
    for side, some in runs.items():
        print(f"   {side:<18} {Ratio('', by_clock(some)).median:6.1f} tok/s")
    cpu = quotients(*(by_cpu(some) for some in runs.values()))
    print(f"   by CPU time: {Ratio('', cpu).median:.3f}")
    speeds = [by_clock(some) for some in runs.values()]
    rows = [Ratio("decode, beside idle conversations / alone", quotients(*speeds), at_least=TARGET)]
    keep("idle-slots", rows, {"model": model.name, "by_clock": speeds, "by_cpu": cpu})
    return rows


def arguments() -> argparse.ArgumentParser:
    """What it can be told."""
    arguments = parser(__doc__, ROUNDS)
    arguments.add_argument("--tokens", type=int, default=128)
    arguments.add_argument(
        "--held", type=int, default=2000, help="tokens of each idle conversation"
    )
    return arguments


if __name__ == "__main__":
    table(ratios(arguments().parse_args()))
