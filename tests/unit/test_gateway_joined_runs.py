"""Several runs read as one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from kronk.gateway.bell import Bell
from kronk.gateway.job import WINDOW, generate
from kronk.gateway.joined_runs import JoinedRuns, together
from kronk.gateway.run import Event, Run
from kronk.shared.errors import ContextLengthExceeded, Internal, KronkError
from kronk.shared.wire.to_gateway import Delta, Done, Finished
from kronk.shared.wire.values import Answer, Prompt, Sampling, Timings, Usage


def runs(*choices: int) -> tuple[list[Run], JoinedRuns]:
    bell = Bell()
    made = [
        Run(
            number,
            "cmpl-x",
            generate("m", Prompt(text="x"), Sampling(), Answer(choices=count), None, ()),
            bell,
        )
        for number, count in enumerate(choices)
    ]
    return made, JoinedRuns(made, bell)


def done(request: int) -> Done:
    return Done(request, Usage(1, 2, 3, 4), Timings(0.5, 0.1, request, "hit", 1, 1))


def read_all(joined: JoinedRuns) -> list[Event]:
    async def read() -> list[Event]:
        events = []
        while taken := await joined.take():
            events += taken
        return events

    return asyncio.run(read())


def test_choices_are_numbered_on_from_run_to_run() -> None:
    made, joined = runs(2, 1, 3)
    for run, choice in zip(made, (1, 0, 2), strict=True):
        assert run.deliver(Delta(run.id, choice, "x", (1,)))
        assert run.deliver_outcome(Finished(run.id, choice, "stop"))
        run.end(done(run.id))
    events = read_all(joined)
    assert [(type(event), event.choice) for event in events] == [  # type: ignore[union-attr]
        (Delta, 1),
        (Finished, 1),
        (Delta, 2),
        (Finished, 2),
        (Delta, 5),
        (Finished, 5),
    ]


def test_what_they_used_is_added_up() -> None:
    ends = [done(1), Done(2, Usage(10, 20, 30, 40), Timings(0.1, 0.9, 0.0, "", 2, 0))]
    assert together(ends) == Done(1, Usage(11, 22, 33, 44), Timings(0.5, 0.9, 1, "hit", 3, 1))


def test_it_is_over_when_all_have_ended() -> None:
    made, joined = runs(1, 1)
    made[0].end(done(0))

    async def read() -> list[Event]:
        reading = asyncio.create_task(joined.take())
        await asyncio.sleep(0)
        assert not reading.done()
        made[1].end(done(1))
        return await reading

    assert asyncio.run(read()) == []
    assert joined.result().usage == Usage(2, 4, 6, 8)


def test_a_failure_ends_it_after_what_was_said_before() -> None:
    made, joined = runs(1, 1)
    said = Delta(0, 0, "x", (1,))
    made[0].deliver(said)
    made[1].end(Internal("broke"))

    async def read() -> tuple[list[Event], list[Event]]:
        first = await joined.take()
        # The other goes on until it is told to stop; nobody reads that.
        made[0].deliver(said)
        return first, await joined.take()

    assert asyncio.run(read()) == ([said], [])
    with pytest.raises(Internal, match="broke"):
        joined.result()


def accept(run: Run) -> None:
    run.accept(5)


def fill(run: Run) -> None:
    run.accept(5)
    while run.deliver(Delta(run.id, 0, "x", (1,))):
        pass


def end(run: Run) -> None:
    run.accept(5)
    run.end(done(run.id))


def refuse(run: Run) -> None:
    run.end(ContextLengthExceeded("too long"))


WAITS: list[tuple[list[Callable[[Run], None]], bool | type[KronkError]]] = [
    ([accept], False),
    ([accept, accept], True),
    ([end], False),
    ([end, accept], True),
    ([fill], True),
    ([accept, refuse], ContextLengthExceeded),
    ([refuse], ContextLengthExceeded),
    ([fill, refuse], ContextLengthExceeded),
]


@pytest.mark.parametrize(("acts", "outcome"), WAITS)
def test_it_is_accepted_when_all_are_or_when_one_waits_to_be_read(
    acts: list[Callable[[Run], None]], outcome: bool | type[KronkError]
) -> None:
    made, joined = runs(1, 1)
    for run, act in zip(made, acts, strict=False):
        act(run)

    async def wait() -> bool:
        waiting = asyncio.create_task(joined.until_accepted())
        await asyncio.sleep(0)
        if waiting.done():
            waiting.result()
            return True
        waiting.cancel()
        return False

    if isinstance(outcome, bool):
        assert asyncio.run(wait()) is outcome
    else:
        with pytest.raises(outcome):
            asyncio.run(wait())


def test_each_run_gives_credit_for_its_own() -> None:
    made, joined = runs(1, 1)
    fill(made[0])
    made[1].deliver(Delta(1, 0, "x", (1,)))
    assert len(asyncio.run(joined.take())) == WINDOW + 1
    assert [run.credit() for run in made] == [WINDOW, 0]
