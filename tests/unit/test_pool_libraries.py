"""A process has one llama.cpp all its life: which one the spare has, and who gets it."""

from __future__ import annotations

import itertools

import pytest

from kronk.supervisor.actions import Outbox, Spawn, StopWorker
from kronk.supervisor.placing import LOCAL
from kronk.supervisor.pool import Pool


class House:
    """A pool, and what it has asked for."""

    def __init__(self) -> None:
        self.out = Outbox()
        self.pool = Pool(self.out, itertools.count(1).__next__)

    def did(self) -> list[object]:
        """Starts and stops since the last look."""
        return [action for action in self.out.take() if isinstance(action, Spawn | StopWorker)]


@pytest.mark.parametrize("library", [None, "/libs/b1"])
def test_a_spare_with_the_right_library_is_taken(library: str | None) -> None:
    house = House()
    house.pool.take(0.0, LOCAL, library)
    house.pool.keep_spare(0.0)
    assert house.did() == [Spawn(1, LOCAL, library), Spawn(2, LOCAL, library)]
    assert house.pool.take(0.0, LOCAL, library).generation == 2
    assert house.did() == []


def test_the_first_spare_has_the_bundled_one() -> None:
    house = House()
    house.pool.keep_spare(0.0)
    assert house.did() == [Spawn(1, LOCAL, None)]


def test_a_spare_with_another_library_makes_way_and_the_next_has_the_one_wanted_last() -> None:
    house = House()
    house.pool.keep_spare(0.0)
    house.did()
    worker = house.pool.take(0.0, LOCAL, "/libs/b1")
    assert (worker.generation, worker.library) == (2, "/libs/b1")
    assert house.did() == [StopWorker(1), Spawn(2, LOCAL, "/libs/b1")]
    assert house.pool.spare is None
    house.pool.keep_spare(0.0)
    assert house.did() == [Spawn(3, LOCAL, "/libs/b1")]


def test_on_another_host_builds_of_this_one_mean_nothing() -> None:
    house = House()
    house.pool.keep_spare(0.0)
    house.did()
    house.pool.take(0.0, "gpu1", "/libs/b1")
    assert house.did() == [Spawn(2, "gpu1", None)]
    assert house.pool.take(0.0, LOCAL, None).generation == 1
