"""One snapshot a second for all who watch, nothing while nobody does, and nobody falls behind."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from typing import Any

import pytest

from fakes.live import EVERYBODY, Source, facts, model, viewer
from kronk.gateway.live import hub as hubs
from kronk.gateway.live.hub import Hub, Message, Subscription
from kronk.shared.errors import Overloaded, Timeout, Unauthenticated


class Room:
    """A hub whose seconds pass when the test says so."""

    def __init__(self) -> None:
        self.source = Source()
        self.wall = 1000.0
        self.revoked: str | None = None
        self._turn = asyncio.Event()
        self.hub = Hub(
            self.source, dict, pause=self._pause, clock=lambda: 0.0, wall=lambda: self.wall
        )

    async def _pause(self, _: float) -> None:
        await self._turn.wait()
        self._turn.clear()

    async def second(self, *models: Any, **more: Any) -> None:
        """The next second, with these models."""
        self.source.next = facts(*models, **more)
        self.source.was_asked.clear()
        self._turn.set()
        await self.source.was_asked.wait()

    async def check(self) -> None:
        if self.revoked is not None:
            raise Unauthenticated(self.revoked)

    def told(
        self, subscription: Subscription, expires: float | None = None
    ) -> AsyncIterator[Message | None]:
        return subscription.messages(self.check, expires, 0.0)


async def the_next(stream: AsyncIterator[Message | None]) -> dict[str, Any]:
    message = await asyncio.wait_for(anext(stream), 10)
    assert message is not None
    told: dict[str, Any] = json.loads(message.text)
    return told


def in_room(test: Callable[[Room], Any]) -> Callable[[], None]:
    """Run a test in a room of its own, and leave no task behind."""

    def run() -> None:
        async def inside() -> None:
            room = Room()
            await test(room)
            await room.hub.close()
            assert asyncio.all_tasks() == {asyncio.current_task()}

        asyncio.run(inside())

    return run


@in_room
async def test_nothing_is_done_while_nobody_watches(room: Room) -> None:
    await asyncio.sleep(0)
    assert room.source.asked == 0
    with room.hub.join(EVERYBODY) as one:
        assert (await the_next(room.told(one)))["type"] == "state"
    assert (room.source.asked, room.source.forgotten) == (1, 1)
    # The clock is stopped with the last one.
    await room.hub.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}


@in_room
async def test_a_snapshot_is_made_once_and_encoded_once_for_all_who_see_the_same(
    room: Room,
) -> None:
    room.source.next = facts(model("tiny"))
    with ExitStack() as stack:
        many = [stack.enter_context(room.hub.join(EVERYBODY)) for _ in range(20)]
        got = [await anext(room.told(one)) for one in many]
        other = stack.enter_context(room.hub.join(viewer(("none",))))
        [narrow] = [await anext(room.told(other))]
    assert room.source.asked == 1
    assert len({id(message) for message in got}) == 1
    assert narrow is not None
    assert narrow is not got[0]
    assert "tiny" not in narrow.text


@in_room
async def test_who_comes_later_has_the_snapshot_at_once(room: Room) -> None:
    with room.hub.join(EVERYBODY) as one:
        first = await the_next(room.told(one))
        with room.hub.join(EVERYBODY) as two:
            assert await the_next(room.told(two)) == first
    assert room.source.asked == 1


@in_room
async def test_what_happened_comes_before_the_state_it_led_to(room: Room) -> None:
    with room.hub.join(EVERYBODY) as one:
        stream = room.told(one)
        assert (await the_next(stream))["sequence"] == 1
        await room.second(model("tiny"))
        event, state = await the_next(stream), await the_next(stream)
    assert (event["type"], event["kind"], event["model"]) == ("event", "model.ready", "tiny")
    assert (state["type"], state["sequence"]) == ("state", 2)


@in_room
async def test_a_slow_client_gets_the_newest_state_and_all_that_happened(room: Room) -> None:
    with room.hub.join(EVERYBODY) as one:
        stream = room.told(one)
        await the_next(stream)
        for generation in range(1, 51):
            await room.second(model("tiny", generation=generation))
        told = [await the_next(stream) for _ in range(51)]
    assert [one["type"] for one in told] == ["event"] * 50 + ["state"]
    assert told[-1]["sequence"] == 51


@in_room
async def test_what_is_kept_for_slow_clients_is_bounded(room: Room) -> None:
    with room.hub.join(EVERYBODY) as one:
        stream = room.told(one)
        await the_next(stream)
        for generation in range(1, hubs.MOST_KEPT + 20):
            await room.second(model("tiny", generation=generation))
        told = [await the_next(stream) for _ in range(hubs.MOST_KEPT + 1)]
    assert told[-1]["type"] == "state"
    # The oldest are gone, and the numbers say how many.
    assert told[0]["sequence"] == 20


@in_room
async def test_events_of_models_that_are_not_granted_are_not_told(room: Room) -> None:
    with room.hub.join(viewer(("team-*",))) as one:
        stream = room.told(one)
        await the_next(stream)
        await room.second(model("secret"), model("team-a"))
        event, state = await the_next(stream), await the_next(stream)
    assert event["model"] == "team-a"
    assert state["type"] == "state"


@in_room
async def test_nothing_that_was_before_is_told_to_who_comes_later(room: Room) -> None:
    with room.hub.join(EVERYBODY) as one:
        await the_next(room.told(one))
        await room.second(model("tiny"))
        with room.hub.join(EVERYBODY) as two:
            assert (await the_next(room.told(two)))["type"] == "state"
    # Nor what happened while nobody watched.
    room.source.next = facts(model("tiny", "loading", 9))
    with room.hub.join(EVERYBODY) as three:
        state = await the_next(room.told(three))
    assert (state["type"], state["models"][0]["state"]) == ("state", "loading")


@in_room
async def test_a_drain_ends_all_with_its_reason_and_nobody_comes_after_it(room: Room) -> None:
    with room.hub.join(EVERYBODY) as one:
        stream = room.told(one)
        await the_next(stream)
        waiting = asyncio.create_task(the_next(stream))
        await asyncio.sleep(0)
        room.hub.drain()
        room.hub.drain()
        event, end = await waiting, await the_next(stream)
        assert event["kind"] == "drain.begun"
        assert (end["type"], end["reason"]) == ("end", "draining")
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
    with pytest.raises(Overloaded), room.hub.join(EVERYBODY):
        pass


@in_room
async def test_who_may_not_any_more_is_told_so_and_nothing_else(room: Room) -> None:
    with room.hub.join(EVERYBODY) as one, room.hub.join(EVERYBODY) as two:
        good, bad = room.told(one), room.told(two)
        for stream in (good, bad):
            await the_next(stream)
        await room.second(model("tiny"))
        room.revoked = "the token was revoked"
        end = [await the_next(bad) for _ in range(2)][-1]
        assert (end["reason"], end["message"]) == ("unauthenticated", "the token was revoked")
        with pytest.raises(StopAsyncIteration):
            await anext(bad)


@in_room
async def test_a_token_is_good_until_it_expires(room: Room) -> None:
    with room.hub.join(EVERYBODY) as one:
        stream = room.told(one, expires=1001.0)
        await the_next(stream)
        room.wall = 1001.0
        await room.second()
        end = await the_next(stream)
    assert (end["reason"], end["message"]) == ("unauthenticated", "the token has expired")


@in_room
async def test_a_supervisor_that_does_not_answer_is_waited_for(room: Room) -> None:
    room.source.next = Timeout("the supervisor did not answer")
    with room.hub.join(EVERYBODY) as one:
        stream = one.messages(room.check, None, 0.01)
        # Nothing to tell: what the connection is kept alive with.
        assert await anext(stream) is None
        await room.second(model("tiny"))
        while (message := await anext(stream)) is None:
            pass
    assert message.kind == "state"


@in_room
async def test_there_is_a_bound_on_those_who_watch(room: Room) -> None:
    with ExitStack() as stack:
        for _ in range(hubs.MOST_WATCHING):
            stack.enter_context(room.hub.join(EVERYBODY))
        with pytest.raises(Overloaded, match="watching already"), room.hub.join(EVERYBODY):
            pass
        assert room.hub.watching == hubs.MOST_WATCHING
    with room.hub.join(EVERYBODY):
        pass
