"""What runs and HTTP requests have come to since this gateway started.

Written on the event loop, read by a scrape in another thread; the lock is held for microseconds.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from starlette.types import Scope

from kronk.gateway.record import Record
from kronk.gateway.telemetry.report import RunReport
from kronk.shared.telemetry import buckets
from kronk.shared.telemetry.histogram import Histogram
from kronk.shared.telemetry.spread import Spread
from kronk.shared.wire.values import Timings, Usage

from . import cache_reasons
from .cache_reasons import Hit, Miss
from .labels import ModelNames, Subjects

# The manual's, by the beginning of their names.
SPREADS = (
    "model_prompt_creation",
    "model_prefill_nonmedia",
    "model_prefill_media",
    "model_ttft",
    "usage_prompt_tokens",
    "usage_reasoning_tokens",
    "usage_completion_tokens",
    "usage_output_tokens",
    "usage_total_tokens",
    "usage_tokens_per_second",
)
HISTOGRAMS = {
    "kronk_request_seconds": buckets.DURATION_SECONDS,
    "kronk_queue_wait_seconds": buckets.QUEUE_SECONDS,
    "kronk_ttft_seconds": buckets.TTFT_SECONDS,
    "kronk_inter_token_seconds": buckets.ITL_SECONDS,
    "kronk_prefill_tokens_per_second": buckets.PREFILL_RATE,
    "kronk_decode_tokens_per_second": buckets.DECODE_RATE,
}


@dataclass(slots=True)
class ModelTally:
    """One model's, whatever processes it has had."""

    # By endpoint and outcome.
    requests: Counter[tuple[str, str]] = field(default_factory=Counter)
    tokens: Counter[str] = field(default_factory=Counter)
    finishes: Counter[str] = field(default_factory=Counter)
    cache_hits: Counter[str] = field(default_factory=Counter)
    cache_misses: Counter[str] = field(default_factory=Counter)
    # By index in `buckets.CONTEXT_TOKENS`.
    context_tokens: Counter[int] = field(default_factory=Counter)
    context_seconds: dict[int, float] = field(default_factory=dict)
    load_wait: float = 0.0
    spreads: dict[str, Spread] = field(default_factory=lambda: {name: Spread() for name in SPREADS})
    histograms: dict[str, Histogram] = field(
        default_factory=lambda: {name: Histogram(bounds) for name, bounds in HISTOGRAMS.items()}
    )


class Tallies:
    """Everything of them. The attributes are read under `lock`."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.names = ModelNames()
        self.requests = self.errors = self.panics = 0
        # By route, method and status.
        self.http: Counter[tuple[str, str, str]] = Counter()
        self.http_seconds: dict[str, Histogram] = {}
        self.denials: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self.subject_requests: Counter[str] = Counter()
        self.subject_tokens: Counter[tuple[str, str]] = Counter()
        self._subjects = Subjects()
        self._models: dict[str, ModelTally] = {}

    def models(self) -> Iterator[tuple[str, ModelTally]]:
        """Each model's, with the lock held while it is looked at."""
        for name in list(self._models):
            with self.lock:
                yield name, self._models[name]

    # What is told to `Telemetry`.

    def request_ended(self, _: Scope, record: Record) -> None:
        """The answer to an HTTP request is over."""
        seconds = time.monotonic() - record.started
        status = 499 if record.error == "client_gone" else record.status or 0
        gate = record.gate
        key = ("none", "other") if gate is None else (gate.path, gate.method)
        with self.lock:
            self.requests += 1
            self.errors += record.error is not None or status >= 400
            self.panics += record.is_bug
            self.http[*key, str(status)] += 1
            if record.error == "rate_limited":
                self.denials[record.endpoint or "other"] += 1
            elif record.error in ("unauthenticated", "permission_denied"):
                self.refusals[record.error] += 1
            if gate is not None and gate.access.works:
                histogram = self.http_seconds.get(record.endpoint)
                if histogram is None:
                    histogram = Histogram(buckets.DURATION_SECONDS)
                    self.http_seconds[record.endpoint] = histogram
                histogram.observe(seconds)

    def run_ended(self, report: RunReport) -> None:
        """Something that was asked of a model has ended."""
        if report.model is not None:
            self.names.learn(report.job.model, report.model)
        name = report.model or self.names.label(report.job.model)
        prompt, completion = taken(report)
        with self.lock:
            tally = self._models.get(name)
            if tally is None:
                tally = self._models[name] = ModelTally()
            _count(tally, report)
            subject = self._subjects.label(report.by.subject)
            self.subject_requests[subject] += 1
            self.subject_tokens[subject, "prompt"] += prompt
            self.subject_tokens[subject, "completion"] += completion


