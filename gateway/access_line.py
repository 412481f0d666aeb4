"""What the access log says of a request that was answered by models."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from kronk.shared.errors import (
    ContextLengthExceeded,
    KronkError,
    PermissionDenied,
    PromptQuarantined,
    RateLimited,
    ServerError,
    Unauthenticated,
)

if TYPE_CHECKING:
    from .record import Record
    from .telemetry.report import RunReport

# Errors whose words are ours alone. Others may quote the request, of which the log has no text.
_TOLD = (
    ServerError,
    Unauthenticated,
    PermissionDenied,
    RateLimited,
    PromptQuarantined,
    ContextLengthExceeded,
)
# Characters, of names that clients have written, and of causes.
_LONGEST_NAME, _LONGEST_CAUSE = 200, 500


def cause_of(error: KronkError) -> str | None:
    """Why it failed, in words that the log may have."""
    return str(error.message)[:_LONGEST_CAUSE] if isinstance(error, _TOLD) else None


def facts_of(record: Record) -> dict[str, Any]:
    """All that is known of it, by its name in the line; times in seconds. What did not happen is
    not there. Of runs beside one another tokens are added up, and the longest time counts."""
    reports = record.reports
    facts = {
        "model": _model(record),
        "asked_for": _other_name(record),
        "who": record.identity and record.identity.subject,
        "answer_id": record.answer_id,
        "ttft": _rounded(record.ttft),
        "tokens": record.tokens,
        "prompt_tokens": record.prompt_tokens,
        "resumed": record.resumed,
        "error": record.error,
        "cause": record.cause,
    }
    if reports:
        facts |= facts_of_runs(reports)
        facts["cause"] = record.cause or _first(report.cause for report in reports)
    return {name: fact for name, fact in facts.items() if fact is not None}


def facts_of_runs(reports: Sequence[RunReport]) -> dict[str, Any]:
    """What was measured of the runs, of which there is one at least."""
    last = reports[-1]
    usages = [report.usage for report in reports if report.usage is not None]
    timings = [report.timings for report in reports if report.timings is not None]
    reasons = dict.fromkeys(reason for report in reports for reason in report.finish_reasons)
    loading = max(report.loading for report in reports)
    return {
        "generation": last.generation,
        "queue": _rounded(max(report.waited for report in reports)),
        "load": _rounded(loading) if loading else None,
        "prefill": _rounded(_longest(map(_prefill, reports))),
        "tokens_per_second": _speed(reports),
        "cached": sum(usage.cached_tokens for usage in usages) if usages else None,
        "cache": ", ".join(dict.fromkeys(one.cache for one in timings if one.cache)) or None,
        "finish_reason": ",".join(reasons) or None,
    }


def _prefill(report: RunReport) -> float | None:
    """As the worker measured it; of an answer that was cut off, as it looked from here."""
    if report.timings is not None:
        return report.timings.prefill
    attempt = report.attempts[-1]
    if attempt.first is None or attempt.started is None:
        return None
    return attempt.first - attempt.started


def _speed(reports: Sequence[RunReport]) -> float | None:
    """Tokens per second from the first token on, which took no time of its own."""
    seconds = _longest(map(_decode, reports))
    tokens = sum(map(_decoded, reports))
    return round(tokens / seconds, 2) if seconds and tokens else None


def _decoded(report: RunReport) -> int:
    if report.timings is not None:
        return report.timings.decoded(report.completion_tokens, 1)
    # How much of it each process wrote is not known.
    return 0 if report.is_resumed else max(report.completion_tokens - 1, 0)


def _decode(report: RunReport) -> float | None:
    if report.timings is not None:
        return report.timings.decode
    first = report.attempts[-1].first
    return None if first is None else report.ended - first


def _model(record: Record) -> str | None:
    known = _first(report.model for report in record.reports)
    return known or (record.model and record.model[:_LONGEST_NAME])


def _other_name(record: Record) -> str | None:
    """The name that the client used, where that is not the model's id."""
    if not record.model or record.model == _model(record):
        return None
    return record.model[:_LONGEST_NAME]


def _first(found: Iterable[str | None]) -> str | None:
    return next((one for one in found if one), None)


def _longest(seconds: Iterable[float | None]) -> float | None:
    return max((one for one in seconds if one is not None), default=None)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 4)
