"""Progress of a plan: one number for all its files, which never goes back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.pulling import Steps
from kronk.shared.models.plan_progress import INTERVAL, PlanProgress


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_bytes_are_of_all_files() -> None:
    steps, clock = Steps(), Clock()
    whole = PlanProgress(steps, [100, 50, 10], clock)
    whole.have(2, 10)
    whole.of(0)("download", 100, 100)
    whole.of(1)("download", 50, 50)
    assert steps == [("download", 110, 160), ("download", 160, 160)]


def test_a_total_is_told_once_every_file_has_one() -> None:
    steps = Steps()
    whole = PlanProgress(steps, [None, 50], Clock())
    whole.of(1)("download", 50, 50)
    whole.of(0)("download", 30, 30)
    assert steps == [("download", 50, None), ("download", 80, 80)]


def test_it_is_told_as_often_as_somebody_can_look() -> None:
    steps, clock = Steps(), Clock()
    report = PlanProgress(steps, [1000], clock).of(0)
    for done in range(1000):
        clock.now += INTERVAL / 100
        report("download", done, 1000)
    report("download", 1000, 1000)
    assert 10 <= len(steps) <= 13
    assert (steps[0], steps[-1]) == (("download", 0, 1000), ("download", 1000, 1000))


def test_a_phase_begins_at_once() -> None:
    steps = Steps()
    report = PlanProgress(steps, [1000], Clock()).of(0)
    report("verify", 1, 10)
    report("verify", 2, 10)
    report("download", 3, 1000)
    assert steps == [("verify", 1, 10), ("download", 3, 1000)]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),
            st.sampled_from(["verify", "download"]),
            st.integers(0, 100),
            st.sampled_from([100, None]),
            st.floats(0, 1),
        )
    )
)
def test_within_a_phase_it_never_goes_back_nor_over_the_total(
    reports: list[tuple[int, str, int, int | None, float]],
) -> None:
    steps, clock = Steps(), Clock()
    whole = PlanProgress(steps, [100, None, 100], clock)
    for file, phase, done, total, later in reports:
        clock.now += later
        whole.of(file)(phase, done, total)
    for phase in ("verify", "download"):
        told = [(done, total) for name, done, total in steps if name == phase]
        assert all(total is None or done <= total for done, total in told)
        known = [done for done, _ in told]
        assert known == sorted(known)
