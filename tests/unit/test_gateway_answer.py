"""Carrying an operation out, in this process: what is sent, in which order, and what is not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.types import ASGIApp
from structlog.testing import capture_logs

from kronk.gateway.access.admission import Admission
from kronk.gateway.access.rules import Gate, inference
from kronk.gateway.answer import respond
from kronk.gateway.dialects.openai.chat_answer import ChatChunks
from kronk.gateway.dialects.openai.chat_whole import ChatWhole
from kronk.gateway.edge.prompt_log import PromptLog
from kronk.gateway.exchange import Exchange
from kronk.gateway.job import WINDOW, generate
from kronk.gateway.middleware import DIRECT_PART
from kronk.gateway.operation import Operation
from kronk.gateway.record import Record
from kronk.gateway.recovery import Policy
from kronk.shared.errors import Conflict, KronkError, ModelFailed
from kronk.shared.security.identity import OPEN
from kronk.shared.wire.sockets import worker_identity
from kronk.shared.wire.to_gateway import (
    Accepted,
    Attach,
    Delta,
    Done,
    Finished,
    Granted,
    Refused,
    Started,
)
from kronk.shared.wire.to_supervisor import LeaseRequest, LeaseReturn
from kronk.shared.wire.to_worker import Credit
from kronk.shared.wire.values import Answer, Prompt, Sampling, Timings, Usage

W = 7
COMMENT = b": keep-alive\n\n"
Settle = Callable[[], Awaitable[None]]


@dataclass
class Parts:
    """The server's way to write a part at once; what was written is among what was sent."""

    sent: list[dict[str, Any]]
    has_room: bool = True
    written: int = 0

    def write(self, part: bytes) -> None:
        assert self.has_room
        self.written += 1
        self.sent.append({"type": "http.response.body", "body": part, "more_body": True})


@dataclass
class World:
    """An exchange, a connection that can be stopped, and what was sent on it."""

    keepalive: float = 0.0
    said: list[Any] = field(default_factory=list)
    sent: list[dict[str, Any]] = field(default_factory=list)
    settled: int = 0

    def __post_init__(self) -> None:
        self.room = asyncio.Event()
        self.room.set()
        self.left = asyncio.Event()
        # What was written past `send`, where that is possible.
        self.parts: Parts | None = None
        # How many sends wait for room.
        self.waiting = 0
        self.exchange = Exchange(
            3,
            self.said.append,
            lambda worker, message: self.said.append(message),
            lambda: None,
            asyncio.get_running_loop().call_later,
            Policy(),
            asyncio.get_running_loop().time,
        )
        self.record = Record("r", admission=Admission(OPEN, inference("chat-completions")))
        self.say(Attach())

    def say(self, *messages: Any) -> None:
        for message in messages:
            self.exchange.on_data(worker_identity(W), W, message)

    async def send(self, message: Any) -> None:
        # As the server does: it waits before it writes, and writes all or nothing.
        self.waiting += 1
        try:
            await self.room.wait()
        finally:
            self.waiting -= 1
        kinds = [one["type"] for one in self.sent]
        expected = "http.response.body" if kinds else "http.response.start"
        assert message["type"] == expected
        assert not self.sent or self.sent[-1].get("more_body", True), "nothing follows the end"
        self.sent.append(message)

    async def receive(self) -> Any:
        await self.left.wait()
        return {"type": "http.disconnect"}

    @property
    def body(self) -> bytes:
        return b"".join(one.get("body", b"") for one in self.sent)

    def lease(self) -> int:
        (ask,) = (one for one in self.said if isinstance(one, LeaseRequest))
        return int(ask.lease)

    def returned(self) -> int:
        return sum(isinstance(one, LeaseReturn) for one in self.said)

    def answering(
        self,
        *,
        streamed: bool = True,
        settle: Settle | None = None,
        layer: Callable[[ASGIApp], ASGIApp] | None = None,
    ) -> asyncio.Task[Any]:
        """The task that answers a chat."""
        prompt = Prompt(messages=({"role": "user", "content": "hi"},))
        job = generate("tiny", prompt, Sampling(), Answer(), None, ())
        chunks = ChatChunks("c", "tiny", 0, choices=1, include_usage=False)
        whole = ChatWhole("c", "tiny", 0, choices=1, scored=False)
        services: Any = SimpleNamespace(
            configs={},
            link=SimpleNamespace(exchange=self.exchange),
            settings=SimpleNamespace(
                write_timeout=0.0, stream_keepalive=self.keepalive, media_urls=False
            ),
        )
        response = respond(services, Operation("c", [job], chunks if streamed else whole, settle))
        app = response if layer is None else layer(response)
        scope: Any = {"type": "http", "path": "/", "kronk.record": self.record}
        if self.parts is not None:
            scope[DIRECT_PART] = self.parts
        return asyncio.ensure_future(app(scope, self.receive, self.send))

    async def until(self, true: Callable[[], object]) -> None:
        """Let everything run until that is so."""
        async with asyncio.timeout(20):
            while not true():  # noqa: ASYNC110 - what it waits for has no event of its own
                await asyncio.sleep(0)

    def finish(self) -> None:
        """The worker answers `Hi`."""
        lease = self.lease()
        self.exchange.on_control(Granted(lease, W))
        self.say(Accepted(lease, 5), Delta(lease, 0, "Hi", (1,)), Finished(lease, 0, "stop"))
        self.say(Done(lease, Usage(5, 1), Timings(0.0, 0.0, 0.0)))


