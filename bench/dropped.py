"""How long the next request waits for its answer after 4 long prompts were dropped.

    python bench/dropped.py [--rounds 3] [--tokens 3500] [--drop 4] [--after 1] [--peers FOLDER]

Clients that hang up while their prompts are read leave work behind that nobody wants. Kronk and
llama-server take turns: prompts that nobody has seen before on every slot, gone after a second;
then at once a short request, timed to its last token.
"""

from __future__ import annotations

import argparse
import itertools
import statistics

from client import chat, hang_up, stream_chats
from options import model_of, parser
from peer_servers import Shape, Side, sides
from peers import Peers, add_option, peers
from report import Ratio, head, keep, table
from rounds import in_turns, quotients
from texts import some_words

TARGET_SECONDS = 2.0
ROUNDS = 3
WINDOW = 4096
ANSWER = 8


class Dropping:
    """One server whose clients hang up."""

    def __init__(self, side: Side, options: argparse.Namespace) -> None:
        self._side = side
        self._options = options
        self._seeds = itertools.count(1)

    def next_answer(self) -> float:
        """Seconds from the next request to its whole answer."""
        side, options = self._side, self._options
        dropped = [
            chat(side.model, some_words(seed, options.tokens), ANSWER)
            for seed in itertools.islice(self._seeds, options.drop)
        ]
        hang_up(side.host, side.port, dropped, options.after)
        prompt = f"Hello, number {next(self._seeds)}!"
        (answer,) = stream_chats(side.host, side.port, [chat(side.model, prompt, ANSWER)])
        return answer.times[-1] - answer.started


def ratios(options: argparse.Namespace) -> list[Ratio]:
    """Kronk's seconds, and Kronk / llama-server."""
    model = model_of(options)
    head("The next answer after dropped prompts", model, options.rounds, options.threads)
    shape = Shape(model, options.drop, options.drop * WINDOW, options.threads)
    found = Peers(peers(options.peers).llama_server, None)
    with sides(found, shape) as running:
        acts = {side.name: Dropping(side, options).next_answer for side in running}
        seconds = in_turns(options.rounds, acts, warm_ups=0)
    for name, spent in seconds.items():
        print(f"   {name:<14} {statistics.median(spent):6.2f} s (at most {max(spent):.2f})")
    mine = seconds.pop("Kronk")
    what = f"after {options.drop} dropped prompts of {options.tokens} tokens"
    rows = [Ratio(f"seconds to the next answer {what}", mine, at_most=TARGET_SECONDS)]
    rows += [
        Ratio(f"the same, Kronk / {name}", quotients(mine, theirs), at_most=1.0)
        for name, theirs in seconds.items()
    ]
    keep("dropped", rows, {"model": model.name, "kronk": mine, "peers": seconds})
    return rows


def arguments() -> argparse.ArgumentParser:
    """What it can be told."""
    arguments = parser(__doc__, ROUNDS)
    arguments.add_argument("--tokens", type=int, default=3500, help="of each dropped prompt")
    arguments.add_argument("--drop", type=int, default=4, help="how many are dropped")
    arguments.add_argument("--after", type=float, default=1.0, help="seconds until they are")
    add_option(arguments)
    return arguments


if __name__ == "__main__":
    table(ratios(arguments().parse_args()))
