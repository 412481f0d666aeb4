"""Decoding under a JSON schema next to free decoding of as many tokens.

    python bench/constrained.py [--rounds 5] [--tokens 200] [--streams 1,4] [MODEL.gguf]

The schema is a list of objects that fills `--tokens`. The mask is computed for each
token, on the thread that decodes: with several streams one after the other.
"""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

from client import Body, chat
from decode import Decode, by_clock, by_cpu, decode, load
from options import model_of, parser
from report import Ratio, head, keep, table
from rounds import in_turns, quotients
from server import running_server

TARGET = 0.9
ROUNDS = 5
CONTEXT = 2048
PROMPT = "Make a list of {} invented customers as JSON: name, e-mail, city, age, and a remark."
CUSTOMER = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "email": {"type": "string"},
        "city": {"type": "string"},
        "age": {"type": "integer", "minimum": 18, "maximum": 99},
        "remark": {"type": "string"},
    },
    "required": ["name", "email", "city", "age", "remark"],
    "additionalProperties": False,
}
# Tokens that an object takes, about: there are to be as many as begin within the answer.
CUSTOMER_TOKENS = 50


def constraint(tokens: int) -> dict[str, Any]:
    """A list that a model cannot have done before it has written `tokens`."""
    count = max(1, tokens // CUSTOMER_TOKENS)
    schema = {"type": "array", "items": CUSTOMER, "minItems": count, "maxItems": 40}
    name = "customers"
    return {"type": "json_schema", "json_schema": {"name": name, "strict": True, "schema": schema}}


def bodies(model: str, streams: int, tokens: int, *, is_free: bool) -> list[Body]:
    """The same prompts, with the schema and without."""
    extra = {"ignore_eos": True} if is_free else {"response_format": constraint(tokens)}
    # Each stream has a prompt of its own.
    return [chat(model, PROMPT.format(40 + at), tokens, **extra) for at in range(streams)]


def ratios(options: argparse.Namespace) -> list[Ratio]:
    """Constrained / free, by number of streams."""
    model = model_of(options)
    head("Constrained decoding", model, options.rounds, options.threads)
    rows, details = [], {}
    for streams in (int(part) for part in options.streams.split(",")):
        with running_server(
            model,
            spare=False,
            slots=streams,
            context=CONTEXT,
            threads=options.threads,
            more={"cache_min_tokens": 1},
        ) as server:
            load(server)
            sides = {
                side: partial(
                    decode,
                    server,
                    bodies(server.model, streams, options.tokens, is_free=side == "free"),
                )
                for side in ("free", "constrained")
            }
            runs = in_turns(options.rounds, sides)
        show(streams, runs)
        what = f"decode, constrained / free, {streams} stream{'s' * (streams > 1)}"
        speeds = [by_clock(runs[side]) for side in ("constrained", "free")]
        rows.append(Ratio(what, quotients(*speeds), at_least=TARGET))
        details[str(streams)] = {
            side: {"clock": by_clock(some), "cpu": by_cpu(some)} for side, some in runs.items()
        }
    keep("constrained", rows, {"model": model.name, "streams": details})
    return rows


def show(streams: int, runs: dict[str, list[Decode]]) -> None:
    """One line for each side."""
    for side, some in runs.items():
        cpu = Ratio("", quotients(by_cpu(some), by_cpu(runs["free"])))
        tokens = sorted({one.tokens for run in some for one in run.streams})
        print(
            f"   {streams} x {side:<11}  {Ratio('', by_clock(some)).median:6.1f} tok/s"
            f"   x {cpu.median:.3f} by CPU time   {'-'.join(map(str, tokens))} tokens each"
        )


def arguments() -> argparse.ArgumentParser:
    """What it can be told."""
    arguments = parser(__doc__, ROUNDS)
    arguments.add_argument("--tokens", type=int, default=200)
    arguments.add_argument("--streams", default="1,4")
    return arguments


if __name__ == "__main__":
    table(ratios(arguments().parse_args()))
