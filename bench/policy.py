"""What a decision of the shipped policies costs: made anew, and remembered.

    python bench/policy.py [--rounds 7] [--decisions 2000]

In this process, without a server: what the rest of a request costs is not in it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import time
import uuid
from collections.abc import Sequence
from functools import partial

import structlog
from report import Ratio, keep, table
from rounds import in_turns, quotients

from kronk.gateway.access.policy.embedded import Embedded
from kronk.gateway.access.policy.policy import Policy
from kronk.gateway.access.rules import Gate, inference
from kronk.shared.security.grants import ENDPOINTS, Grants, Limit
from kronk.shared.security.identity import Identity

# What a request may wait for all that decides about it is 300 us; this is a part of it.
REMEMBERED = 0.1
ROUNDS = 7
CHAT = Gate(inference("chat-completions"), "POST", "/v1/chat/completions")


def somebody() -> Identity:
    """A token that nobody has seen yet, for every endpoint there is."""
    limits = {name: Limit(1000, "day") for name in ENDPOINTS}
    return Identity(str(uuid.uuid4()), name="somebody", grants=Grants(limits), key="a-key")


async def seconds(policy: Policy, callers: Sequence[Identity]) -> float:
    """For one decision, one after another."""
    started = time.perf_counter()
    for caller in callers:
        await policy.check(CHAT, caller, None)
    return (time.perf_counter() - started) / len(callers)


def anew(policy: Policy, decisions: int, loop: asyncio.Runner) -> float:
    """Each of another token."""
    return loop.run(seconds(policy, [somebody() for _ in range(decisions // 10)]))


def remembered(policy: Policy, decisions: int, loop: asyncio.Runner) -> float:
    """Of one token, once it is known."""
    caller = somebody()
    loop.run(seconds(policy, [caller]))
    return loop.run(seconds(policy, [caller] * decisions))


def ratios(options: argparse.Namespace) -> list[Ratio]:
    """Remembered / anew."""
    # Lines of decisions are made, and written nowhere.
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    print(f"\nDecisions of the shipped policies, load average {os.getloadavg()[0]:.2f}\n")
    with asyncio.Runner() as loop:
        policy = loop.run(_policy())
        sides = {
            side.__name__: partial(side, policy, options.decisions, loop)
            for side in (anew, remembered)
        }
        runs = in_turns(options.rounds, sides)
        loop.run(policy.close())
    for name, some in runs.items():
        print(f"   {name:<12} {1e6 * statistics.median(some):8.1f} us")
    rows = [
        Ratio(
            "decision remembered / anew",
            quotients(runs["remembered"], runs["anew"]),
            at_most=REMEMBERED,
        )
    ]
    keep("policy", rows, {"seconds": runs})
    return rows


async def _policy() -> Policy:
    return Policy("protected", "kronk", Embedded())


def arguments() -> argparse.ArgumentParser:
    """What it can be told."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--decisions", type=int, default=2000)
    return parser


if __name__ == "__main__":
    table(ratios(arguments().parse_args()))
