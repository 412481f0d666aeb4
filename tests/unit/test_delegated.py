"""Tokens by the word of another Kronk, which is played by a function here."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from fakes.auth_host import SERVICE, Answer, PlayedHost
from kronk.gateway.access.delegation.answers import identity_of
from kronk.gateway.access.delegation.build import greet
from kronk.gateway.access.delegation.identities import Bounds, Identities
from kronk.gateway.access.delegation.questions import (
    IDENTIFY,
    RECHECK,
    identity_object,
    invalid_object,
)
from kronk.shared.errors import Overloaded, Unauthenticated
from kronk.shared.security.grants import Grants, Limit
from kronk.shared.security.identity import Identity

GOOD = Identity(
    "5f0c7e0a-3a52-4c1e-9f0e-0d3d0a9f3b11",
    "somebody",
    grants=Grants({"chat-completions": Limit(3, "day")}, ("Qwen*",), Limit(9, "month"), 2),
    key="key-1",
    expires=1_000_000.0,
)
TOKEN = "aaa.bbb.ccc"


def said(**changes: Any) -> httpx.Response:
    return httpx.Response(200, json=identity_object(GOOD) | changes)


class World:
    """Identities by that host, with clocks that stand still."""

    def __init__(self, **bounds: Any) -> None:
        self.host = PlayedHost(said())
        self.now = 100.0
        self.today = 500_000.0
        self.identities = Identities(
            self.host.client, Bounds(**bounds), clock=lambda: self.now, today=lambda: self.today
        )

    async def identify(self, token: str = TOKEN) -> Identity:
        return await self.identities.identify(token)


def play(story: Callable[[World], Awaitable[None]], **bounds: Any) -> None:
    async def run() -> None:
        world = World(**bounds)
        await story(world)
        await world.identities.close()
        await world.host.client.close()

    asyncio.run(run())


def test_an_identity_is_the_same_on_the_other_side() -> None:
    found = identity_of(json.dumps(identity_object(GOOD)).encode())
    assert found.via == "delegated"
    assert (found.subject, found.name, found.admin) == (GOOD.subject, GOOD.name, GOOD.admin)
    assert (found.grants, found.key, found.expires) == (GOOD.grants, GOOD.key, GOOD.expires)


def test_the_host_is_asked_with_our_token_about_theirs() -> None:
    async def story(world: World) -> None:
        assert (await world.identify()).subject == GOOD.subject
        (request,) = world.host.asked
        assert (request.method, str(request.url)) == ("POST", f"https://auth.example{IDENTIFY}")
        assert request.headers["authorization"] == f"Bearer {SERVICE}"
        assert json.loads(request.content) == {"token": TOKEN}

    play(story)


def test_an_answer_is_used_for_half_a_minute_and_no_longer() -> None:
    async def story(world: World) -> None:
        await world.identify()
        world.now += 29.9
        world.host.says = httpx.ConnectError("gone")
        await world.identify()
        world.now += 0.1
        with pytest.raises(Overloaded):
            await world.identify()

    play(story)


def test_an_answer_is_not_used_beyond_the_end_of_its_token() -> None:
    async def story(world: World) -> None:
        world.today = 1_000_000.0 - 7.0
        await world.identify()
        world.now += 7.0
        await world.identify()
        assert len(world.host.asked) == 2

    play(story)


def test_the_time_that_an_answer_took_is_not_added_to_its_use() -> None:
    async def story(world: World) -> None:
        world.host.gate = asyncio.Event()
        asking = asyncio.create_task(world.identify())
        await world.host.was_asked.wait()
        world.now += 4.0
        world.host.gate.set()
        await asking
        world.now += 26.0
        await world.identify()
        assert len(world.host.asked) == 2

    play(story)


def test_a_token_that_is_not_good_is_asked_about_again_after_five_seconds() -> None:
    async def story(world: World) -> None:
        world.host.says = httpx.Response(
            200, json=invalid_object("auth.identity", Unauthenticated(reason="expired"))
        )
        for _ in range(3):
            with pytest.raises(Unauthenticated, match="invalid token") as caught:
                await world.identify()
            assert caught.value.reason == "expired"
        assert len(world.host.asked) == 1
        world.now += 5.0
        world.host.says = said()
        await world.identify()

    play(story)


def test_whoever_tries_tokens_drives_out_no_good_ones() -> None:
    async def story(world: World) -> None:
        await world.identify()
        world.host.says = httpx.Response(
            200, json=invalid_object("auth.identity", Unauthenticated())
        )
        for number in range(10):
            with pytest.raises(Unauthenticated):
                await world.identify(f"a.b.{number}")
        asked = len(world.host.asked)
        await world.identify()
        assert len(world.host.asked) == asked

    play(story, most=3)


def test_what_is_remembered_has_a_bound() -> None:
    async def story(world: World) -> None:
        for number in range(4):
            await world.identify(f"a.b.{number}")
        await world.identify("a.b.3")
        assert len(world.host.asked) == 4
        await world.identify("a.b.0")
        assert len(world.host.asked) == 5

    play(story, most=3)


def test_all_who_wait_for_one_answer_cause_one_question() -> None:
    async def story(world: World) -> None:
        world.host.gate = asyncio.Event()
        asking = [asyncio.create_task(world.identify()) for _ in range(20)]
        await world.host.was_asked.wait()
        # One who leaves takes the answer from nobody.
        asking[0].cancel()
        world.host.gate.set()
        found = await asyncio.gather(*asking, return_exceptions=True)
        assert isinstance(found[0], asyncio.CancelledError)
        assert {one.subject for one in found[1:] if isinstance(one, Identity)} == {GOOD.subject}
        assert len(world.host.asked) == 1

    play(story)


def test_an_identity_is_rechecked_by_who_it_is_and_not_all_the_time() -> None:
    async def story(world: World) -> None:
        world.host.says = httpx.Response(200, json={"object": "auth.recheck", "valid": True})
        for _ in range(3):
            await world.identities.recheck(GOOD)
        (request,) = world.host.asked
        assert request.url.path == RECHECK
        assert json.loads(request.content) == {"subject": GOOD.subject, "key": GOOD.key}
        world.now += 30.0
        world.host.says = httpx.Response(200, json={"valid": False, "reason": "revoked"})
        with pytest.raises(Unauthenticated) as caught:
            await world.identities.recheck(GOOD)
        assert caught.value.reason == "revoked"

    play(story)


def test_work_that_was_left_here_goes_on_when_its_token_is_over() -> None:
    async def story(world: World) -> None:
        world.today = 1_000_000.0 + 60.0
        world.host.says = httpx.Response(200, json={"object": "auth.recheck", "valid": True})
        for _ in range(3):
            await world.identities.recheck(GOOD)
        assert len(world.host.asked) == 1

    play(story)


@pytest.mark.parametrize(
    "token", ["", "x", "a.b", "a.b.c.d", "a.b.c\n", "a. b.c", "a.b.ü", "a." + "b" * 8192 + ".c"]
)
def test_what_is_no_token_is_refused_without_asking(token: str) -> None:
    async def story(world: World) -> None:
        with pytest.raises(Unauthenticated):
            await world.identify(token)
        assert world.host.asked == []

    play(story)


FAULTS: dict[str, tuple[Answer, str]] = {
    "refused": (httpx.ConnectError("refused"), "ConnectError"),
    "slow": (httpx.ReadTimeout("slow"), "ReadTimeout"),
    "bad certificate": (httpx.ConnectError("CERTIFICATE_VERIFY_FAILED"), "CERTIFICATE"),
    "500": (httpx.Response(500), "status 500"),
    "503": (httpx.Response(503), "status 503"),
    "429": (httpx.Response(429), "status 429"),
    "redirect": (httpx.Response(307, headers={"Location": "https://evil.example/"}), "status 307"),
    "our token is bad": (httpx.Response(401), "--auth-token is no good token"),
    "our token grants too little": (httpx.Response(403), "does not grant `delegation`"),
    "no Kronk": (httpx.Response(404), "no Kronk"),
    "open": (httpx.Response(409), "does not check tokens"),
    "no JSON": (httpx.Response(200, content=b"<html>"), "makes no sense"),
    "no object": (httpx.Response(200, json=[1]), "makes no sense"),
    "nothing": (httpx.Response(200, json={}), "makes no sense"),
    "valid is a word": (said(valid="true"), "makes no sense"),
    "nobody": (said(subject=None), "makes no sense"),
    "empty subject": (said(subject=""), "makes no sense"),
    "admin is a number": (said(admin=1), "makes no sense"),
    "grants are a list": (said(grants=[]), "makes no sense"),
    "a limit is none": (said(grants={"endpoints": {"chat-completions": 3}}), "makes no sense"),
    "expires is NaN": (
        httpx.Response(200, content=b'{"valid": true, "subject": "x", "expires": NaN}'),
        "makes no sense",
    ),
    "endless": (httpx.Response(200, content=b" " * 70_000), "too large"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_what_the_host_does_not_answer_properly_is_a_503_and_the_log_says_why(case: str) -> None:
    async def story(world: World) -> None:
        world.host.says, reason = FAULTS[case]
        with capture_logs() as logs, pytest.raises(Overloaded) as caught:
            await world.identify()
        assert caught.value.message == "the authentication host does not answer"
        assert caught.value.retry_after
        (line,) = logs
        assert reason in line["reason"]
        assert TOKEN not in str(logs)
        assert SERVICE not in str(logs)
        # Nothing of that is kept: what is right again is right at once.
        world.host.says = said()
        assert (await world.identify()).subject == GOOD.subject

    play(story)


def test_the_same_complaint_is_not_repeated_all_the_time() -> None:
    async def story(world: World) -> None:
        world.host.says = httpx.Response(503)
        with capture_logs() as logs:
            for _ in range(5):
                with pytest.raises(Overloaded):
                    await world.identify()
        assert len(logs) == 1

    play(story)


def test_a_kept_connection_that_was_just_closed_is_not_a_failure() -> None:
    async def story(world: World) -> None:
        world.host.script = [httpx.RemoteProtocolError("Server disconnected")]
        assert (await world.identify()).subject == GOOD.subject
        assert len(world.host.asked) == 2

    play(story)


@pytest.mark.parametrize(
    ("says", "events"),
    [
        (said(expires=None), ["the authentication host answers"]),
        (said(expires=500_000.0 + 15 * 86_400), ["the authentication host answers"]),
        (
            said(expires=500_000.0 + 86_400),
            [
                "the token of --auth-token ends soon, and nobody is let in after that",
                "the authentication host answers",
            ],
        ),
        (
            httpx.Response(403),
            ["the authentication host is of no use", "nobody with a token is let in for now"],
        ),
    ],
)
def test_at_the_start_the_log_says_whether_the_host_will_be_of_use(
    says: httpx.Response, events: list[str]
) -> None:
    async def story(world: World) -> None:
        world.host.says = says
        with capture_logs() as logs:
            await greet(world.identities, "own.service.token", 500_000.0)
        assert [line["event"] for line in logs] == events

    play(story)
