"""What a worker did for a run, from the timings at its end: its sandbox has no network to tell it
by itself. What a worker did that was lost is known by what the gateway saw of it."""

from __future__ import annotations

from kronk.gateway.telemetry.report import RunReport
from kronk.shared.wire.values import Timings, Usage

from .spans import Origin, Span, Value, nanoseconds, new_span_id

# What the gateway sees of a worker's progress, as events of the inference.
ACCEPTED, SLOT, FIRST_TOKEN = "accepted", "slot", "first token"
_BEGUN_BY = {ACCEPTED: "queue", SLOT: "prefill", FIRST_TOKEN: "decode"}

_NOTHING = Usage(0, 0)

# A name, its seconds and its attributes; they follow one another.
Phase = tuple[str, float, dict[str, Value]]


def worker_spans(
    report: RunReport, timings: Timings, inference: Span, origin: Origin
) -> list[Span]:
    """The phases as spans below `inference`, and within it."""
    phases = phases_of(timings, report.usage or _NOTHING)
    total = nanoseconds(sum(seconds for _, seconds, _ in phases))
    moment = placed(nanoseconds(timings.began), total, inference.start, inference.end)
    spans = []
    for name, seconds, attributes in phases:
        end = min(moment + nanoseconds(seconds), inference.end)
        span = Span(
            name,
            inference.trace_id,
            new_span_id(),
            inference.span_id,
            moment,
            end,
            attributes,
            origin,
        )
        spans.append(span)
        moment = end
    return spans


def seen_spans(inference: Span, origin: Origin) -> list[Span]:
    """The phases of an attempt whose worker has not lived to tell its timings, by the events of
    `inference`. The last of them is the one that failed."""
    begun = [(_BEGUN_BY[event.name], event.at) for event in inference.events]
    ends = [start for _, start in begun[1:]] + [inference.end]
    spans = [
        Span(
            name,
            inference.trace_id,
            new_span_id(),
            inference.span_id,
            start,
            end,
            {"kronk.seen_by": "gateway"},
            origin,
        )
        for (name, start), end in zip(begun, ends, strict=True)
    ]
    if spans:
        spans[-1].error = inference.error
    return spans


def placed(began: int, total: int, start: int, end: int) -> int:
    """When it began by our clock: as the worker says, unless that cannot be, as with a clock of
    another host. Never before `start`; it ends by `end` if it can."""
    return max(start, min(began, end - total))


def phases_of(timings: Timings, usage: Usage) -> list[Phase]:
    """In the order in which they happen. What did not happen is left out."""
    parts = timings.render + timings.tokenise + timings.match
    phases: list[Phase] = [
        ("render", timings.render, {}),
        ("tokenise", timings.tokenise, {"kronk.prompt_tokens": usage.prompt_tokens}),
        # For a slot, and for those before it: the rest of the time before its first row.
        ("queue", max(0.0, timings.queued - parts), {}),
        ("cache match", timings.match, _match(timings, usage)),
        ("prefill", timings.prefill, _prefill(timings, usage)),
        ("decode", timings.decode, _decode(timings, usage)),
    ]
    return [phase for phase in phases if phase[1] > 0.0]


def _match(timings: Timings, usage: Usage) -> dict[str, Value]:
    cached: dict[str, Value] = {"kronk.cached_tokens": usage.cached_tokens}
    return cached | ({"kronk.cache": timings.cache} if timings.cache else {})


def _prefill(timings: Timings, usage: Usage) -> dict[str, Value]:
    tokens = max(0, usage.prompt_tokens - usage.cached_tokens)
    return {"kronk.tokens": tokens, "kronk.tokens_per_second": _rate(tokens, timings.prefill)}


def _decode(timings: Timings, usage: Usage) -> dict[str, Value]:
    tokens = usage.completion_tokens
    said: dict[str, Value] = {
        "kronk.tokens": tokens,
        # The first one is the prefill's.
        "kronk.tokens_per_second": _rate(timings.decoded(tokens, 1), timings.decode),
    }
    if timings.drafted:
        said |= {"kronk.drafted": timings.drafted, "kronk.draft_accepted": timings.accepted}
    return said


def _rate(tokens: int, seconds: float) -> float:
    return round(tokens / seconds, 3) if seconds > 0.0 else 0.0
