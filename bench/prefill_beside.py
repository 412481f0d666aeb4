"""Running streams while a long prompt is read: their inter-token p99, next to that without.

    python bench/prefill_beside.py [--rounds 3] [--streams 4] [--tokens 4000] [MODEL.gguf]

Only the gaps between the long prompt's arrival and its own first token count, against the gaps of
the same streams alone. Alone and beside take turns.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from client import Body, Stream, chat, stream_chats
from decode import load
from options import model_of, parser
from report import Ratio, head, keep, table
from rounds import in_turns, percentile, quotients
from server import Server, running_server
from texts import some_words

TARGET = 3.0
ROUNDS = 3
CONTEXT = 8192
# Pieces that the streams have sent when the long prompt comes.
LEAD = 16
ALONE = 96


@dataclass(frozen=True, slots=True)
class Gaps:
    """Seconds between tokens, and how long the long prompt took to its first token."""

    seconds: list[float]
    long: float | None = None


class Streams:
    """Streams that go on for as long as they are wanted."""

    def __init__(self, server: Server, count: int, tokens: int) -> None:
        self._server = server
        self._count = count
        self._tokens = tokens
        self._seeds = itertools.count()

    def alone(self) -> Gaps:
        """Undisturbed."""
        streams = stream_chats(self._server.host, self._server.port, self._bodies(ALONE))
        return Gaps(gaps(streams, max(one.times[0] for one in streams), float("inf")))

    def beside(self) -> Gaps:
        """Beside a long prompt that nobody has seen before."""
        prompt = some_words(next(self._seeds), self._tokens)
        *streams, long = stream_chats(
            self._server.host,
            self._server.port,
            self._bodies(CONTEXT),
            then=chat(self._server.model, prompt, 8, ignore_eos=True),
            after=LEAD,
        )
        if any(one.is_whole for one in streams):
            raise RuntimeError("a stream ended before the long prompt was read")
        return Gaps(gaps(streams, long.started, long.times[0]), long.ttft)

    def _bodies(self, tokens: int) -> list[Body]:
        # Short enough that the window has room for them.
        limit = min(tokens, CONTEXT - 256)
        return [
            chat(self._server.model, f"Tell story number {at}.", limit, ignore_eos=True)
            for at in range(self._count)
        ]


def gaps(streams: Sequence[Stream], begin: float, end: float) -> list[float]:
    """Between the tokens that came after `begin` and not after `end`; the one that began before
    it counts, too."""
    return [
        later - earlier
        for one in streams
        for earlier, later in itertools.pairwise(one.times)
        if begin < later <= end
    ]


def ratios(options: argparse.Namespace) -> list[Ratio]:
    """Beside / alone."""
    model = model_of(options)
    head("Streams beside a long prompt", model, options.rounds, options.threads)
    with running_server(
        model, spare=False, slots=options.streams + 2, context=CONTEXT, threads=options.threads
    ) as server:
        load(server)
        streams = Streams(server, options.streams, options.tokens)
        # Beside takes minutes on a processor; alone is warm-up enough.
        streams.alone()
        sides = {"alone": streams.alone, "beside": streams.beside}
        runs = in_turns(options.rounds, sides, warm_ups=0)
    tails = {side: [percentile(one.seconds, 0.99) for one in runs[side]] for side in runs}
    halves = {side: [percentile(one.seconds, 0.5) for one in runs[side]] for side in runs}
    for side in runs:
        print(
            f"   {side:<7} inter-token p50 {1e3 * percentile(halves[side], 0.5):7.1f} ms"
            f"   p99 {1e3 * percentile(tails[side], 0.5):7.1f} ms"
        )
    seconds = [one.long for one in runs["beside"] if one.long is not None]
    print(f"   the long prompt's first token after {percentile(seconds, 0.5):.1f} s")
    rows = [
        Ratio(
            "inter-token p99, beside a long prompt / alone",
            quotients(tails["beside"], tails["alone"]),
            at_most=TARGET,
        ),
        Ratio(
            "inter-token p50, beside a long prompt / alone",
            quotients(halves["beside"], halves["alone"]),
        ),
    ]
    gaps_kept = {side: [one.seconds for one in runs[side]] for side in runs}
    keep("prefill-beside", rows, {"model": model.name, "gaps": gaps_kept, "long": seconds})
    return rows


def arguments() -> argparse.ArgumentParser:
    """What it can be told."""
    arguments = parser(__doc__, ROUNDS)
    arguments.add_argument("--streams", type=int, default=4)
    arguments.add_argument("--tokens", type=int, default=4000, help="of the long prompt")
    return arguments


if __name__ == "__main__":
    table(ratios(arguments().parse_args()))
