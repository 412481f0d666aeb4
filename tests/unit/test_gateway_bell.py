"""Who waits for a run is served without waking up, in order, and hears of what went wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from kronk.gateway.bell import Bell, Turn


class Reader:
    """A task that waits with a tap, and what it saw."""

    def __init__(self, turn: Turn) -> None:
        self.bell = Bell(turn)
        self.served = 0
        self.serves = True
        self.error: Exception | None = None
        self.task = asyncio.create_task(self.bell.wait(self.tap))

    def tap(self) -> bool:
        self.served += 1
        if self.error is not None:
            raise self.error
        return self.serves


def run(test: Callable[[Turn, Reader], Awaitable[None]]) -> None:
    async def live() -> None:
        turn = Turn()
        reader = Reader(turn)
        await asyncio.sleep(0)
        await test(turn, reader)
        reader.task.cancel()
        await asyncio.gather(reader.task, return_exceptions=True)

    asyncio.run(live())


def test_all_rings_of_a_turn_are_served_once_at_its_end() -> None:
    async def test(turn: Turn, reader: Reader) -> None:
        turn.begin()
        reader.bell.ring()
        reader.bell.ring()
        assert reader.served == 0
        turn.end()
        assert reader.served == 1
        turn.begin()
        reader.bell.ring()
        turn.end()
        assert reader.served == 2
        await asyncio.sleep(0)
        assert not reader.task.done()

    run(test)


def test_a_ring_outside_of_a_turn_is_served_soon() -> None:
    async def test(turn: Turn, reader: Reader) -> None:
        reader.bell.ring()
        await asyncio.sleep(0)
        assert reader.served == 1

    run(test)


def test_a_ring_before_a_turn_is_not_lost_in_it() -> None:
    async def test(turn: Turn, reader: Reader) -> None:
        reader.bell.ring()
        turn.begin()
        turn.end()
        assert reader.served == 1

    run(test)


def test_a_task_wakes_up_for_what_its_tap_cannot_do() -> None:
    async def test(turn: Turn, reader: Reader) -> None:
        reader.serves = False
        reader.bell.ring()
        await asyncio.wait_for(reader.task, 20)

    run(test)


def test_what_a_tap_raises_is_raised_where_the_task_waits() -> None:
    async def test(turn: Turn, reader: Reader) -> None:
        other = Reader(turn)
        await asyncio.sleep(0)
        reader.error = ZeroDivisionError()
        turn.begin()
        reader.bell.ring()
        other.bell.ring()
        turn.end()
        with pytest.raises(ZeroDivisionError):
            await reader.task
        assert other.served == 1, "the others of the turn are served"
        other.task.cancel()

    run(test)


def test_who_has_left_is_not_served() -> None:
    async def test(turn: Turn, reader: Reader) -> None:
        turn.begin()
        reader.bell.ring()
        reader.task.cancel()
        await asyncio.gather(reader.task, return_exceptions=True)
        turn.end()
        assert reader.served == 0

    run(test)


def test_without_a_tap_a_ring_wakes_at_once() -> None:
    async def live() -> None:
        bell = Bell()
        task = asyncio.create_task(bell.wait())
        await asyncio.sleep(0)
        bell.ring()
        await asyncio.wait_for(task, 20)

    asyncio.run(live())
