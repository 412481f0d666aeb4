"""Limits of those who are known by another Kronk's word: what is counted there, and what here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from fakes.auth_host import PlayedHost
from kronk.gateway.access.admission import Outcome
from kronk.gateway.access.delegation.central import Central
from kronk.gateway.access.delegation.limits import CentralLimits
from kronk.gateway.access.delegation.questions import CHARGE, SETTLE, charge_object
from kronk.gateway.access.limits import Limits
from kronk.gateway.access.rules import DISCOVERY, Access, inference
from kronk.shared.errors import Overloaded, PermissionDenied, RateLimited, Unauthenticated
from kronk.shared.security.counters import Charge, Counters, Standing, Used
from kronk.shared.security.grants import UNLIMITED, Grants, Limit
from kronk.shared.security.identity import OPEN, Identity
from kronk.shared.security.windows import windows_at

NOON = 1_795_348_800.0
CHAT = inference("chat-completions")
THREE = Limit(3, "day")
STANDING = Standing("calls", 3, "day", 1, int(NOON) + 43_200)
COUNTED = Charge("ann", "chat-completions", windows_at(NOON), STANDING)
USED_UP = replace(STANDING, used=3)
REFUSED = Charge("ann", "chat-completions", windows_at(NOON), USED_UP, None, USED_UP)
FINE = Outcome(200, None, 7, 8)


def who(grants: Grants, admin: bool = False) -> Identity:
    return Identity("ann", admin=admin, grants=grants, key="key-1", via="delegated")


LIMITED = who(Grants({"chat-completions": THREE}))
ONE_AT_ONCE = who(Grants({"chat-completions": THREE}, concurrency=1))


class World:
    """The limits of a gateway that asks that host."""

    def __init__(self, folder: Path) -> None:
        self.host = PlayedHost(answer(COUNTED))
        self.local = Limits(Counters(folder), clock=lambda: NOON)
        self.central = Central(self.host.client, today=lambda: NOON, pauses=())
        self.limits = CentralLimits(self.local, self.central, clock=lambda: NOON)

    def here(self) -> Used:
        """What is counted here."""
        return next((usage.day for usage in self.local.counters.usage(NOON, "ann")), Used())

    async def settled(self) -> list[dict[str, object]]:
        self.host.says = httpx.Response(200, json={"known": True})
        await self.central.close(10.0)
        return [body for path, body in self.host.bodies if path == SETTLE]


def answer(charge: Charge) -> httpx.Response:
    return httpx.Response(200, json=charge_object("x", charge))


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Callable[[Callable[[World], Awaitable[None]]], None]]:
    def run(story: Callable[[World], Awaitable[None]]) -> None:
        async def live() -> None:
            world = World(tmp_path / "counters")
            await story(world)
            await world.central.close(10.0)
            await world.host.client.close()
            world.local.stop()

        asyncio.run(live())

    yield run


Play = Callable[[Callable[[World], Awaitable[None]]], None]


def test_a_call_is_counted_there_and_the_answer_says_how_many_are_left(play: Play) -> None:
    async def story(world: World) -> None:
        admission = await world.limits.admit(LIMITED, CHAT)
        assert admission.identity is LIMITED
        assert admission.headers["X-RateLimit-Remaining"] == "2"
        admission.settle(FINE)
        admission.settle(FINE)
        (said,) = await world.settled()
        assert (said["refund"], said["prompt_tokens"], said["completion_tokens"]) == (False, 7, 8)
        # What was used here is in the statistics of this server, too.
        assert world.here() == Used(1, 7, 8)

    play(story)


@pytest.mark.parametrize(
    ("outcome", "is_given_back"),
    [
        (FINE, False),
        (Outcome(400, "invalid_argument"), False),
        (Outcome(503, "model_crashed", 7, 8), True),
        (Outcome(200, "internal", 7, 8), True),
    ],
)
def test_what_a_server_fails_at_is_given_back_there(
    play: Play, outcome: Outcome, is_given_back: bool
) -> None:
    async def story(world: World) -> None:
        (await world.limits.admit(LIMITED, CHAT)).settle(outcome)
        (said,) = await world.settled()
        assert said["refund"] is is_given_back
        assert not is_given_back or said["completion_tokens"] == 0

    play(story)


def test_a_limit_that_is_used_up_is_a_429_and_holds_no_place(play: Play) -> None:
    async def story(world: World) -> None:
        world.host.says = answer(REFUSED)
        for _ in range(3):
            with pytest.raises(RateLimited) as caught:
                await world.limits.admit(ONE_AT_ONCE, CHAT)
            assert caught.value.retry_after == 43_200
            assert caught.value.headers["X-RateLimit-Remaining"] == "0"
        assert world.local.running("ann") == 0
        assert world.here().calls == 0
        assert await world.settled() == []

    play(story)


def test_requests_at_once_are_bounded_here(play: Play) -> None:
    async def story(world: World) -> None:
        first = await world.limits.admit(ONE_AT_ONCE, CHAT)
        with pytest.raises(RateLimited, match="1 request at once"):
            await world.limits.admit(ONE_AT_ONCE, CHAT)
        # Nobody was asked about the second.
        assert [path for path, _ in world.host.bodies] == [CHARGE]
        first.settle(FINE)
        (await world.limits.admit(ONE_AT_ONCE, CHAT)).settle(FINE)

    play(story)


@pytest.mark.parametrize(
    ("says", "error"),
    [
        (httpx.ConnectError("gone"), Overloaded),
        (httpx.Response(200, json={"valid": False, "reason": "revoked"}), Unauthenticated),
    ],
)
def test_who_cannot_be_counted_is_not_let_in_and_holds_no_place(
    play: Play, says: httpx.Response | Exception, error: type[Exception]
) -> None:
    async def story(world: World) -> None:
        world.host.says = says
        for _ in range(2):
            with capture_logs(), pytest.raises(error):
                await world.limits.admit(ONE_AT_ONCE, CHAT)
        assert (world.local.running("ann"), world.here().calls) == (0, 0)

    play(story)


@pytest.mark.parametrize(
    ("identity", "access"),
    [
        (who(Grants({"chat-completions": UNLIMITED})), CHAT),
        (who(Grants({"chat-completions": UNLIMITED}, tokens=UNLIMITED)), CHAT),
        # In the mode `authenticated`, what is not granted is not limited.
        (who(Grants({"rerank": THREE})), CHAT),
        (who(Grants({"chat-completions": THREE}), admin=True), CHAT),
        (LIMITED, DISCOVERY),
        (LIMITED, inference("chat-completions", charged=False)),
        # Budgets of tokens are not about what writes none.
        (who(Grants({}, tokens=Limit(9, "day"))), inference("tokenize")),
        (replace(LIMITED, via="session"), CHAT),
        (OPEN, CHAT),
    ],
)
def test_what_no_limit_is_about_costs_no_question(
    play: Play, identity: Identity, access: Access
) -> None:
    async def story(world: World) -> None:
        (await world.limits.admit(identity, access)).settle(FINE)
        assert world.host.asked == []

    play(story)


def test_a_budget_of_tokens_is_kept_there(play: Play) -> None:
    async def story(world: World) -> None:
        await world.limits.admit(who(Grants({}, tokens=Limit(9, "month"))), CHAT)
        ((path, body),) = world.host.bodies
        assert path == CHARGE
        assert body["grants"]["tokens"] == {"limit": 9, "window": "month"}
        assert body["grants"]["endpoints"] == {
            "chat-completions": {"limit": 0, "window": "unlimited"}
        }

    play(story)


def test_no_calls_are_denied_here(play: Play) -> None:
    async def story(world: World) -> None:
        with pytest.raises(PermissionDenied):
            await world.limits.admit(who(Grants({"chat-completions": Limit(0, "day")})), CHAT)
        assert world.host.asked == []

    play(story)


def test_a_line_of_a_batch_is_one_call_however_often_it_is_begun(play: Play) -> None:
    async def story(world: World) -> None:
        for _ in range(2):
            (await world.limits.admit(LIMITED, CHAT, "batch-1 line 7")).settle(FINE)
        first, second = (body["request_id"] for path, body in world.host.bodies if path == CHARGE)
        assert first == second

    play(story)
