"""What answers come to, and what a difference between two runs is worth."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.benchmarks import REPORT, report_of
from kronk.shared.benchmark import figures as made
from kronk.shared.benchmark.compare import differences, verdict
from kronk.shared.benchmark.figures import METRICS, figures, percentile, ratios, result, spread
from kronk.shared.benchmark.notes import notes
from kronk.shared.benchmark.plan import Cell, Plan
from kronk.shared.benchmark.replies import Failure, Reply
from kronk.shared.benchmark.report import FORMAT, from_record, to_record

RATE, TIME = METRICS[0], METRICS[3]


def answer(started: float, *pieces: float, **more: Any) -> Reply:
    known = {"prompt_tokens": 10, "completion_tokens": len(pieces), "cached_tokens": 4}
    return Reply(started, pieces[-1] + 0.5, pieces, **(known | more))


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([3.0], 0.99, 3.0),
        ([1.0, 2.0], 0.5, 1.5),
        ([4.0, 1.0, 3.0, 2.0], 0.5, 2.5),
        ([1.0, 2.0, 3.0, 4.0, 5.0], 0.9, 4.6),
        ([float(n) for n in range(101)], 0.99, 99.0),
        ([1.0, 9.0], 0.0, 1.0),
        ([1.0, 9.0], 1.0, 9.0),
    ],
)
def test_a_percentile_lies_between_the_two_nearest_values(
    values: list[float], share: float, expected: float
) -> None:
    assert percentile(values, share) == pytest.approx(expected)


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_percentiles_are_in_order_and_within_the_values(values: list[float]) -> None:
    found = spread(values)
    assert found is not None
    assert min(values) <= found.p50 <= found.p90 <= found.p99 <= max(values)
    assert spread([]) is None


def test_a_round_is_what_its_streams_are_together() -> None:
    one = figures([answer(0.0, 2.0, 3.0, 4.0), answer(1.0, 4.0, 6.0, 8.0)], 0.25)
    assert one.values == pytest.approx(
        {
            # Six tokens from the first request to the last piece.
            "tokens_per_second": 6 / 8,
            "stream_tokens_per_second": (2 / 2 + 2 / 4) / 2,
            # Without what a cache had, until the last stream's first piece.
            "prompt_tokens_per_second": 12 / 4,
            "ttft": 2.5,
            "itl": 1.5,
            "seconds": (4.5 + 7.5) / 2,
        }
    )
    assert (one.ttft, one.itl) == ((2.0, 3.0), (1.0, 1.0, 2.0, 2.0))
    assert (one.tokens, one.cached_tokens, one.client_share, one.is_exact) == (6, 8, 0.25, True)


def test_what_failed_counts_as_a_failure_alone() -> None:
    lost = replace(answer(0.0, 0.1, 0.2), failure=Failure("model_crashed", "died"))
    one = figures([answer(0.0, 2.0, 3.0), lost, Reply(0.0, 1.0)])
    assert one.ttft == (2.0,) and one.tokens == 2
    assert [failure.code for failure in one.failures] == ["model_crashed", "empty"]
    whole = result("k", Cell(64, 3), [one, figures([lost])])
    assert (whole.requests, whole.failed) == (4, {"model_crashed": 2, "empty": 1})
    assert whole.messages["model_crashed"] == "died"
    assert whole.rounds["ttft"] == [2.0, None]
    assert whole.values["ttft"] == 2.0


def test_a_round_in_which_all_failed_has_no_figures() -> None:
    whole = result("k", Cell(64, 1), [figures([Reply(0.0, 1.0, failure=Failure("x", "y"))])])
    assert (whole.values, whole.ttft, whole.prompt_tokens) == ({}, None, None)


@pytest.mark.parametrize("replies", [[answer(0.0, 1.0)], [answer(0.0, 1.0, 1.0)]])
def test_an_answer_of_one_moment_has_no_speed(replies: list[Reply]) -> None:
    values = figures(replies).values
    assert "stream_tokens_per_second" not in values and values["ttft"] == 1.0


def test_tokens_that_a_server_does_not_count_are_not_exact() -> None:
    one = figures([answer(0.0, 1.0, 2.0, completion_tokens=None, prompt_tokens=None)])
    assert (one.tokens, one.is_exact) == (2, False)
    assert "prompt_tokens_per_second" not in one.values


def test_ratios_are_medians_of_the_rounds_ratios() -> None:
    of = {"ttft": [2.0, 30.0, 4.0], "itl": [None, 2.0, 3.0], "seconds": [None]}
    to = {"ttft": [1.0, 10.0, 1.0], "itl": [1.0, 1.0, 0.0], "seconds": [1.0]}
    assert ratios(of, to) == {"ttft": 3.0, "itl": 2.0}


@pytest.mark.parametrize(
    ("metric", "before", "after", "expected"),
    [
        (RATE, [100.0, 101.0, 99.0], [120.0, 121.0, 119.0], "better"),
        (RATE, [120.0, 121.0, 119.0], [100.0, 101.0, 99.0], "worse"),
        (TIME, [1.0, 1.01, 0.99], [1.2, 1.21, 1.19], "worse"),
        (TIME, [1.2, 1.21, 1.19], [1.0, 1.01, 0.99], "better"),
        (RATE, [100.0, 140.0, 60.0], [120.0, 150.0, 80.0], "noise"),
        (RATE, [100.0, 101.0, 99.0], [100.5, 101.5, 99.5], "noise"),
        (RATE, [100.0, 100.0], [100.0, 100.0], "noise"),
        (RATE, [100.0, 100.0], [101.0, 101.0], "better"),
        (RATE, [100.0], [200.0, 201.0], "unknown"),
        (RATE, [], [], "unknown"),
        # Many rounds show a small difference that few do not.
        (RATE, [100.0, 102.0] * 20, [102.0, 104.0] * 20, "better"),
    ],
)
def test_a_difference_counts_when_rounds_of_one_run_do_not_differ_as_much(
    metric: made.Metric, before: list[float], after: list[float], expected: str
) -> None:
    assert verdict(metric, before, after) == expected


def test_runs_are_compared_by_what_their_targets_are() -> None:
    before, after = report_of(100.0, name="old"), report_of(150.0, name="new")
    found = {each.metric.name: each for each in differences(before, after)}
    change = found["tokens_per_second"]
    assert (change.target, change.verdict) == ("new", "better")
    assert change.change == pytest.approx(0.5)
    elsewhere = replace(after, targets=(replace(after.targets[0], url="http://b:1"),))
    assert differences(before, elsewhere) == []


def test_a_report_is_the_same_after_it_was_kept() -> None:
    record = to_record(REPORT)
    assert from_record(record) == REPORT
    assert from_record(record | {"format": FORMAT + 1}) is None
    assert from_record({"format": FORMAT}) is None
    assert from_record(record | {"plan": record["plan"] | {"max_tokens": 0}}) is None


@pytest.mark.parametrize(
    ("plan", "change", "words"),
    [
        ({}, {"client_share": 0.8}, "measuring took up to 80% of a core"),
        ({"repetitions": 1}, {}, "with one repetition"),
        ({}, {"is_exact": False}, "pieces of text were counted"),
        ({}, {"tokens": 10}, "ended before 128 tokens"),
        ({}, {"cached_tokens": 700}, "had 91% of the prompts in its cache"),
        ({"shared_prefix": 32}, {"cached_tokens": 700}, None),
        ({}, {}, None),
    ],
)
def test_what_a_reader_must_know_is_said(
    plan: dict[str, int], change: dict[str, Any], words: str | None
) -> None:
    asked = Plan((128,), (1,), **plan)  # type: ignore[arg-type]  # each has its own type
    one = replace(REPORT.results[0], **change)
    found = list(notes(asked, REPORT.targets[:1], [one]))
    assert found == [] if words is None else words in found[0]
