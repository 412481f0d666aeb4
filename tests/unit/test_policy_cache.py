"""Decisions are asked for once, remembered for as long as they hold, and never guessed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from kronk.gateway.access.policy import Policy, Question
from kronk.gateway.access.policy.cache import DecisionCache
from kronk.gateway.access.policy.decision import Decision, PolicyFailed
from kronk.gateway.access.rules import READING, Gate, inference
from kronk.shared.errors import PermissionDenied, Unauthenticated
from kronk.shared.security.grants import Grants, Limit
from kronk.shared.security.identity import ANONYMOUS, Identity

CHAT = Gate(inference("chat-completions"), "POST", "/v1/chat/completions")
SOMEBODY = Identity("a-subject", name="somebody", key="a-key")
QUESTION = Question("protected", CHAT, SOMEBODY, "kronk")
YES, NO = {"allow": True}, {"allow": False, "reason": "at_night"}


@dataclass
class Fake:
    """A source that says what it is told to, and counts."""

    result: Any = field(default_factory=lambda: dict(YES))
    version: str = "one"
    default_seconds: float | None = None
    most_seconds: float | None = None
    problem: str | None = None
    asked: list[Mapping[str, Any]] = field(default_factory=list)
    gate: asyncio.Event | None = None
    due: bool = False

    def is_due(self) -> bool:
        return self.due

    async def renew(self) -> None:
        self.due = False
        self.version += "+"

    async def answer(self, document: Mapping[str, Any]) -> Any:
        self.asked.append(document)
        result = self.result
        if self.gate is not None:
            await self.gate.wait()
        if isinstance(result, Exception):
            raise result
        return result

    async def close(self) -> None:
        pass


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class House:
    """A policy with all its surroundings."""

    def __init__(self, **fake: Any) -> None:
        self.source = Fake(**fake)
        self.clock = Clock()
        self.stamp = 0
        self.policy = Policy(
            "protected", "kronk", self.source, lambda: self.stamp, self.clock, self.clock
        )

    async def ask(self, question: Question = QUESTION) -> Decision:
        return await self.policy.decide(question)

    @property
    def count(self) -> int:
        return len(self.source.asked)


async def settled() -> None:
    """Whatever can go on has done so."""
    for _ in range(5):
        await asyncio.sleep(0)


async def asks(house: House, *questions: Question) -> int:
    """How often the source is asked for these, one after another."""
    before = house.count
    for question in questions:
        await house.ask(question)
    return house.count - before


def test_the_same_question_is_asked_once() -> None:
    async def run() -> None:
        house = House()
        assert await asks(house, QUESTION, QUESTION, replace(QUESTION)) == 1

    asyncio.run(run())


LIMITED = replace(SOMEBODY, grants=Grants({"chat-completions": Limit(5, "day")}))


@pytest.mark.parametrize(
    "other",
    [
        replace(QUESTION, mode="authenticated"),
        replace(QUESTION, problem="invalid"),
        replace(QUESTION, issuer="other"),
        replace(QUESTION, gate=replace(CHAT, method="GET")),
        replace(QUESTION, gate=replace(CHAT, path="/api/chat")),
        replace(QUESTION, gate=replace(CHAT, access=READING)),
        replace(QUESTION, gate=replace(CHAT, access=inference("embeddings"))),
        *(
            replace(QUESTION, identity=identity)
            for identity in (
                ANONYMOUS,
                replace(SOMEBODY, subject="another"),
                replace(SOMEBODY, name="another"),
                replace(SOMEBODY, admin=True),
                replace(SOMEBODY, key="another"),
                replace(SOMEBODY, via="delegated"),
                LIMITED,
                replace(SOMEBODY, grants=Grants({"chat-completions": Limit(0, "day")})),
                replace(SOMEBODY, grants=Grants(models=("Tiny",))),
            )
        ),
    ],
)
def test_what_a_policy_can_tell_apart_is_asked_apart(other: Question) -> None:
    async def run() -> None:
        house = House()
        assert await asks(house, QUESTION, other, QUESTION, other) == 2

    asyncio.run(run())
    assert other.to_input() != QUESTION.to_input()


def test_a_thousand_requests_of_one_new_token_are_one_question() -> None:
    async def run() -> None:
        house = House(gate=asyncio.Event())
        waiting = [asyncio.create_task(house.ask()) for _ in range(1000)]
        await settled()
        # Those who go away take the answer from nobody.
        for task in waiting[:500]:
            task.cancel()
        await settled()
        assert house.source.gate is not None
        house.source.gate.set()
        decisions = await asyncio.gather(*waiting[500:])
        assert {decision.allow for decision in decisions} == {True}
        assert house.count == 1

    asyncio.run(run())


@pytest.mark.parametrize(
    ("own", "default", "most", "expires", "holds"),
    [
        (None, None, None, None, None),
        (60.0, None, None, None, 60.0),
        (None, 30.0, 300.0, None, 30.0),
        (200.0, 30.0, 300.0, None, 200.0),
        (900.0, 30.0, 300.0, None, 300.0),
        (None, None, None, 1010.0, 10.0),
        (60.0, None, None, 1010.0, 10.0),
        (5.0, None, None, 1010.0, 5.0),
    ],
)
def test_a_decision_holds_as_long_as_policy_source_and_token_do(
    own: float | None,
    default: float | None,
    most: float | None,
    expires: float | None,
    holds: float | None,
) -> None:
    async def run() -> None:
        result = YES if own is None else YES | {"cache_seconds": own}
        house = House(result=result, default_seconds=default, most_seconds=most)
        question = replace(QUESTION, identity=replace(SOMEBODY, expires=expires))
        assert (await house.ask(question)).cache_seconds == holds
        house.clock.now += (10**9 if holds is None else holds) - 0.001
        assert await asks(house, question) == 0
        if holds is not None:
            house.clock.now += 0.001
            assert await asks(house, question) == 1

    asyncio.run(run())


@pytest.mark.parametrize(
    ("own", "expires"), [(0, None), (None, 1000.0), (None, 900.0)], ids=["zero", "now", "before"]
)
def test_what_does_not_hold_at_all_is_asked_each_time(
    own: float | None, expires: float | None
) -> None:
    async def run() -> None:
        house = House(result=YES if own is None else YES | {"cache_seconds": own})
        question = replace(QUESTION, identity=replace(SOMEBODY, expires=expires))
        assert await asks(house, question, question) == 2

    asyncio.run(run())


def test_when_keys_revocations_or_policies_change_everything_is_asked_again() -> None:
    async def run() -> None:
        house = House()
        assert await asks(house, QUESTION) == 1
        house.stamp = 1
        assert await asks(house, QUESTION, QUESTION) == 1
        house.source.version = "two"
        assert await asks(house, QUESTION, QUESTION) == 1
        house.source.due = True
        assert await asks(house, QUESTION, QUESTION) == 1

    asyncio.run(run())


def test_a_decision_on_its_way_while_something_changes_is_not_remembered() -> None:
    async def run() -> None:
        house = House(gate=asyncio.Event())
        early = asyncio.create_task(house.ask())
        await settled()
        house.stamp = 1
        house.source.result = NO
        late = asyncio.create_task(house.ask())
        await settled()
        assert house.count == 2, "who asks after the change is not answered from before"
        assert house.source.gate is not None
        house.source.gate.set()
        await asyncio.gather(early, late)
        assert await asks(house, QUESTION) == 0
        assert (await house.ask()).allow is False

    asyncio.run(run())


@pytest.mark.parametrize("result", [PolicyFailed("down"), {}, None, {"allow": "yes"}])
def test_without_an_answer_nobody_is_let_in_and_nothing_is_remembered(result: Any) -> None:
    async def run() -> None:
        house = House(result=result)
        for _ in range(2):
            with pytest.raises(PolicyFailed) as caught:
                await house.policy.check(CHAT, SOMEBODY, None)
            assert (caught.value.status, caught.value.code) == (503, "overloaded")
        assert house.count == 2
        house.source.result = YES
        await house.policy.check(CHAT, SOMEBODY, None)

    asyncio.run(run())


def test_the_models_that_a_policy_leaves_are_those_of_the_answer() -> None:
    async def run() -> None:
        house = House(result=YES | {"models": ["Tiny*"]})
        for _ in range(2):
            assert await house.policy.check(CHAT, SOMEBODY, None) == ("Tiny*",)
        house.source.result, house.stamp = YES, 1
        assert await house.policy.check(CHAT, SOMEBODY, None) is None

    asyncio.run(run())


def test_a_refusal_is_raised_also_when_it_is_remembered() -> None:
    async def run() -> None:
        house = House(result=NO)
        for _ in range(2):
            with pytest.raises(PermissionDenied):
                await house.policy.check(CHAT, SOMEBODY, None)
        assert house.count == 1

    asyncio.run(run())


@pytest.mark.parametrize(
    ("reason", "named"),
    [("expired", "expired"), ("revoked", "revoked"), ("no key \n x", "invalid"), (None, "invalid")],
)
def test_a_policy_is_told_what_is_wrong_with_a_token_and_nothing_that_is_in_it(
    reason: str | None, named: str
) -> None:
    async def run() -> None:
        house = House(result={"allow": False, "reason": "invalid_token"})
        problem = Unauthenticated(reason=reason)
        with pytest.raises(Unauthenticated) as caught:
            await house.policy.check(CHAT, ANONYMOUS, problem)
        assert caught.value is problem
        [document] = house.source.asked
        assert document["problem"] == named
        assert document["token"] is None

    asyncio.run(run())


def test_a_decision_is_logged_when_it_is_made_and_a_refusal_each_time() -> None:
    async def run() -> list[Any]:
        house = House()
        with capture_logs() as lines:
            await house.ask()
            await house.ask()
            house.source.result, house.stamp = NO, 1
            await house.ask()
            await house.ask()
        return lines

    lines = asyncio.run(run())
    assert [(line["allow"], line["reason"]) for line in lines] == [
        (True, "ok"),
        (False, "at_night"),
        (False, "at_night"),
    ]
    assert (
        lines[0]
        | {
            "subject": "a-subject",
            "name": "somebody",
            "class": "inference",
            "endpoint": "chat-completions",
            "policy": "one",
        }
        == lines[0]
    )


def test_who_is_refused_again_and_again_does_not_fill_the_log() -> None:
    async def run() -> list[Any]:
        house = House(result=NO)
        with capture_logs() as lines:
            for _ in range(500):
                await house.ask()
            house.clock.now += 3
            await house.ask()
        return lines

    lines = asyncio.run(run())
    assert len(lines) == 21
    assert lines[-1]["unsaid_before"] == 480


def test_who_is_refused_cannot_hide_that_the_policy_fails() -> None:
    async def run() -> list[Any]:
        house = House(result=NO)
        with capture_logs() as lines:
            for _ in range(100):
                await house.ask()
            house.source.result, house.stamp = PolicyFailed("down"), 1
            with pytest.raises(PolicyFailed):
                await house.ask()
        return lines

    assert asyncio.run(run())[-1]["reason"] == "down"


def test_when_the_server_ends_nobody_new_is_let_in() -> None:
    async def run() -> None:
        house = House(gate=asyncio.Event())
        waiting = asyncio.create_task(house.ask())
        await settled()
        await house.policy.close()
        with pytest.raises(PolicyFailed):
            await waiting
        with pytest.raises(PolicyFailed):
            await house.ask()

    asyncio.run(run())


def test_the_cache_is_bounded_and_forgets_what_was_not_used_longest() -> None:
    cache, yes = DecisionCache(most=2), Decision(True, "ok")
    cache.enter(1)
    for key in ("a", "b"):
        cache.put(key, yes, 10.0, 1)
    assert cache.get("a", 0.0)
    cache.put("c", yes, 10.0, 1)
    assert len(cache) == 2
    assert [key for key in "abc" if cache.get(key, 0.0)] == ["a", "c"]
    cache.enter(2)
    assert len(cache) == 0
