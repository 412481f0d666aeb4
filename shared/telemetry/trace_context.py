"""W3C Trace Context, level 1: which trace a request belongs to, in one header line.

<https://www.w3.org/TR/trace-context/>: `version-trace id-parent id-flags`, all hexadecimal.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# Later versions may have more behind it, which is left alone; version ff is none.
_FORM = re.compile(r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16
_SAMPLED = 0x01


@dataclass(frozen=True, slots=True)
class TraceContext:
    """The span that what follows belongs under. Ids are lower-case hexadecimal."""

    trace_id: str
    span_id: str
    # Whoever began the trace keeps it.
    sampled: bool

    def __str__(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{int(self.sampled):02x}"


def parse(header: str) -> TraceContext | None:
    """What a `traceparent` says; None where it says nothing, which is no error of the request."""
    found = _FORM.fullmatch(header.strip())
    if found is None:
        return None
    version, trace, span, flags, more = found.groups()
    if trace == _NO_TRACE or span == _NO_SPAN or (version == "00" and more):
        return None
    return TraceContext(trace, span, bool(int(flags, 16) & _SAMPLED))
