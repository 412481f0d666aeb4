"""A token is taken back while its requests run or wait: the real gateway, scripted workers, and the
clients of two vendors."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import anthropic
import httpx
import openai
import pytest

from fakes.gateway_house import House, hang_after
from harness.waiting import wait_until
from kronk.shared.database import Database
from kronk.shared.paths import BasePath
from kronk.shared.security import tokens
from kronk.shared.security.grants import UNLIMITED, Grants
from kronk.shared.security.keys import Keyring
from kronk.shared.wire.to_gateway import Granted
from kronk.shared.wire.to_supervisor import LeaseRequest, LeaseReturn
from kronk.shared.wire.to_worker import Cancel, Submit

ISSUER = "kronk"
FIELDS: dict[str, Any] = {"model": "tiny", "max_tokens": 50}
HI: Any = [{"role": "user", "content": "hi"}]
GRANTS = Grants({"chat-completions": UNLIMITED, "messages": UNLIMITED})
WITHIN = 30.0


@dataclass
class Town:
    """A gateway that asks for tokens, its keys and who was revoked."""

    house: House
    keyring: Keyring
    database: Database
    clients: ExitStack

    def token(self) -> tokens.Issued:
        return tokens.issue(self.keyring, ISSUER, duration=3600.0, grants=GRANTS, now=time.time())

    def revoke(self, issued: tokens.Issued) -> None:
        self.database.table("revoked").put(issued.claims.subject, {"at": time.time()})

    def openai(self, issued: tokens.Issued) -> openai.OpenAI:
        """Closed with the test."""
        client = openai.OpenAI(
            base_url=f"{self.house.url}/v1", api_key=issued.token, max_retries=0, timeout=WITHIN
        )
        self.clients.callback(client.close)
        return client

    def anthropic(self, issued: tokens.Issued) -> anthropic.Anthropic:
        """Closed with the test."""
        client = anthropic.Anthropic(
            base_url=self.house.url, api_key=issued.token, max_retries=0, timeout=WITHIN
        )
        self.clients.callback(client.close)
        return client


@pytest.fixture(scope="module")
def shared_town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with House(tmp_path_factory.mktemp("h"), auth_mode="protected") as house:
        base = BasePath(house.base)
        yield Town(house, Keyring(base.keys), Database(base.db), ExitStack())


@pytest.fixture
def town(shared_town: Town) -> Iterator[Town]:
    house = shared_town.house
    house.forget()
    house.script = hang_after("Hel", "lo")
    house.grant = lambda ask: Granted(ask.lease, house.newest)
    with shared_town.clients:
        yield shared_town


def read(stream: Any) -> Future[list[Any]]:
    """Reads on in a thread of its own; the result is what came, or the error."""
    pool = ThreadPoolExecutor(1)
    reading = pool.submit(lambda: list(stream))
    pool.shutdown(wait=False)
    return reading


def delete_key(town: Town, issued: tokens.Issued) -> None:
    town.keyring.create()
    town.keyring.delete(issued.claims.key)


@pytest.mark.parametrize(
    ("take_back", "words"),
    [
        pytest.param(Town.revoke, "the token was revoked", id="revoked"),
        pytest.param(delete_key, "invalid token", id="its key deleted"),
    ],
)
def test_a_stream_of_who_lost_his_token_ends_with_an_error_event(
    town: Town, take_back: Callable[[Town, tokens.Issued], None], words: str
) -> None:
    ann = town.token()
    town.keyring.create()
    bob = town.token()
    assert ann.claims.key != bob.claims.key
    streams = [
        town.openai(one).chat.completions.create(messages=HI, stream=True, **FIELDS)
        for one in (ann, bob)
    ]
    next(streams[0]), next(streams[1])
    reading = read(streams[0])
    take_back(town, ann)
    with pytest.raises(openai.APIError) as error:
        reading.result(WITHIN)
    assert error.value.message == words
    assert (error.value.code, error.value.type) == ("unauthenticated", "authentication_error")
    submits = town.house.wait_for(Submit, 2)
    (mine,) = [one.request for one in submits if one.subject == ann.claims.subject]
    wait_until(lambda: Cancel(mine) in town.house.all(Cancel), "the worker is told")
    # The other one goes on.
    assert next(streams[1]).choices[0].delta.content
    streams[1].close()


def test_anthropics_client_sees_it_as_its_authentication_error(town: Town) -> None:
    ann = town.token()
    stream = town.anthropic(ann).messages.create(messages=HI, stream=True, **FIELDS)
    next(stream)
    reading = read(stream)
    town.revoke(ann)
    with pytest.raises(anthropic.APIStatusError) as error:
        reading.result(WITHIN)
    said: Any = error.value.body
    assert said["error"]["type"] == "authentication_error"
    assert said["error"]["message"] == "the token was revoked"


@pytest.mark.parametrize("stream", [False, True])
def test_who_waits_for_a_slot_gets_a_real_401(town: Town, stream: bool) -> None:
    ann = town.token()
    town.house.grant = lambda ask: None
    with ThreadPoolExecutor(1) as pool:
        answering = pool.submit(
            httpx.post,
            f"{town.house.url}/v1/chat/completions",
            json={"messages": HI, "stream": stream, **FIELDS},
            headers={"Authorization": f"Bearer {ann.token}"},
            timeout=WITHIN,
        )
        (ask,) = town.house.wait_for(LeaseRequest)
        assert ask.subject == ann.claims.subject
        town.revoke(ann)
        answer = answering.result(WITHIN)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["error"]["message"] == "the token was revoked"
    wait_until(
        lambda: LeaseReturn(ask.lease) in town.house.all(LeaseReturn), "the lease is returned"
    )


def test_a_whole_answer_that_is_being_written_is_a_401_too(town: Town) -> None:
    ann = town.token()
    with ThreadPoolExecutor(1) as pool:
        answering = pool.submit(town.openai(ann).chat.completions.create, messages=HI, **FIELDS)
        (submit,) = town.house.wait_for(Submit)
        town.revoke(ann)
        with pytest.raises(openai.AuthenticationError):
            answering.result(WITHIN)
    wait_until(lambda: Cancel(submit.request) in town.house.all(Cancel), "the worker is told")
