"""What a worker says of a prompt's cached prefix, as a label: words with numbers are no label."""

from __future__ import annotations

from dataclasses import dataclass

SOURCES = ("retained", "busy", "stored", "disk")
# How the words begin, and what is made of them; the order is that of `worker.cache.match`.
_MISSES = (
    ("off", "off"),
    ("no entry", "no_entry"),
    ("diverges", "diverges"),
    ("prefix of", "too_short"),
    ("rigid memory", "no_snapshot"),
    ("disk entry damaged", "damaged"),
)
OTHER = "other"
REASONS = (*(reason for _, reason in _MISSES), OTHER)


@dataclass(frozen=True, slots=True)
class Hit:
    """A prefix was found there."""

    source: str


@dataclass(frozen=True, slots=True)
class Miss:
    """Nothing could be used, for that reason."""

    reason: str


def read(words: str) -> Hit | Miss | None:
    """What `Timings.cache` says; None where no cache was asked."""
    if not words:
        return None
    source = words.partition(":")[0]
    if source in SOURCES and not words.endswith("did not take"):
        return Hit(source)
    for begins, reason in _MISSES:
        if words.startswith(begins):
            return Miss(reason)
    return Miss(OTHER)
