"""What was begun with a token that is taken back: which requests end, and how."""

from __future__ import annotations

import asyncio

import pytest

from fakes.exchange_world import JOB, W, World
from kronk.gateway.access.live import Bearer, LiveWatch, by_bearer, still_good, which_end
from kronk.gateway.job import inspect
from kronk.shared.errors import KronkError, Overloaded, Unauthenticated
from kronk.shared.security.identity import ANONYMOUS, OPEN, Identity
from kronk.shared.wire.to_gateway import Granted
from kronk.shared.wire.to_supervisor import LeaseReturn
from kronk.shared.wire.to_worker import Cancel, Embed, Inspect, Submit

ANN = Identity("ann", key="key 1")
BOB = Identity("bob", key="key 1")
BOBS_OTHER = Identity("bob", key="key 2")
FAR = Identity("far", key="key 1", via="delegated")
# What a login has left to be done, and one whose request runs.
SESSION = Identity(None, admin=True, via="session")
HERE = Identity("admin", admin=True, via="session", session="a1b2")
REVOKED = Unauthenticated(reason="revoked")
NO_SESSION = Unauthenticated("the session was ended", reason="no such session")
NO_KEY = Unauthenticated(reason="unknown key")


SAID = "the token was revoked"


def bearer(identity: Identity) -> Bearer:
    return identity.subject, identity.session or identity.key


@pytest.mark.parametrize(
    ("bad", "problem", "ended"),
    [
        pytest.param(None, None, {}, id="all are good"),
        pytest.param(ANN, REVOKED, {"a1": SAID, "a2": SAID}, id="all she has"),
        pytest.param(BOB, NO_KEY, {"b": "invalid token"}, id="one of his two tokens"),
        pytest.param(FAR, REVOKED, {"f": SAID}, id="another Kronk's"),
        pytest.param(HERE, NO_SESSION, {"h": "the session was ended"}, id="a login"),
        pytest.param(ANN, Overloaded("nobody to ask"), {}, id="nobody knows"),
    ],
)
def test_which_end(bad: Identity | None, problem: KronkError | None, ended: dict[str, str]) -> None:
    live = by_bearer(
        [
            (ANN, "a1"),
            (OPEN, "o"),
            (BOB, "b"),
            (ANN, "a2"),
            (BOBS_OTHER, "b2"),
            (FAR, "f"),
            (ANONYMOUS, "-"),
            (SESSION, "s"),
            (HERE, "h"),
        ]
    )
    assert set(live) == {bearer(one) for one in (ANN, BOB, BOBS_OTHER, FAR, HERE)}
    ends = which_end(live, {} if bad is None else {bearer(bad): problem})
    assert {item: why.message for item, why in ends} == ended
    assert all((why.status, why.code) == (401, "unauthenticated") for _, why in ends)


class Rules:
    """Knows who was revoked."""

    def __init__(self, *revoked: Identity) -> None:
        self.revoked = revoked
        self.asked: list[Identity] = []

    async def recheck(self, identity: Identity) -> None:
        self.asked.append(identity)
        if identity in self.revoked:
            raise REVOKED


def look(world: World, rules: Rules) -> None:
    asyncio.run(LiveWatch(world.exchange, rules.recheck).look())


def test_who_was_revoked_loses_what_runs_and_what_waits_and_nobody_else_does() -> None:
    world, rules = World(), Rules(ANN)
    running, beside = world.submitted(by=ANN), world.begin(by=BOB)[1]
    world.exchange.on_control(Granted(beside.id, W))
    waiting = world.begin(by=ANN)[1]
    look(world, rules)
    for run in (running, waiting):
        assert isinstance(run.ended, Unauthenticated)
        assert LeaseReturn(run.id) in world.supervisor
    assert world.told(Cancel) == [Cancel(running.id)]
    assert beside.ended is None
    assert world.exchange.runs == [beside]


def test_each_token_is_looked_at_once_and_nobody_elses() -> None:
    world, rules = World(), Rules()
    for by in (ANN, ANN, BOB, OPEN, SESSION, ANONYMOUS):
        world.begin(by=by)
    look(world, rules)
    assert rules.asked == [ANN, BOB]


def test_a_look_that_fails_is_not_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kronk.gateway.access.live.EVERY", 0.0)
    world, looks = World(), 0
    run = world.begin(by=ANN)[1]

    async def recheck(identity: Identity) -> None:
        nonlocal looks
        looks += 1
        if looks < 3:
            raise OSError("the disk does not answer")
        raise REVOKED

    async def watch() -> None:
        watching = asyncio.create_task(LiveWatch(world.exchange, recheck).run())
        async with asyncio.timeout(10):
            with pytest.raises(Unauthenticated):
                await run.until_accepted()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)

    asyncio.run(watch())
    assert looks == 3


def test_the_subject_of_a_request_goes_to_those_who_share_out() -> None:
    world = World()
    world.submitted(by=ANN)
    assert [ask.subject for ask in world.asked()] == ["ann"]
    assert [ask.subject for ask in world.told(Submit)] == ["ann"]
    world.submitted(inspect("tiny", JOB.ask.prompt), by=ANN)  # type: ignore[union-attr]
    assert world.told(Inspect)
    world.submitted()
    assert [ask.subject for ask in world.asked()] == ["ann", "ann", ""]
    assert not world.told(Embed)


class Control:
    """As far as `still_good` asks it."""

    def __init__(self, problem: KronkError | None) -> None:
        self.problem = problem

    async def recheck(self, identity: Identity) -> None:
        if self.problem is not None:
            raise self.problem


@pytest.mark.parametrize(
    ("identity", "problem", "words"),
    [
        pytest.param(ANN, None, None, id="a good token"),
        pytest.param(ANN, REVOKED, SAID, id="a revoked one"),
        pytest.param(ANN, NO_KEY, "invalid token", id="its key deleted"),
        pytest.param(FAR, Overloaded("nobody to ask"), None, id="nobody knows"),
        pytest.param(OPEN, REVOKED, None, id="no token"),
        pytest.param(SESSION, REVOKED, None, id="a session"),
    ],
)
def test_who_watches_may_go_on_as_long_as_his_token_is_good(
    identity: Identity, problem: KronkError | None, words: str | None
) -> None:
    check = still_good(Control(problem), identity)  # type: ignore[arg-type]
    if words is None:
        asyncio.run(check())
        return
    with pytest.raises(Unauthenticated, match=words):
        asyncio.run(check())
