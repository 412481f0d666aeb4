"""How fast answers come once they have begun."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from client import Body, Stream, chat, stream_chats
from server import Server


@dataclass(frozen=True, slots=True)
class Decode:
    """Streams that ran together. By the clock, from first token to last, all streams together;
    and by the CPU time of the engine's threads, which a busy machine distorts less."""

    streams: list[Stream]
    tokens_per_second: float
    tokens_per_cpu_second: float


def decode(server: Server, bodies: Sequence[Body]) -> Decode:
    """Ask for all of them at once. Their prompts should be short or cached: the CPU time includes
    reading them."""
    before = server.cpu()["engine"]
    streams = stream_chats(server.host, server.port, bodies)
    spent = server.cpu()["engine"] - before
    rates = [(one.tokens - 1) / (one.times[-1] - one.times[0]) for one in streams]
    return Decode(streams, sum(rates), sum(one.tokens for one in streams) / spent)


def by_clock(runs: Sequence[Decode]) -> list[float]:
    """Tokens per second of each."""
    return [run.tokens_per_second for run in runs]


def by_cpu(runs: Sequence[Decode]) -> list[float]:
    """Tokens per second of CPU of each."""
    return [run.tokens_per_cpu_second for run in runs]


def load(server: Server) -> None:
    """Have the model loaded: one short answer."""
    stream_chats(server.host, server.port, [chat(server.model, "Hello!", 2)])
