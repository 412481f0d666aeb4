"""A stream that is silent while it waits gets comments, which no client notices."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import openai
import pytest

from fakes.gateway_house import WORKER, House, done, ended, hang_after
from harness.waiting import wait_until
from kronk.shared.wire.to_gateway import (
    Accepted,
    Delta,
    Failed,
    Finished,
    Granted,
    Refused,
    Waiting,
    WorkerLost,
)
from kronk.shared.wire.to_supervisor import LeaseRequest
from kronk.shared.wire.to_worker import Cancel, Submit

COMMENT = ": keep-alive\n\n"
BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"model": "tiny", "messages": [{"role": "user", "content": "hi"}]},
    "/v1/completions": {"model": "tiny", "prompt": "hi"},
}


@pytest.fixture(scope="module")
def shared_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with House(tmp_path_factory.mktemp("h"), stream_keepalive="20ms") as house:
        yield house


@pytest.fixture
def house(shared_house: House) -> House:
    shared_house.forget()
    return shared_house


@pytest.fixture(params=BODIES)
def path(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def never(ask: LeaseRequest) -> None:
    """The model takes its time to load."""


def silent(submit: Submit) -> Iterator[Any]:
    """The worker takes its time to look at the prompt."""
    yield from ()


class Listener:
    """Reads a stream as it comes."""

    def __init__(self, house: House, path: str) -> None:
        self.text = ""
        self._http = httpx.Client(base_url=house.url, timeout=20)
        body = {**BODIES[path], "stream": True}
        self._stream = self._http.stream("POST", path, json=body)

    def __enter__(self) -> Listener:
        self.answer = self._stream.__enter__()
        self._parts = self.answer.iter_text()
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.__exit__(None, None, None)
        self._http.close()

    def hear(self, count: int) -> None:
        """Until there were that many comments."""
        while self.text.count(COMMENT) < count:
            self.text += next(self._parts)

    def rest(self) -> list[Any]:
        """All events of the stream, once it has ended."""
        self.text += "".join(self._parts)
        events = [one for one in self.text.split("\n\n") if one and not one.startswith(":")]
        found = [one.removeprefix("data: ") for one in events]
        return [one if one == "[DONE]" else json.loads(one) for one in found]


def test_comments_come_while_the_model_loads_and_then_the_answer(house: House, path: str) -> None:
    house.grant = never
    with Listener(house, path) as listener:
        assert listener.answer.status_code == 200
        assert listener.answer.headers["content-type"].startswith("text/event-stream")
        listener.hear(2)
        (ask,) = house.wait_for(LeaseRequest)
        house.control(Granted(ask.lease, WORKER))
        events = listener.rest()
    assert events[-1] == "[DONE]"
    assert events[-2]["choices"][0]["finish_reason"] == "stop"
    # Nothing but comments before the answer, and each of them whole.
    assert listener.text.replace(COMMENT, "").startswith("data: {")
    assert listener.text.startswith(COMMENT * 2)
    assert house.settled()


def test_comments_come_while_the_prompt_is_read(house: House, path: str) -> None:
    house.script = hang_after()
    with Listener(house, path) as listener:
        (submit,) = house.wait_for(Submit)
        listener.hear(3)
        house.data(Delta(submit.request, 0, "late", (1,)), *done(submit.request))
        events = listener.rest()
    assert "late" in listener.text
    assert events[-1] == "[DONE]"
    assert house.settled()


def test_what_is_refused_after_a_comment_is_one_error_event(house: House, path: str) -> None:
    house.grant = never
    with Listener(house, path) as listener:
        listener.hear(1)
        (ask,) = house.wait_for(LeaseRequest)
        house.control(Refused(ask.lease, "model_failed", "it does not load", None, 30.0))
        (event,) = listener.rest()
    assert event["error"]["code"] == "model_failed"
    assert house.settled()


def test_what_the_worker_refuses_after_a_comment_is_one_error_event(
    house: House, path: str
) -> None:
    house.script = silent
    with Listener(house, path) as listener:
        listener.hear(1)
        (submit,) = house.wait_for(Submit)
        house.data(Failed(submit.request, "context_length_exceeded", "9 > 8", "messages"))
        (event,) = listener.rest()
    assert event["error"] == {
        "message": "9 > 8",
        "type": "invalid_request_error",
        "code": "context_length_exceeded",
        "param": "messages",
    }
    assert house.settled()
    assert not house.all(Cancel)


def test_a_worker_that_dies_after_a_comment_is_one_error_event(house: House, path: str) -> None:
    worker = house.fresh_worker()
    house.script = silent
    with Listener(house, path) as listener:
        listener.hear(1)
        house.control(WorkerLost(worker, "tiny", "killed by SIGKILL"))
        (event,) = listener.rest()
    assert event["error"]["code"] == "model_crashed"
    assert house.settled()


def test_the_official_client_raises_what_came_after_a_comment(house: House) -> None:
    house.script = silent
    with (
        openai.OpenAI(base_url=f"{house.url}/v1", api_key="none", max_retries=0) as client,
        client.chat.completions.create(
            model="tiny", messages=[{"role": "user", "content": "hi"}], stream=True
        ) as stream,
    ):
        (submit,) = house.wait_for(Submit)
        house.data(Failed(submit.request, "context_length_exceeded", "9 > 8", "messages"))
        with pytest.raises(openai.APIError, match="9 > 8"):
            list(stream)


def hanging_up(house: House, path: str) -> None:
    """Ask, wait for a comment, and leave."""
    body = json.dumps({**BODIES[path], "stream": True}).encode()
    with socket.create_connection(("127.0.0.1", house.port), timeout=20) as connection:
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        got = b""
        while COMMENT.encode() not in got:
            got += connection.recv(4096)


def test_a_client_that_leaves_among_the_comments_gives_its_lease_back(
    house: House, path: str
) -> None:
    house.grant = never
    hanging_up(house, path)
    assert house.settled()
    assert house.all(Submit) == []


def test_a_client_that_leaves_while_its_prompt_is_read_cancels_it(house: House, path: str) -> None:
    house.script = hang_after()
    hanging_up(house, path)
    (submit,) = house.wait_for(Submit)
    assert house.wait_for(Cancel) == [Cancel(submit.request)]
    assert house.settled()


def test_a_whole_answer_has_no_comments(house: House, path: str) -> None:
    house.script = hang_after()
    with Listener(house, path) as beside:
        (streamed,) = house.wait_for(Submit)
        with httpx.Client(base_url=house.url, timeout=20) as http:

            def finish(submit: Submit) -> Iterator[Any]:
                # Both have been silent for as long.
                yield Accepted(submit.request, 5)
                beside.hear(5)
                yield Finished(submit.request, 0, "stop")
                yield ended(submit.request)

            house.script = finish
            answer = http.post(path, json=BODIES[path])
        assert answer.json()["usage"]
        assert answer.text.startswith("{")
        house.data(*done(streamed.request))
        assert beside.rest()[-1] == "[DONE]"


def test_comments_among_an_answer_break_nothing(house: House) -> None:
    """The client reads what was written between comments as if there were none."""
    house.script = hang_after()
    with openai.OpenAI(base_url=f"{house.url}/v1", api_key="none", max_retries=0) as client:
        for number in range(3):
            with client.chat.completions.create(
                model="tiny", messages=[{"role": "user", "content": "hi"}], stream=True
            ) as stream:
                submit = house.wait_for(Submit, number + 1)[number]
                got, words = [next(stream)], [f"{at} " for at in range(20)]
                for at, word in enumerate(words):
                    house.data(Delta(submit.request, 0, word, (at,)))
                    got.append(next(stream))
                house.data(*done(submit.request))
                got += stream
            texts = [chunk.choices[0].delta.content or "" for chunk in got]
            assert "".join(texts) == "".join(words)


def test_the_connection_serves_again_after_comments(house: House, path: str) -> None:
    house.grant = never
    with httpx.Client(base_url=house.url, timeout=20) as http:
        with http.stream("POST", path, json={**BODIES[path], "stream": True}) as answer:
            parts = answer.iter_text()
            assert next(parts).startswith(COMMENT)
            (ask,) = house.wait_for(LeaseRequest)
            house.control(Granted(ask.lease, WORKER))
            assert "".join(parts).endswith("data: [DONE]\n\n")
        house.grant = lambda ask: Granted(ask.lease, WORKER)
        assert http.post(path, json=BODIES[path]).status_code == 200


def test_the_log_knows_the_error_of_a_stream_that_began_with_a_comment(house: House) -> None:
    house.grant = never
    with Listener(house, "/v1/chat/completions") as listener:
        listener.hear(1)
        (ask,) = house.wait_for(LeaseRequest)
        house.control(Refused(ask.lease, "not_found", "no model tiny", "model", None))
        listener.rest()
        name = listener.answer.headers["x-request-id"]
    (line,) = wait_until(lambda: house.logged(name), "the line in the log")
    assert (line["status"], line["error"]) == (200, "not_found")


def test_comments_come_while_a_conversation_is_made_to_fit(house: House) -> None:
    house.grant = never
    body = {"model": "tiny", "input": "hi", "truncation": "auto", "store": False, "stream": True}
    with (
        httpx.Client(base_url=house.url, timeout=20) as http,
        http.stream("POST", "/v1/responses", json=body) as answer,
    ):
        parts = answer.iter_text()
        assert [next(parts), next(parts)] == [COMMENT, COMMENT]
        (ask,) = house.wait_for(LeaseRequest)
        house.control(Refused(ask.lease, "model_failed", "it does not load", None, 30.0))
        rest = "".join(parts)
    assert "it does not load" in rest
    assert "response.completed" not in rest
    assert house.settled()


# What a stream that waits for its model is told.

MESSAGES = [{"role": "user", "content": "hi"}]
STREAMING: dict[str, dict[str, Any]] = BODIES | {
    "/v1/responses": {"model": "tiny", "input": "hi", "store": False},
    "/v1/messages": {"model": "tiny", "messages": MESSAGES, "max_tokens": 9},
}


@pytest.mark.parametrize("path", STREAMING)
def test_the_comments_of_a_stream_say_how_its_model_is_doing(house: House, path: str) -> None:
    house.grant = never
    body = STREAMING[path] | {"stream": True}
    with (
        httpx.Client(base_url=house.url, timeout=20) as http,
        http.stream("POST", path, json=body) as answer,
    ):
        (ask,) = house.wait_for(LeaseRequest)
        text, parts = "", answer.iter_text()
        for seen, words in (
            (Waiting((7, ask.lease), "loading", "weights", 0.45), "weights 45 %, 2nd"),
            (Waiting((ask.lease,), "loading", "context", 0.0, 2.0), "context, 2 s left, 1st"),
        ):
            house.control(seen)
            comment = f": model loading, {words} in the queue\n"
            while comment not in text:
                text += next(parts)
        house.control(Granted(ask.lease, WORKER))
        text += "".join(parts)
    # The comments are lines of their own, and what is left of the stream is what it was.
    events = [line for line in text.splitlines() if line and not line.startswith(":")]
    assert all(line.startswith(("data: ", "event: ")) for line in events)
    assert '"error":{' not in text
    assert house.settled()


def test_once_it_is_granted_the_comments_say_no_more_of_a_queue(house: House) -> None:
    house.grant = never
    house.script = hang_after()
    with Listener(house, "/v1/completions") as listener:
        (ask,) = house.wait_for(LeaseRequest)
        house.control(Waiting((ask.lease,), "ready"))
        house.control(Granted(ask.lease, WORKER))
        (submit,) = house.wait_for(Submit)
        listener.hear(2)
        assert listener.text.endswith("\n\n: keep-alive\n\n") or listener.text == COMMENT * 2
        house.data(*done(submit.request))
        listener.rest()
    assert house.settled()


def test_lines_of_json_have_no_comments(house: House) -> None:
    house.grant = never
    body = {"model": "tiny", "messages": MESSAGES}
    with Listener(house, "/v1/completions") as beside, ThreadPoolExecutor() as pool:
        asked = pool.submit(httpx.post, f"{house.url}/api/chat", json=body, timeout=20)
        leases = tuple(ask.lease for ask in house.wait_for(LeaseRequest, 2))
        house.control(Waiting(leases, "loading"))
        beside.hear(3)
        for lease in leases:
            house.control(Granted(lease, WORKER))
        lines = [json.loads(line) for line in asked.result().text.splitlines()]
        beside.rest()
    assert lines[-1]["done"] is True
    assert house.settled()
