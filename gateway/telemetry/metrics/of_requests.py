"""What runs and HTTP requests came to, as samples."""

from __future__ import annotations

from kronk.shared.telemetry.buckets import CONTEXT_TOKENS, label

from .sheet import Sheet
from .tallies import ModelTally, Tallies


def write(sheet: Sheet, tallies: Tallies) -> None:
    """All of them. In any thread."""
    with tallies.lock:
        _write_http(sheet, tallies)
        for subject, count in tallies.subject_requests.items():
            sheet.add("kronk_subject_requests_total", count, subject=subject)
        for (subject, kind), count in tallies.subject_tokens.items():
            sheet.add("kronk_subject_tokens_total", count, subject=subject, kind=kind)
    for model, tally in tallies.models():
        _write_model(sheet, model, tally)


def _write_http(sheet: Sheet, tallies: Tallies) -> None:
    sheet.add("requests", tallies.requests)
    sheet.add("errors", tallies.errors)
    sheet.add("panics", tallies.panics)
    for (route, method, status), count in tallies.http.items():
        sheet.add("kronk_http_requests_total", count, route=route, method=method, status=status)
    for endpoint, histogram in tallies.http_seconds.items():
        sheet.histogram("kronk_http_request_seconds", histogram, endpoint=endpoint)
    for endpoint, count in tallies.denials.items():
        sheet.add("kronk_rate_limit_denials_total", count, endpoint=endpoint)
    for code, count in tallies.refusals.items():
        sheet.add("kronk_auth_refusals_total", count, code=code)


def _write_model(sheet: Sheet, model: str, tally: ModelTally) -> None:
    for (endpoint, outcome), count in tally.requests.items():
        sheet.add("kronk_requests_total", count, model=model, endpoint=endpoint, outcome=outcome)
    sheet.add("kronk_load_wait_seconds_total", tally.load_wait, model=model)
    for kind, count in tally.tokens.items():
        sheet.add("kronk_tokens_total", count, model=model, kind=kind)
    for reason, count in tally.finishes.items():
        sheet.add("kronk_finish_reasons_total", count, model=model, reason=reason)
    for source, count in tally.cache_hits.items():
        sheet.add("kronk_prompt_cache_hits_total", count, model=model, source=source)
    for reason, count in tally.cache_misses.items():
        sheet.add("kronk_prompt_cache_misses_total", count, model=model, reason=reason)
    for index, tokens in tally.context_tokens.items():
        context = label(CONTEXT_TOKENS, index)
        sheet.add("kronk_decode_tokens_total", tokens, model=model, context=context)
        seconds = tally.context_seconds[index]
        sheet.add("kronk_decode_seconds_total", seconds, model=model, context=context)
    for name, spread in tally.spreads.items():
        sheet.spread(name, spread, model)
    for name, histogram in tally.histograms.items():
        sheet.histogram(name, histogram, model=model)
