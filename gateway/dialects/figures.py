"""What OpenAI's answers say about a request as a whole: its head, usage, the timings we add."""

from __future__ import annotations

from typing import Any

from kronk import __version__
from kronk.shared.wire.to_gateway import Done

FINGERPRINT = f"kronk-{__version__}"


def head(name: str, kind: str, created: int, model: str, tier: str | None = None) -> dict[str, Any]:
    """The fields that all objects and chunks of an answer begin with.

    `tier` is its service tier, where the request spoke of one.
    """
    begun = {
        "id": name,
        "object": kind,
        "created": created,
        "model": model,
        "system_fingerprint": FINGERPRINT,
    }
    return begun if tier is None else {**begun, "service_tier": tier}


def usage(done: Done) -> dict[str, Any]:
    """OpenAI's token counts."""
    counts = done.usage
    return {
        "prompt_tokens": counts.prompt_tokens,
        "completion_tokens": counts.completion_tokens,
        "total_tokens": counts.prompt_tokens + counts.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": counts.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": counts.reasoning_tokens},
    }


def timings(done: Done, choices: int) -> dict[str, Any]:
    """An extension of ours: where the time went in the worker, and what its caches saved."""
    decode = done.timings.decode
    decoded = done.timings.decoded(done.usage.completion_tokens, choices)
    return {
        "queued_ms": round(done.timings.queued * 1000, 3),
        "prefill_ms": round(done.timings.prefill * 1000, 3),
        "decode_ms": round(decode * 1000, 3),
        "tokens_per_second": round(decoded / decode, 2) if decode > 0 else 0.0,
        "cache": done.timings.cache,
        "drafted_tokens": done.timings.drafted,
        "accepted_tokens": done.timings.accepted,
    }
