"""The same answers over each streaming route, next to /v1/chat/completions.

    python bench/dialects.py [--rounds 5] [--tokens 128] [--streams 4] [MODEL.gguf]

All routes of a round ask for the same texts of the same model, so that what differs is what the
gateway does to read a request and to write its tokens.
"""

from __future__ import annotations

import argparse
import re
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from client import CHAT, Body, Dialect, stream_chats
from decode import load
from options import model_of, parser
from report import Ratio, head, keep, table
from rounds import in_turns, quotients
from server import Server, running_server
from serving import SYSTEM, rendered, user_text

SPEED, COST = 0.95, 1.3
ROUNDS = 5
CONTEXT = 1024
PEER = "/v1/chat/completions"


def turns(stream: int) -> list[Body]:
    return [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": user_text(stream)},
    ]


def greedy(most: str, tokens: int) -> Body:
    return {"temperature": 0, "ignore_eos": True, most: tokens}


def chat_body(stream: int, tokens: int) -> Body:
    return {"messages": turns(stream), **greedy("max_tokens", tokens)}


def completion_body(stream: int, tokens: int) -> Body:
    return {"prompt": rendered(stream), **greedy("max_tokens", tokens)}


def response_body(stream: int, tokens: int) -> Body:
    return {
        "instructions": SYSTEM,
        "input": user_text(stream),
        **greedy("max_output_tokens", tokens),
    }


def message_body(stream: int, tokens: int) -> Body:
    return {"system": SYSTEM, "messages": turns(stream)[1:], **greedy("max_tokens", tokens)}


def ollama_body(stream: int, tokens: int) -> Body:
    return {"messages": turns(stream), "options": greedy("num_predict", tokens)}


BODIES: dict[str, Callable[[int, int], Body]] = {
    PEER: chat_body,
    "/v1/completions": completion_body,
    "/v1/responses": response_body,
    "/v1/messages": message_body,
    "/api/chat": ollama_body,
}
DIALECTS = {
    PEER: CHAT,
    "/v1/completions": Dialect("/v1/completions", re.compile(rb'"text":"(?!")'), CHAT.end),
    "/v1/responses": Dialect(
        "/v1/responses",
        re.compile(rb"event: response\.output_text\.delta\n"),
        re.compile(rb"event: response\.(completed|incomplete)\n"),
    ),
    "/v1/messages": Dialect(
        "/v1/messages",
        re.compile(rb'"type":"text_delta"'),
        re.compile(rb"event: message_stop\n"),
    ),
    "/api/chat": Dialect("/api/chat", CHAT.piece, re.compile(rb'"done":true')),
}


@dataclass(frozen=True, slots=True)
class Figures:
    """One round of one route: all streams together, from the requests to the last token, and
    seconds of CPU in the gateway for each token."""

    tokens_per_second: float
    gateway: float
    ttft: float


def measured(server: Server, path: str, streams: int, tokens: int) -> Figures:
    """Ask for all of them at once."""
    bodies = [{"model": server.model} | BODIES[path](stream, tokens) for stream in range(streams)]
    before = server.cpu()["gateway"]
    answers = stream_chats(server.host, server.port, bodies, dialect=DIALECTS[path])
    spent = server.cpu()["gateway"] - before
    pieces = sum(len(answer.times) for answer in answers)
    seconds = max(one.times[-1] for one in answers) - min(one.started for one in answers)
    return Figures(pieces / seconds, spent / pieces, statistics.median(one.ttft for one in answers))


def ratios(options: argparse.Namespace) -> list[Ratio]:
    """Each route / chat: speed, and what a token costs the gateway."""
    model = model_of(options)
    head("Each dialect, next to Chat Completions", model, options.rounds, options.threads)
    shape = {"slots": options.streams, "context": CONTEXT, "threads": options.threads}
    with running_server(model, spare=False, **shape) as server:
        load(server)
        sides = {
            path: partial(measured, server, path, options.streams, options.tokens)
            for path in BODIES
        }
        runs = in_turns(options.rounds, sides)
    for path, some in runs.items():
        print(
            f"   {path:<22} {statistics.median(one.tokens_per_second for one in some):7.1f} tok/s"
            f"   TTFT {1e3 * statistics.median(one.ttft for one in some):6.1f} ms"
            f"   gateway {1e6 * statistics.median(one.gateway for one in some):4.0f} us per token"
        )
    speeds = {path: [one.tokens_per_second for one in some] for path, some in runs.items()}
    costs = {path: [one.gateway for one in some] for path, some in runs.items()}
    others = [path for path in BODIES if path != PEER]
    rows = [
        Ratio(f"{path} / chat, tokens/s", quotients(speeds[path], speeds[PEER]), at_least=SPEED)
        for path in others
    ]
    rows += [
        Ratio(f"{path} / chat, gateway's CPU", quotients(costs[path], costs[PEER]), at_most=COST)
        for path in others
    ]
    keep("dialects", rows, {"model": model.name, "speeds": speeds, "costs": costs})
    return rows


def arguments() -> argparse.ArgumentParser:
    """What it can be told."""
    arguments = parser(__doc__, ROUNDS)
    arguments.add_argument("--tokens", type=int, default=128)
    arguments.add_argument("--streams", type=int, default=4)
    return arguments


if __name__ == "__main__":
    table(ratios(arguments().parse_args()))
