"""An Open Policy Agent that decides: whatever goes wrong with it, nobody is let in."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fakes.opa import PATH, Agent, agent
from harness.file_server import CERTIFICATE
from kronk.gateway.access.policy import external
from kronk.gateway.access.policy.decision import PolicyFailed
from kronk.gateway.access.policy.external import External
from kronk.gateway.access.policy.policy import Policy
from kronk.gateway.access.rules import Gate, inference
from kronk.shared.errors import PermissionDenied
from kronk.shared.security.identity import Identity

CHAT = Gate(inference("chat-completions"), "POST", "/v1/chat/completions")
SOMEBODY = Identity("a-subject", name="somebody", key="a-key")


@pytest.fixture
def opa() -> Iterator[Agent]:
    with agent() as found:
        yield found


def checked(url: str, times: int = 1, verify: ssl.SSLContext | None = None) -> External:
    """Check somebody that often; the error is the first one."""

    async def run() -> External:
        source = External(url, verify)
        policy = Policy("protected", "kronk", source)
        try:
            for _ in range(times):
                await policy.check(CHAT, SOMEBODY, None)
        finally:
            await policy.close()
        return source

    return asyncio.run(run())


def test_an_agent_is_asked_by_its_data_api_once_for_equal_questions(opa: Agent) -> None:
    checked(opa.url, times=5)
    [asked] = opa.asked
    assert opa.paths == [PATH]
    assert asked["input"]["endpoint"] == "chat-completions"
    assert asked["input"]["token"]["subject"] == "a-subject"


def test_an_agent_refuses_with_a_word_of_its_own(opa: Agent) -> None:
    opa.result = {"allow": False, "reason": "at_night", "helper": [1, 2]}
    with pytest.raises(PermissionDenied, match="at_night"):
        checked(opa.url)


def test_what_an_agent_says_is_used_for_as_long_as_it_says(opa: Agent) -> None:
    opa.result = {"allow": True, "cache_seconds": 0}
    checked(opa.url, times=3)
    assert len(opa.asked) == 3


BROKEN: dict[str, Callable[[Agent], None]] = {
    "undefined": lambda opa: setattr(opa, "body", b"{}"),
    "not JSON": lambda opa: setattr(opa, "body", b"<html>"),
    "nothing": lambda opa: setattr(opa, "body", b""),
    "a list": lambda opa: setattr(opa, "body", b"[]"),
    "deep": lambda opa: setattr(opa, "body", b"[" * 60_000),
    "too long": lambda opa: setattr(opa, "body", b'{"result": {"allow": true}}' + b" " * 100_000),
    "only true": lambda opa: setattr(opa, "result", True),
    "no decision": lambda opa: setattr(opa, "result", {"reason": "ok"}),
    "a text": lambda opa: setattr(opa, "result", {"allow": "true"}),
    "an error": lambda opa: setattr(opa, "status", 500),
    "another status": lambda opa: setattr(opa, "status", 206),
    "not found": lambda opa: setattr(opa, "status", 404),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_an_agent_that_gives_no_decision_lets_nobody_in(broken: str, opa: Agent) -> None:
    BROKEN[broken](opa)
    with pytest.raises(PolicyFailed) as caught:
        checked(opa.url)
    assert (caught.value.status, caught.value.code) == (503, "overloaded")
    assert caught.value.message == "the policy cannot be evaluated"


def test_an_agent_that_sends_elsewhere_is_not_followed(opa: Agent) -> None:
    opa.status = 302
    opa.headers = {"Location": opa.url + "/elsewhere"}
    with pytest.raises(PolicyFailed):
        checked(opa.url)
    assert opa.paths == [PATH]


def test_an_agent_that_is_not_there_lets_nobody_in() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(PolicyFailed):
            checked(f"http://127.0.0.1:{taken.getsockname()[1]}{PATH}")


@pytest.mark.parametrize("slow", ["silent", "dripping"])
def test_an_agent_that_takes_too_long_lets_nobody_in(
    slow: str, opa: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(external, "_TOTAL_SECONDS", 0.2)
    if slow == "silent":
        opa.hold = threading.Event()
    else:
        opa.drip = 0.05
    with pytest.raises(PolicyFailed, match="cannot be evaluated") as caught:
        checked(opa.url)
    assert "no answer within 0.2 s" in caught.value.why


def test_no_proxy_of_the_environment_is_asked(opa: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    checked(opa.url)
    assert len(opa.asked) == 1


def trusting(*, any_name: bool) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=CERTIFICATE)
    context.check_hostname = not any_name
    return context


def test_an_agent_is_asked_over_tls() -> None:
    with agent(CERTIFICATE) as opa:
        checked(opa.url, verify=trusting(any_name=True))
        assert len(opa.asked) == 1


@pytest.mark.parametrize("verify", [None, trusting(any_name=False)], ids=["issuer", "name"])
def test_an_agent_whose_certificate_is_not_right_is_not_asked(
    verify: ssl.SSLContext | None,
) -> None:
    with agent(CERTIFICATE) as opa:
        with pytest.raises(PolicyFailed) as caught:
            checked(opa.url, verify=verify)
        assert "CERTIFICATE_VERIFY_FAILED" in caught.value.why
        assert opa.asked == []


def test_logs_do_not_have_the_password_of_the_agent() -> None:
    async def run() -> str:
        source = External("https://user:secret@opa.example/v1/data/kronk?token=secret")
        await source.close()
        return source.version

    version = asyncio.run(run())
    assert version == "opa:https://opa.example/v1/data/kronk"


def test_a_thousand_requests_of_one_token_are_one_question(opa: Agent) -> None:
    async def run() -> list[Any]:
        policy = Policy("protected", "kronk", External(opa.url))
        try:
            checks = (policy.check(CHAT, SOMEBODY, None) for _ in range(1000))
            return await asyncio.gather(*checks)
        finally:
            await policy.close()

    asyncio.run(run())
    assert len(opa.asked) == 1
