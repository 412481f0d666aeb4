"""Buckets, histograms and trace contexts."""

from __future__ import annotations

import pytest

from kronk.shared.telemetry import trace_context
from kronk.shared.telemetry.buckets import bucket, label
from kronk.shared.telemetry.histogram import Histogram

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(
    ("value", "index", "words"), [(0, 0, "10"), (10, 0, "10"), (11, 1, "20"), (21, 2, "+Inf")]
)
def test_a_bucket_holds_what_is_at_most_its_bound(value: float, index: int, words: str) -> None:
    assert bucket((10, 20), value) == index
    assert label((10, 20), index) == words


def test_a_histogram_counts_what_it_saw_and_what_others_saw() -> None:
    histogram = Histogram((1.0, 2.0))
    histogram.observe(0.5)
    histogram.observe(1.5, times=3)
    histogram.add([1, 0, 2], 7.5)
    assert histogram.counts == [2, 3, 2]
    assert histogram.cumulative() == [2, 5, 7]
    assert (histogram.count, histogram.sum) == (7, 12.5)


def test_counts_by_other_bounds_are_left_out() -> None:
    histogram = Histogram((1.0, 2.0))
    histogram.add([1, 2], 3.0)
    assert (histogram.count, histogram.sum) == (0, 0.0)


@pytest.mark.parametrize(
    ("header", "sampled"),
    [
        (f"00-{TRACE}-{SPAN}-01", True),
        (f"00-{TRACE}-{SPAN}-00", False),
        (f"00-{TRACE}-{SPAN}-03", True),
        (f"cc-{TRACE}-{SPAN}-01-what-will-be", True),
        (f" 00-{TRACE}-{SPAN}-01 ", True),
    ],
)
def test_a_trace_context_is_read(header: str, sampled: bool) -> None:
    assert trace_context.parse(header) == trace_context.TraceContext(TRACE, SPAN, sampled)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        f"00-{TRACE}-{SPAN}",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE[1:]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-0g",
    ],
)
def test_what_is_no_trace_context_is_none(header: str) -> None:
    assert trace_context.parse(header) is None


def test_a_trace_context_is_written_as_it_is_read() -> None:
    for flags in ("00", "01"):
        header = f"00-{TRACE}-{SPAN}-{flags}"
        assert str(trace_context.parse(header)) == header
