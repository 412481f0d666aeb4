"""Calls that the authentication host counts, which is played by a function here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import httpx
import pytest
from structlog.testing import capture_logs

from fakes.auth_host import Answer, PlayedHost
from kronk.gateway.access.delegation.central import Central
from kronk.gateway.access.delegation.host import Unanswered
from kronk.gateway.access.delegation.questions import CHARGE, SETTLE, charge_object
from kronk.shared.errors import Overloaded, Unauthenticated
from kronk.shared.security.counters import Charge, Standing
from kronk.shared.security.grants import Grants, Limit
from kronk.shared.security.identity import Identity
from kronk.shared.security.windows import windows_at

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()
CHAT = "chat-completions"
CALLS = Standing("calls", 3, "day", 1, int(NOON) + 43_200)
COUNTED = Charge("ann", CHAT, windows_at(NOON), CALLS)
ALL_USED = Charge("ann", CHAT, windows_at(NOON), CALLS, None, CALLS)


def who(grants: Grants) -> Identity:
    return Identity("ann", grants=grants, key="key-1", via="delegated")


THREE = Grants({CHAT: Limit(3, "day")}, tokens=Limit(9, "month"))
LIMITED = who(Grants({CHAT: Limit(3, "day")}))


class World:
    """Calls counted by that host, whose failures are tried again at once."""

    def __init__(self) -> None:
        self.host = PlayedHost(answer(COUNTED))
        self.central = Central(self.host.client, today=lambda: NOON, pauses=(0.0, 0.0))


def answer(charge: Charge) -> httpx.Response:
    return httpx.Response(200, json=charge_object("x", charge))


def play(story: Callable[[World], Awaitable[None]]) -> None:
    async def run() -> None:
        world = World()
        await story(world)
        await world.central.close(10.0)
        await world.host.client.close()

    asyncio.run(run())


def test_a_call_with_a_limit_is_counted_by_the_host_under_a_name_of_its_own() -> None:
    async def story(world: World) -> None:
        for _ in range(2):
            _, charge = await world.central.charge(LIMITED, CHAT, THREE)
            assert charge == COUNTED
        (path, body), (_, again) = world.host.bodies
        assert path == CHARGE
        assert body.pop("request_id") != again.pop("request_id")
        assert body == again
        assert body == {
            "subject": "ann",
            "key": "key-1",
            "endpoint": CHAT,
            "grants": THREE.to_claims(),
        }

    play(story)


def test_work_that_has_a_name_is_counted_under_it() -> None:
    async def story(world: World) -> None:
        for once in ("line 1", "line 1", "line 2"):
            await world.central.charge(LIMITED, CHAT, THREE, once)
        numbers = [body["request_id"] for _, body in world.host.bodies]
        assert numbers[0] == numbers[1] != numbers[2]

    play(story)


def test_a_limit_that_is_used_up_is_an_answer() -> None:
    async def story(world: World) -> None:
        world.host.says = answer(ALL_USED)
        _, charge = await world.central.charge(LIMITED, CHAT, THREE)
        assert (charge.allowed, charge.refused) == (False, CALLS)

    play(story)


def test_who_is_not_known_any_more_is_told_so() -> None:
    async def story(world: World) -> None:
        world.host.says = httpx.Response(200, json={"valid": False, "reason": "revoked"})
        with pytest.raises(Unauthenticated):
            await world.central.charge(LIMITED, CHAT, THREE)

    play(story)


def test_what_a_call_came_to_is_said_behind_its_back() -> None:
    async def story(world: World) -> None:
        world.host.says = httpx.Response(200, json={"known": True})
        world.central.settle("c1", refund=False, prompt=3, completion=4)
        await world.central.close(10.0)
        assert world.host.bodies == [
            (
                SETTLE,
                {"charge": "c1", "refund": False, "prompt_tokens": 3, "completion_tokens": 4},
            )
        ]

    play(story)


FAULTS: dict[str, tuple[Answer, bool]] = {
    "refused": (httpx.ConnectError("refused"), False),
    "no connection in time": (httpx.ConnectTimeout("slow"), False),
    "too many questions": (httpx.PoolTimeout("busy"), False),
    "no answer in time": (httpx.ReadTimeout("slow"), True),
    "cut off": (httpx.ReadError("reset"), True),
    "500": (httpx.Response(500), False),
    "no sense": (httpx.Response(200, json={"valid": True}), False),
    "allowed and refused": (
        httpx.Response(200, json=charge_object("x", ALL_USED) | {"allowed": True}),
        False,
    ),
    "a number out of any range": (
        httpx.Response(
            200, json=charge_object("x", COUNTED) | {"calls": {"of": "calls", "limit": 2**70}}
        ),
        False,
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_call_that_nobody_counted_for_certain_is_not_granted(case: str) -> None:
    async def story(world: World) -> None:
        world.host.says, may_be_counted = FAULTS[case]
        with capture_logs(), pytest.raises(Overloaded) as caught:
            await world.central.charge(LIMITED, CHAT, THREE)
        assert isinstance(caught.value, Unanswered) is may_be_counted
        world.host.says = httpx.Response(200, json={"known": True})
        asked = len(world.host.asked)
        await world.central.close(10.0)
        # It is taken back if it may have been counted.
        later = world.host.bodies[asked:]
        assert [(path, body["refund"]) for path, body in later] == [(SETTLE, True)] * may_be_counted

    play(story)


def test_a_lost_answer_is_asked_for_again_under_the_same_name() -> None:
    async def story(world: World) -> None:
        world.host.script = [httpx.RemoteProtocolError("Server disconnected")]
        assert await world.central.charge(LIMITED, CHAT, THREE)
        (_, first), (_, second) = world.host.bodies
        assert first == second

    play(story)
