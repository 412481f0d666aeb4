"""What is known of all jobs at once: those that move, and those that ended lately."""

from __future__ import annotations

from dataclasses import replace

from kronk.gateway.jobs.board import Board
from kronk.gateway.jobs.records import Job, State


def job(name: str, state: State = State.RUNNING) -> Job:
    return Job(name, "pull", {}, f"pull {name}", name, 1.0, state)


def names(jobs: tuple[Job, ...] | list[Job]) -> list[str]:
    return [one.id for one in jobs]


def test_those_that_move_are_there_as_they_are_now() -> None:
    board = Board()
    board.show(job("a", State.QUEUED))
    board.show(job("b"))
    board.show(job("a"))
    board.move(replace(job("a"), done_bytes=5))
    assert {one.id: one.done_bytes for one in board.live} == {"a": 5, "b": 0}


def test_an_end_is_told_once_to_who_counts() -> None:
    board = Board()
    for name in "abc":
        board.show(job(name))
    board.show(job("a", State.DONE))
    seen = board.ended_count
    board.show(job("b", State.FAILED))
    # Told again by who looks again.
    board.show(job("b", State.FAILED))
    assert names(board.live) == ["c"]
    assert names(board.ended_since(seen)) == ["b"]
    assert names(board.ended_since(board.ended_count)) == []
    assert names(board.ended_since(0)) == ["a", "b"]


def test_only_the_latest_ends_are_kept() -> None:
    board = Board()
    for number in range(150):
        board.show(job(str(number), State.DONE))
    assert board.ended_count == 150
    assert names(board.ended_since(0)) == [str(number) for number in range(50, 150)]
    assert names(board.ended_since(148)) == ["148", "149"]
