"""What calls came to reaches the host, whatever happens in between, or the log says that not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from structlog.testing import capture_logs

from kronk.gateway.access.delegation.settlements import Settlement, Settlements
from kronk.shared.errors import NotFound, Overloaded

Send = Callable[[Settlement], Awaitable[None]]


class Host:
    """Takes settlements, after `failures` refusals of each."""

    def __init__(self, failures: int = 0) -> None:
        self.taken: list[Settlement] = []
        self.asked = 0
        self._failures = failures

    async def take(self, settlement: Settlement) -> None:
        self.asked += 1
        if self.asked <= self._failures:
            raise Overloaded("not now")
        self.taken.append(settlement)


async def deliver(send: Send, count: int, *, most: int = 100, tries: int = 3) -> None:
    settlements = Settlements(send, most=most, pauses=(0.0,) * tries)
    for number in range(count):
        settlements.add(Settlement(f"c{number}"))
    await settlements.close(10.0)


def lost(logs: list[structlog.typing.EventDict]) -> list[tuple[str, str]]:
    return [(line["charge"], line["reason"]) for line in logs]


def test_all_of_them_arrive_before_the_end() -> None:
    host = Host()
    with capture_logs() as logs:
        asyncio.run(deliver(host.take, 50))
    assert {one.charge for one in host.taken} == {f"c{number}" for number in range(50)}
    assert len(host.taken) == 50
    assert logs == []


def test_what_the_host_cannot_take_now_is_tried_again() -> None:
    host = Host(failures=3)
    asyncio.run(deliver(host.take, 1))
    assert (host.asked, len(host.taken)) == (4, 1)


def test_after_the_last_try_it_is_given_up_and_the_log_says_so() -> None:
    host = Host(failures=100)
    with capture_logs() as logs:
        asyncio.run(deliver(host.take, 1))
    assert (host.asked, lost(logs)) == (4, [("c0", "not now")])


def test_what_the_host_does_not_know_is_not_tried_again() -> None:
    async def refuse(settlement: Settlement) -> None:
        raise NotFound("no such charge")

    with capture_logs() as logs:
        asyncio.run(deliver(refuse, 1))
    assert lost(logs) == [("c0", "no such charge")]


def test_beyond_the_bound_nothing_waits_and_nothing_is_lost_in_silence() -> None:
    host = Host()
    with capture_logs() as logs:
        asyncio.run(deliver(host.take, 8, most=5))
    assert len(host.taken) == 5
    assert lost(logs) == [(f"c{number}", "too many wait") for number in (5, 6, 7)]


def test_the_end_does_not_wait_for_a_host_that_never_answers() -> None:
    async def never(settlement: Settlement) -> None:
        await asyncio.Event().wait()

    async def run() -> None:
        settlements = Settlements(never)
        for number in range(6):
            settlements.add(Settlement(f"c{number}"))
        await settlements.close(0.01)

    with capture_logs() as logs:
        asyncio.run(run())
    assert sorted(lost(logs)) == [(f"c{number}", "the server was stopped") for number in range(6)]


def test_an_end_without_a_beginning_is_fine() -> None:
    asyncio.run(deliver(Host().take, 0))