def run(test: Callable[[World], Awaitable[None]], keepalive: float = 0.0) -> World:
    """The world after the test."""

    async def live() -> World:
        world = World(keepalive)
        await test(world)
        assert not asyncio.all_tasks() - {asyncio.current_task()}, "a task is left behind"
        assert world.returned() == 1
        return world

    return asyncio.run(live())


def settling(world: World, error: Exception | None = None) -> Settle:
    async def settle() -> None:
        world.settled += 1
        # Nothing of the end is out before what it promises is kept.
        assert b"[DONE]" not in world.body
        if error is not None:
            raise error

    return settle


def test_an_answer_is_settled_before_its_end_is_sent() -> None:
    async def test(world: World) -> None:
        task = world.answering(settle=settling(world))
        await world.until(world.said.__len__)
        world.finish()
        await task

    world = run(test)
    assert world.settled == 1
    assert world.body.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("error", [Conflict("it is gone"), ValueError("a bug")])
def test_a_stream_that_cannot_be_settled_ends_with_one_error(error: Exception) -> None:
    async def test(world: World) -> None:
        task = world.answering(settle=settling(world, error))
        await world.until(world.said.__len__)
        world.finish()
        await task

    world = run(test)
    assert world.body.count(b'"error"') == 1
    assert b"[DONE]" not in world.body
    assert b"a bug" not in world.body
    assert world.sent[-1]["more_body"] is False
    assert world.record.error == ("conflict" if isinstance(error, KronkError) else "internal")


def test_the_time_to_the_first_token_is_not_the_time_to_a_slot() -> None:
    async def test(world: World) -> None:
        task = world.answering()
        await world.until(world.said.__len__)
        lease = world.lease()
        world.exchange.on_control(Granted(lease, W))
        world.say(Accepted(lease, 5), Started(lease, 5, 0))
        await world.until(lambda: b'"role"' in world.body)
        assert world.record.ttft is None
        world.say(Delta(lease, 0, "Hi", (1,)))
        await world.until(lambda: b"Hi" in world.body)
        assert world.record.ttft is not None
        world.say(Finished(lease, 0, "stop"), Done(lease, Usage(5, 1), Timings(0.0, 0.0, 0.0)))
        await task

    run(test)


def test_a_whole_answer_that_cannot_be_settled_is_an_error() -> None:
    async def test(world: World) -> None:
        task = world.answering(streamed=False, settle=settling(world, Conflict("it is gone")))
        await world.until(world.said.__len__)
        world.finish()
        with pytest.raises(Conflict):
            await task

    assert run(test).sent == []


def test_a_comment_that_had_no_room_yet_leaves_a_refusal_its_status() -> None:
    """The pacemaker is about to start the answer when the model turns out not to load."""

    async def test(world: World) -> None:
        world.room.clear()
        task = world.answering()
        await world.until(lambda: world.waiting)
        world.exchange.on_control(Refused(world.lease(), "model_failed", "no", None, None))
        with pytest.raises(ModelFailed):
            await task
        world.room.set()

    assert run(test, keepalive=0.001).sent == []


def test_an_answer_that_overtakes_a_comment_without_room_is_whole() -> None:
    async def test(world: World) -> None:
        world.room.clear()
        task = world.answering()
        await world.until(lambda: world.waiting)
        world.finish()
        await asyncio.sleep(0)
        world.room.set()
        await task

    world = run(test, keepalive=0.001)
    assert [one["type"] for one in world.sent].count("http.response.start") == 1
    chunks = world.body.replace(COMMENT, b"").split(b"\n\n")
    assert [b"role" in one for one in chunks[:2]] == [True, False]
    assert chunks[-2:] == [b"data: [DONE]", b""]


