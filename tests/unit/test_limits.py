"""What a request is charged when it is let in, and what becomes of that when it is over."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from kronk.gateway.access.admission import Admission, Outcome
from kronk.gateway.access.limits import ANONYMOUS_SUBJECT, Limits
from kronk.gateway.access.rules import DISCOVERY, Access, inference
from kronk.shared.errors import Overloaded, PermissionDenied, RateLimited, ServerError
from kronk.shared.model_config import ModelConfig
from kronk.shared.security.counters import Counters
from kronk.shared.security.grants import Grants, Limit
from kronk.shared.security.identity import ANONYMOUS, OPEN, Identity
from kronk.shared.security.rows import Used

CHAT = inference("chat-completions")
# A quarter to midnight.
NOW = datetime(2026, 11, 22, 23, 45, tzinfo=UTC).timestamp()
MIDNIGHT = int(NOW) + 900
GOOD = Outcome(200, None, 7, 5)


@pytest.fixture
def limits(tmp_path: Path) -> Iterator[Limits]:
    made = Limits(Counters(tmp_path / "counters"), clock=lambda: NOW)
    yield made
    made.stop()


def ann(**grants: Any) -> Identity:
    return Identity("ann", grants=Grants(**grants))


def chat(text: str) -> dict[str, Limit]:
    calls, _, window = text.partition("/")
    return {"chat-completions": Limit(int(calls), window)}  # type: ignore[arg-type]


def admit(
    limits: Limits, identity: Identity, access: Access = CHAT, once: str | None = None
) -> Admission:
    return asyncio.run(limits.admit(identity, access, once))


def refused(limits: Limits, identity: Identity, access: Access = CHAT) -> RateLimited:
    with pytest.raises(RateLimited) as caught:
        admit(limits, identity, access)
    return caught.value


def used(limits: Limits) -> dict[str, Used]:
    return {usage.subject: usage.day for usage in limits.counters.usage(NOW)}


def test_headers_tell_of_the_limit_with_every_answer(limits: Limits) -> None:
    identity = ann(endpoints=chat("2/day"))
    expected = {"X-RateLimit-Limit": "2", "X-RateLimit-Reset": str(MIDNIGHT)}
    assert admit(limits, identity).headers == expected | {"X-RateLimit-Remaining": "1"}
    assert admit(limits, identity).headers == expected | {"X-RateLimit-Remaining": "0"}
    error = refused(limits, identity)
    assert error.headers == expected | {"X-RateLimit-Remaining": "0", "X-Should-Retry": "false"}
    assert error.retry_after == 900
    assert error.message == (
        "rate limit exceeded: the 2 calls a day of chat-completions are used up until "
        "2026-11-23T00:00:00Z"
    )


def test_a_short_wait_may_be_waited(tmp_path: Path) -> None:
    late = Limits(Counters(tmp_path), clock=lambda: MIDNIGHT - 59.5)
    admit(late, ann(endpoints=chat("1/day")))
    error = refused(late, ann(endpoints=chat("1/day")))
    late.stop()
    assert error.retry_after == 59.5
    assert "X-Should-Retry" not in error.headers


def test_a_used_up_budget_of_tokens_refuses_and_says_so(limits: Limits) -> None:
    identity = ann(endpoints=chat("9/month"), tokens=Limit(12, "day"))
    admission = admit(limits, identity)
    assert admission.headers["X-RateLimit-Limit"] == "9"
    assert admission.headers["X-RateLimit-Remaining-Tokens"] == "12"
    admission.settle(GOOD)
    error = refused(limits, identity)
    assert "the 12 tokens a day are used up" in error.message
    assert (error.headers["X-RateLimit-Limit"], error.headers["X-RateLimit-Remaining"]) == (
        "12",
        "0",
    )
    assert admit(limits, identity, inference("tokenize")).headers == {}, "nothing is written there"


def test_a_limit_of_zero_is_no_access(limits: Limits) -> None:
    with pytest.raises(PermissionDenied, match="endpoint not authorized"):
        admit(limits, ann(endpoints=chat("0/day")))


ADMIN = Identity("boss", admin=True, grants=Grants(chat("1/day"), (), Limit(0, "day"), 1))


@pytest.mark.parametrize(
    ("identity", "counted"),
    [
        (ann(), "ann"),
        (ann(endpoints={"chat-completions": Limit()}), "ann"),
        (ADMIN, "boss"),
        (ANONYMOUS, ANONYMOUS_SUBJECT),
        (OPEN, None),
    ],
)
def test_calls_without_a_limit_are_counted_and_never_refused(
    limits: Limits, identity: Identity, counted: str | None
) -> None:
    admissions = [admit(limits, identity) for _ in range(3)]
    assert [admission.headers for admission in admissions] == [{}] * 3
    for admission in admissions:
        admission.settle(GOOD)
    assert used(limits) == ({} if counted is None else {counted: Used(3, 21, 15)})


@pytest.mark.parametrize("access", [DISCOVERY, inference("responses", charged=False)])
def test_what_is_not_charged_costs_nothing(limits: Limits, access: Access) -> None:
    identity = ann(endpoints={"responses": Limit(1, "day")}, concurrency=1)
    for _ in range(3):
        assert admit(limits, identity, access).headers == {}
    assert used(limits) == {}


@pytest.mark.parametrize(
    ("outcome", "call", "tokens"),
    [
        (Outcome(200, None, 7, 5), 1, 12),
        (Outcome(200, None), 1, 0),
        # The client was wrong.
        (Outcome(400, "invalid_argument"), 1, 0),
        (Outcome(400, "context_length_exceeded"), 1, 0),
        (Outcome(403, "permission_denied"), 1, 0),
        (Outcome(404, "not_found"), 1, 0),
        (Outcome(422, "prompt_quarantined"), 1, 0),
        # The client left, before and after the first token.
        (Outcome(499, "client_gone", 7, 0), 1, 7),
        (Outcome(200, "client_gone", 7, 3), 1, 10),
        (Outcome(None, None), 1, 0),
        # The server failed.
        (Outcome(503, "overloaded"), 0, 0),
        (Outcome(503, "model_failed"), 0, 0),
        (Outcome(503, "model_crashed"), 0, 0),
        (Outcome(503, "model_unloaded"), 0, 0),
        (Outcome(507, "insufficient_memory"), 0, 0),
        (Outcome(500, "internal"), 0, 0),
        (Outcome(500, None), 0, 0),
        (Outcome(504, "timeout"), 0, 0),
        # After the answer's start.
        (Outcome(200, "model_crashed", 7, 3), 0, 0),
        (Outcome(200, "overloaded", 7, 3), 0, 0),
        (Outcome(200, "cut_off", 7, 3), 0, 0),
        # What was written until then was the client's.
        (Outcome(200, "timeout", 7, 3), 1, 10),
    ],
)
def test_only_what_the_server_failed_at_is_given_back(
    limits: Limits, outcome: Outcome, call: int, tokens: int
) -> None:
    identity = ann(endpoints=chat("5/day"), tokens=Limit(100, "day"))
    admission = admit(limits, identity)
    admission.settle(outcome)
    admission.settle(outcome)
    (usage,) = limits.counters.usage(NOW) or [None]
    day = Used() if usage is None else usage.day
    assert (day.calls, day.tokens) == (call, tokens)


def test_requests_at_once_are_bounded_for_each_subject(limits: Limits) -> None:
    identity = ann(endpoints=chat("100/day"), concurrency=2)
    held = [admit(limits, identity) for _ in range(2)]
    error = refused(limits, identity)
    assert (error.retry_after, error.headers) == (1.0, {})
    assert error.message == "rate limit exceeded: 2 requests at once are granted"
    admit(limits, Identity("bob", grants=identity.grants))
    held.pop().settle(Outcome(499, "client_gone"))
    held.append(admit(limits, identity))
    assert used(limits)["ann"].calls == 3, "who had to wait was not charged"


def test_counting_tokens_is_one_of_the_requests_at_once_and_costs_no_call(limits: Limits) -> None:
    counting = inference("messages", charged=False, works=True)
    identity = ann(endpoints={"messages": Limit(1, "day")}, concurrency=1)
    held = admit(limits, identity, counting)
    with pytest.raises(RateLimited):
        admit(limits, identity, counting)
    held.settle(Outcome(503, "overloaded"))
    admit(limits, identity, counting).settle(GOOD)
    assert (used(limits), limits.running("ann")) == ({}, 0)


def test_a_place_is_not_kept_by_who_has_no_call_left(limits: Limits) -> None:
    identity = ann(endpoints=chat("1/day"), concurrency=2)
    admit(limits, identity).settle(GOOD)
    for _ in range(3):
        refused(limits, identity)
    assert limits.running("ann") == 0


def test_named_work_is_charged_once_and_takes_no_place(limits: Limits) -> None:
    identity = ann(endpoints=chat("1/day"), concurrency=1)
    held = admit(limits, identity, once="batch_1/1")
    again = admit(limits, identity, once="batch_1/1")
    assert limits.running("ann") == 0
    refused(limits, identity)
    again.settle(Outcome(None, "cut_off"))
    held.settle(Outcome(None, "cut_off"))
    assert used(limits) == {}


def broken(*_: object, **__: object) -> None:
    raise ServerError("calls cannot be counted: no space left")


@pytest.mark.parametrize(
    "identity",
    [
        ann(endpoints=chat("5/day")),
        ann(tokens=Limit(5, "day")),
        ann(endpoints=chat("5/day"), concurrency=1),
    ],
)
def test_a_limit_that_cannot_be_counted_lets_nobody_through(
    limits: Limits, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits.counters, "charge", broken)
    with pytest.raises(Overloaded, match="calls cannot be counted now"):
        admit(limits, identity)
    assert limits.running("ann") == 0


def test_who_has_no_limit_is_served_uncounted(
    limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits.counters, "charge", broken)
    admit(limits, ann(concurrency=1)).settle(GOOD)
    assert limits.running("ann") == 0


def test_an_answer_does_not_fail_because_its_tokens_cannot_be_counted(
    limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    admission = admit(limits, ann())
    monkeypatch.setattr(limits.counters, "add_tokens", broken)
    admission.settle(GOOD)


CONFIGS = {
    "Qwen3-8B-Q8_0": ModelConfig(aliases=("chat",)),
    "secret/large": ModelConfig(aliases=("best",)),
}


@pytest.mark.parametrize(
    ("granted", "name", "is_allowed"),
    [
        (None, "anything", True),
        ((), "anything", False),
        (("Qwen3-8B-Q8_0",), "Qwen3-8B-Q8_0", True),
        (("Qwen3-8B-Q8_0",), "Qwen3-8B-Q8_0.gguf", True),
        (("Qwen3-*",), "Qwen3-8B-Q8_0", True),
        (("Qwen3-*",), "Qwen2-8B", False),
        (("Qwen3-*",), "chat", True),
        (("Qwen3-*",), "best", False),
        (("chat",), "chat", True),
        (("chat",), "Qwen3-8B-Q8_0", False),
        (("*",), "secret/large", True),
        (("qwen3-*",), "Qwen3-8B-Q8_0", False),
        (("Qwen3-8B-Q8_0",), "there-is-none", False),
    ],
)
def test_a_model_is_granted_by_its_name_or_its_id(
    granted: tuple[str, ...] | None, name: str, is_allowed: bool
) -> None:
    admission = Admission(ann(models=granted), CHAT)
    assert admission.allows_model(name, CONFIGS) is is_allowed
    assert Admission(ADMIN, CHAT).allows_model(name, CONFIGS)
    # What a policy leaves holds for everybody, beside what is granted.
    assert Admission(ADMIN, CHAT, models=granted).allows_model(name, CONFIGS) is is_allowed
    assert Admission(ann(models=granted), CHAT, models=("*",)).allows_model(name, CONFIGS) is (
        is_allowed
    )
    assert not Admission(ann(models=granted), CHAT, models=()).allows_model(name, CONFIGS)


class Places(RuleBasedStateMachine):
    """Each request that got a place gives it back once, however it ends."""

    base = Path()

    @initialize()
    def begin(self) -> None:
        self.held: list[Admission] = []
        self.over: list[Admission] = []
        self.calls = 0
        self.limits = Limits(Counters(self.base), clock=lambda: NOW)
        self.before = sum(use.calls for use in used(self.limits).values())

    @rule(one=st.booleans())
    def ask(self, one: bool) -> None:
        grants = Grants(chat("100000/day"), concurrency=1 if one else 3)
        most = 1 if one else 3
        try:
            admission = admit(self.limits, Identity("ann", grants=grants))
        except RateLimited:
            assert len(self.held) >= most
            return
        assert len(self.held) < most
        self.held.append(admission)
        self.calls += 1

    @rule(
        data=st.data(),
        outcome=st.sampled_from([GOOD, Outcome(499, "client_gone"), Outcome(503, "overloaded")]),
        again=st.booleans(),
    )
    def end(self, data: st.DataObject, outcome: Outcome, again: bool) -> None:
        if not self.held:
            return
        admission = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
        for _ in range(2 if again else 1):
            admission.settle(outcome)
        self.calls -= outcome.error == "overloaded"

    @invariant()
    def places_and_calls_add_up(self) -> None:
        if hasattr(self, "limits"):
            assert self.limits.running("ann") == len(self.held)
            calls = sum(use.calls for use in used(self.limits).values())
            assert calls - self.before == self.calls

    def teardown(self) -> None:
        if hasattr(self, "limits"):
            self.limits.stop()


def test_places_are_given_back_once(tmp_path: Path) -> None:
    Places.base = tmp_path
    run_state_machine_as_test(
        Places, settings=settings(max_examples=15, stateful_step_count=20, deadline=None)
    )
