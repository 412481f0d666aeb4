"""The bounds of every histogram, here once: who counts and who shows must mean the same.

A bucket holds what is at most its bound; what is more than the last bound has a bucket of its own,
so that there is one count more than there are bounds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

# From a request's arrival to its first token.
TTFT_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
# From one token of a stream to the next.
ITL_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1.0, 5.0)
# Before a request has its slot.
QUEUE_SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0)
LOAD_SECONDS = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0)
DURATION_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0)
# Tokens a second of one request.
PREFILL_RATE = (10.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0, 10000.0, 25000.0)
DECODE_RATE = (1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 50.0, 75.0, 100.0, 150.0, 250.0, 500.0)
# Tokens in the context while others are generated.
CONTEXT_TOKENS = (1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072)


def bucket(bounds: Sequence[float], value: float) -> int:
    """The index of the bucket that holds the value."""
    return bisect_left(bounds, value)


def label(bounds: Sequence[float], index: int) -> str:
    """A bucket as people read it: the number it goes up to, `+Inf` for the last."""
    return str(bounds[index]) if index < len(bounds) else "+Inf"