def test_a_client_that_reads_nothing_gets_no_heap_of_comments() -> None:
    async def test(world: World) -> None:
        task = world.answering()
        await world.until(lambda: COMMENT in world.body)
        world.room.clear()
        await world.until(lambda: world.waiting)
        before = len(world.sent)
        for _ in range(1000):
            await asyncio.sleep(0)
        assert (world.waiting, len(world.sent)) == (1, before)
        world.left.set()
        world.room.set()
        await task

    world = run(test, keepalive=1e-6)
    assert world.record.error == "client_gone"


def test_nothing_follows_the_end_however_fast_the_pacemaker_is() -> None:
    async def test(world: World) -> None:
        task = world.answering()
        await world.until(lambda: world.body.count(COMMENT) > 3)
        world.finish()
        await task

    world = run(test, keepalive=1e-6)
    assert world.body.endswith(b"data: [DONE]\n\n")


def test_tokens_are_written_where_they_arrive_and_wait_while_there_is_no_room() -> None:
    async def test(world: World) -> None:
        parts = world.parts = Parts(world.sent)
        task = world.answering()
        await world.until(world.said.__len__)
        lease = world.lease()
        world.exchange.on_control(Granted(lease, W))
        world.say(Accepted(lease, 5))
        # The task has sent what comes before the first token, and waits.
        await world.until(lambda: len(world.sent) == 2)
        turn = world.exchange.turn
        turn.begin()
        world.say(Delta(lease, 0, "one ", (1,)), Delta(lease, 0, "two ", (2,)))
        assert parts.written == 0
        turn.end()
        assert parts.written == 1
        parts.has_room = False
        world.room.clear()
        world.say(Delta(lease, 0, "three ", (3,)))
        await world.until(lambda: world.waiting)
        parts.has_room = True
        # Behind what still waits, although there is room again.
        world.say(Delta(lease, 0, "four ", (4,)))
        world.room.set()
        await world.until(lambda: b"four" in world.body)
        world.say(Delta(lease, 0, "five", (5,)), Finished(lease, 0, "stop"))
        world.say(Done(lease, Usage(5, 5), Timings(0.0, 0.0, 0.0)))
        await task

    world = run(test)
    words = [b"one", b"two", b"three", b"four", b"five", b"[DONE]"]
    assert sorted(words, key=world.body.index) == words
    assert all(world.body.count(word) == 1 for word in words)


def test_with_prompts_in_the_log_no_token_passes_it_by() -> None:
    async def test(world: World) -> None:
        world.parts = Parts(world.sent)
        world.record.gate = Gate(inference("chat-completions"), "POST", "/")
        task = world.answering(layer=PromptLog)
        await world.until(world.said.__len__)
        lease = world.lease()
        world.exchange.on_control(Granted(lease, W))
        world.say(Accepted(lease, 5))
        await world.until(lambda: len(world.sent) == 2)
        for word in ("one ", "two ", "three"):
            world.say(Delta(lease, 0, word, (1,)))
            await world.until(lambda word=word: word.encode() in world.body)
        world.say(Finished(lease, 0, "stop"), Done(lease, Usage(5, 3), Timings(0.0, 0.0, 0.0)))
        with capture_logs() as lines:
            await task
        (line,) = [one for one in lines if one["event"] == "prompt and answer"]
        assert line["answer"] == world.body.decode()

    run(test)


def test_a_client_whose_tokens_are_written_at_once_pays_for_more() -> None:
    async def test(world: World) -> None:
        world.parts = Parts(world.sent)
        task = world.answering()
        await world.until(world.said.__len__)
        lease = world.lease()
        world.exchange.on_control(Granted(lease, W))
        world.say(Accepted(lease, 5))
        await world.until(lambda: len(world.sent) == 2)
        for number in range(3 * WINDOW):
            world.say(Delta(lease, 0, "x", (number,)))
            await asyncio.sleep(0)
        credit = sum(one.events for one in world.said if isinstance(one, Credit))
        assert 2 * WINDOW < credit <= 3 * WINDOW
        world.say(Finished(lease, 0, "stop"), Done(lease, Usage(5, 9), Timings(0.0, 0.0, 0.0)))
        await task

    run(test)
