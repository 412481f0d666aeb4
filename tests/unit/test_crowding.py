"""Fewer threads while others want the cores, and all of them again when they do not."""

from __future__ import annotations

import itertools

import pytest

from kronk.worker.engine.crowding import FIRST_PATIENCE, LONGEST_PATIENCE, Crowding

QUIET, CROWDED = 0.98, 0.45
# Duration of a decode in these stories.
STEP = 0.01


class Story:
    def __init__(self, most: int) -> None:
        self.crowding = Crowding(most)
        self.now = 100.0
        self.changes: list[tuple[float, int]] = []

    def go(self, seconds: float, share: float) -> None:
        """Decode for that long. With one thread the others' load does not show."""
        for _ in range(round(seconds / STEP)):
            self.now += STEP
            seen = share if self.crowding.threads > 1 else QUIET
            if self.crowding.observe(seen, self.now):
                self.changes.append((self.now, self.crowding.threads))


@pytest.mark.parametrize("most", [1, 2, 8])
def test_on_a_quiet_machine_nothing_changes(most: int) -> None:
    story = Story(most)
    story.go(60, QUIET)
    assert story.changes == []


def test_one_slow_decode_is_no_crowd() -> None:
    story = Story(2)
    for _ in range(20):
        story.go(0.2, QUIET)
        story.go(STEP, CROWDED)
    assert story.changes == []


def test_a_crowd_halves_the_threads_within_a_few_decodes() -> None:
    story = Story(8)
    story.go(0.5, CROWDED)
    assert [threads for _, threads in story.changes] == [4, 2, 1]
    assert story.changes[-1][0] - 100.0 < 0.5


def test_when_the_crowd_leaves_all_threads_come_back() -> None:
    story = Story(4)
    story.go(0.5, CROWDED)
    story.go(3 * FIRST_PATIENCE, QUIET)
    assert story.crowding.threads == 4


def test_tries_become_rare_while_the_crowd_stays() -> None:
    story = Story(2)
    story.go(300, CROWDED)
    tries = [when for when, threads in story.changes if threads == 2]
    gaps = [b - a for a, b in itertools.pairwise(tries)]
    assert gaps == sorted(gaps)
    assert LONGEST_PATIENCE <= gaps[-1] < LONGEST_PATIENCE + 1
    # What the tries cost stays small.
    assert len(tries) < 20


def test_a_new_crowd_after_a_quiet_time_is_met_with_fresh_patience() -> None:
    story = Story(2)
    story.go(60, CROWDED)
    story.go(2 * LONGEST_PATIENCE, QUIET)
    assert story.crowding.threads == 2
    story.changes.clear()
    story.go(FIRST_PATIENCE + 1, CROWDED)
    assert [threads for _, threads in story.changes][:2] == [1, 2]


def looked_at(crowding: Crowding, share: float, decodes: int) -> int:
    """How many of so many decodes it wanted to see."""
    seen = 0
    for step in range(decodes):
        if crowding.is_due():
            seen += 1
            crowding.observe(share, step * STEP)
    return seen


def test_few_decodes_are_looked_at_while_nothing_is_the_matter() -> None:
    crowding = Crowding(2)
    looked_at(crowding, QUIET, 100)
    assert looked_at(crowding, QUIET, 800) == 100


def test_a_crowd_is_looked_at_closely_from_the_first_sign_of_it() -> None:
    crowding = Crowding(2)
    looked_at(crowding, QUIET, 100)
    looked_at(crowding, CROWDED, 16)
    assert crowding.threads == 1
    # Until all threads are back, each decode counts.
    assert looked_at(crowding, QUIET, 10) == 10


def test_a_single_thread_is_never_looked_at() -> None:
    assert looked_at(Crowding(1), CROWDED, 50) == 0
