"""Who may be inside a ward at the same time."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from kronk.gateway.batches.turns import SUBJECTS_AT_ONCE, Turns, Ward


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.booleans()), max_size=12))
def test_alone_is_alone_and_everybody_gets_in_whoever_leaves(
    guests: list[tuple[bool, int, bool]],
) -> None:
    """A guest wants to be alone or not, stays a while, and may be cancelled wherever it is."""
    inside: list[bool] = []
    been: set[int] = set()

    async def visit(ward: Ward, number: int, is_alone: bool, stay: int) -> None:
        async with ward.alone() if is_alone else ward.beside_others():
            inside.append(is_alone)
            been.add(number)
            try:
                assert len(inside) == 1 or not any(inside)
                for _ in range(stay):
                    await asyncio.sleep(0)
            finally:
                inside.remove(is_alone)

    async def all_visits() -> None:
        ward = Ward()
        visits = [
            asyncio.create_task(visit(ward, number, is_alone, stay))
            for number, (is_alone, stay, _) in enumerate(guests)
        ]
        for task, (_, stay, is_cancelled) in zip(visits, guests, strict=True):
            for _ in range(stay):
                await asyncio.sleep(0)
            if is_cancelled:
                task.cancel()
        async with asyncio.timeout(10):
            for task in visits:
                with suppress(asyncio.CancelledError):
                    await task
        async with asyncio.timeout(10), ward.alone():
            assert not inside

    asyncio.run(all_visits())
    assert been >= {number for number, guest in enumerate(guests) if not guest[2]}


def test_who_wants_to_be_alone_is_not_overtaken() -> None:
    order: list[str] = []

    async def beside(ward: Ward, name: str) -> None:
        async with ward.beside_others():
            order.append(name)

    async def test() -> None:
        ward = Ward()
        async with ward.beside_others():
            alone = ward.alone()
            waiting = asyncio.create_task(alone.__aenter__())
            await asyncio.sleep(0)
            late = asyncio.create_task(beside(ward, "late"))
            await asyncio.sleep(0)
            assert not order
        await waiting
        order.append("alone")
        await alone.__aexit__(None, None, None)
        await late

    asyncio.run(test())
    assert order == ["alone", "late"]


def test_each_subject_has_a_line_of_its_own() -> None:
    turns, begun = Turns(), list[str]()
    subjects = [f"s{number}" for number in range(SUBJECTS_AT_ONCE + 1)]
    names = [f"{subject}-{number}" for subject in subjects for number in range(3)]

    async def run(name: str) -> None:
        await turns.come(name)
        begun.append(name)

    async def all_of_them() -> None:
        for name in names:
            turns.stand_in_line(name, name.partition("-")[0])
        tasks = [asyncio.create_task(run(name)) for name in names]
        for _ in names:
            await asyncio.sleep(0)
        first = [name for name in names if not name.endswith("-2")][: 2 * SUBJECTS_AT_ONCE]
        assert begun == first
        # The next of a subject's own follows, and it stays in its place.
        turns.leave("s0-0")
        for _ in names:
            await asyncio.sleep(0)
        assert begun[len(first) :] == ["s0-2"]
        for name in ("s0-1", "s0-2"):
            turns.leave(name)
        for _ in names:
            await asyncio.sleep(0)
        assert begun[len(first) + 1 :] == ["s8-0", "s8-1"]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(all_of_them())