def outcome(report: RunReport) -> str:
    """`done`, `cancelled`, or the code of the error."""
    return report.error.code if report.outcome == "failed" and report.error else report.outcome


def taken(report: RunReport) -> tuple[int, int]:
    """Tokens of the prompt and the answer; of what was cut off, as far as it came."""
    if report.usage is not None:
        return report.usage.prompt_tokens, report.usage.completion_tokens
    return report.prompt_tokens, report.completion_tokens


def waited(report: RunReport) -> float:
    """Seconds before it had its slot, without those of a load."""
    return max(report.waited - report.loading, 0.0)


def prefill_rate(report: RunReport, usage: Usage, timings: Timings) -> float | None:
    """Tokens of the prompt that were read in a second; None where none had to be, or where what
    another process had written was read along with it."""
    if report.is_resumed:
        return None
    read = usage.prompt_tokens - usage.cached_tokens
    return read / timings.prefill if read > 0 and timings.prefill > 0 else None


def decode_rate(usage: Usage, timings: Timings, choices: int) -> float | None:
    """Tokens written in a second, as answers say it: the first of each choice comes out of the
    prefill."""
    decoded = timings.decoded(usage.completion_tokens, choices)
    return decoded / timings.decode if decoded > 0 and timings.decode > 0 else None


def _count(tally: ModelTally, report: RunReport) -> None:
    tally.requests[report.endpoint or "internal", outcome(report)] += 1
    if report.kind == "load":
        # What it takes is in the load's own histogram.
        return
    tally.load_wait += report.loading
    tally.finishes.update(report.finish_reasons)
    prompt, completion = taken(report)
    tally.tokens["prompt"] += prompt
    tally.tokens["completion"] += completion
    histograms = tally.histograms
    histograms["kronk_request_seconds"].observe(report.seconds)
    if report.generation is not None:
        histograms["kronk_queue_wait_seconds"].observe(waited(report))
    if report.ttft is not None and report.kind == "generate":
        histograms["kronk_ttft_seconds"].observe(report.ttft)
        tally.spreads["model_ttft"].observe(report.ttft)
    if report.usage is not None and report.timings is not None:
        _count_done(tally, report, report.usage, report.timings)


def _count_done(tally: ModelTally, report: RunReport, usage: Usage, timings: Timings) -> None:
    tally.tokens["cached"] += usage.cached_tokens
    tally.tokens["reasoning"] += usage.reasoning_tokens
    tally.tokens["draft_proposed"] += timings.drafted
    tally.tokens["draft_accepted"] += timings.accepted
    if report.kind == "inspect":
        return
    rate = prefill_rate(report, usage, timings)
    if rate is not None:
        tally.histograms["kronk_prefill_tokens_per_second"].observe(rate)
    _count_spreads(tally, report, usage, timings)
    if report.kind == "generate":
        _count_decode(tally, usage, timings, report.job.choices)


def _count_spreads(tally: ModelTally, report: RunReport, usage: Usage, timings: Timings) -> None:
    prefill = "model_prefill_media" if report.job.media else "model_prefill_nonmedia"
    values = {
        "model_prompt_creation": timings.render + timings.tokenise,
        prefill: timings.prefill,
        "usage_prompt_tokens": usage.prompt_tokens,
        "usage_reasoning_tokens": usage.reasoning_tokens,
        "usage_completion_tokens": usage.completion_tokens - usage.reasoning_tokens,
        "usage_output_tokens": usage.completion_tokens,
        "usage_total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }
    for name, value in values.items():
        tally.spreads[name].observe(value)


def _count_decode(tally: ModelTally, usage: Usage, timings: Timings, choices: int) -> None:
    match cache_reasons.read(timings.cache):
        case Hit(source):
            tally.cache_hits[source] += 1
        case Miss(reason):
            tally.cache_misses[reason] += 1
    tally.histograms["kronk_inter_token_seconds"].add(timings.itl, timings.itl_sum)
    rate = decode_rate(usage, timings, choices)
    if rate is not None:
        tally.histograms["kronk_decode_tokens_per_second"].observe(rate)
        tally.spreads["usage_tokens_per_second"].observe(rate)
    for speed in timings.speeds:
        tally.context_tokens[speed.context] += speed.tokens
        seconds = tally.context_seconds.get(speed.context, 0.0)
        tally.context_seconds[speed.context] = seconds + speed.seconds
