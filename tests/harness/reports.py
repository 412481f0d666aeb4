"""Runs that have ended, as the exchange would report them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kronk.gateway import job
from kronk.gateway.job import Job
from kronk.gateway.telemetry.report import Attempt, RunReport
from kronk.shared.security.identity import OPEN
from kronk.shared.wire.values import Answer, Prompt, Sampling, Speed, Timings, Usage

MODEL = "org/fam/tiny-q8_0"


def chat(model: str = "tiny") -> Job:
    """Asked by an alias."""
    prompt = Prompt(messages=({"role": "user", "content": "hi"},))
    return job.generate(model, prompt, Sampling(), Answer(), 16, ())


def attempt(**changes: Any) -> Attempt:
    """Half a second in the queue, none of it for a load; the first token a second after that."""
    made = Attempt(asked=100.0)
    facts = {"granted": 100.5, "generation": 7, "model": MODEL, "first": 101.5}
    for name, value in (facts | changes).items():
        setattr(made, name, value)
    return made


def done(**changes: Any) -> RunReport:
    """An answer of 11 tokens to a prompt of 100, of which a cache had 60."""
    timings = Timings(
        queued=0.25,
        prefill=0.5,
        decode=2.0,
        cache="retained: 60 of 90 tokens",
        render=0.01,
        tokenise=0.02,
        itl=(0,) * 8 + (10,) + (0,) * 4,
        itl_sum=2.0,
        speeds=(Speed(0, 10, 2.0),),
    )
    report = RunReport(
        name="req-1",
        job=chat(),
        by=OPEN,
        endpoint="chat-completions",
        epoch=1_700_000_000.0,
        asked=100.0,
        ended=104.0,
        attempts=(attempt(),),
        outcome="done",
        prompt_tokens=100,
        completion_tokens=11,
        finish_reasons=("stop",),
        usage=Usage(100, 11, cached_tokens=60, reasoning_tokens=3),
        timings=timings,
    )
    return replace(report, **changes)
