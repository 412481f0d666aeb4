"""The debug server's own line to the supervisor, which does not go through the gateway's loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
import zmq

from kronk.shared.child import Birth
from kronk.shared.errors import Timeout, WireError, from_code
from kronk.shared.stacks import Taken
from kronk.shared.wire import to_gateway
from kronk.shared.wire.codec import Message
from kronk.shared.wire.debugging import (
    Heap,
    HeapRequest,
    HeapTaken,
    StacksRequest,
    StacksTaken,
)
from kronk.shared.wire.sockets import Channel, PeerGone, connect_dealer, inquirer_identity
from kronk.shared.wire.to_gateway import Status
from kronk.shared.wire.to_supervisor import StatusRequest

log = structlog.get_logger()


class DebugLink:
    """Made on the debug server's loop; `close` when done."""

    def __init__(self, birth: Birth) -> None:
        self._asks: dict[int, asyncio.Future[Message]] = {}
        self._next_ask = 0
        self._context: zmq.Context[Any] = zmq.Context()
        self._channel = Channel(
            connect_dealer(self._context, birth.control, inquirer_identity(birth.generation)),
            birth.generation,
            to_gateway.INQUIRIES,
            self._on_message,
            self._on_bad_frame,
        )

    async def status(self, seconds: float) -> Status:
        """What the supervisor knows of models and processes; `Timeout` when it does not answer."""
        answer = await self._answer(StatusRequest, seconds)
        assert isinstance(answer, Status)
        return answer

    async def heap(self, generation: int, seconds: float, within: float) -> Heap:
        """What that process finds of its own memory in `seconds`; `Timeout` when it, or the
        supervisor, has said nothing `within` so many more."""
        answer = await self._answer(
            lambda ask: HeapRequest(ask, generation, seconds), seconds + within
        )
        assert isinstance(answer, HeapTaken)
        if answer.heap is None:
            raise from_code(answer.code or "internal", answer.message)
        return answer.heap

    async def stacks(self, generation: int, within: float) -> Taken:
        """The stacks of a worker on another host; `Timeout` as above."""
        answer = await self._answer(lambda ask: StacksRequest(ask, generation), within)
        assert isinstance(answer, StacksTaken)
        return Taken(answer.text, answer.silence)

    async def _answer(self, question: Callable[[int], Message], seconds: float) -> Message:
        self._next_ask += 1
        ask = self._next_ask
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._asks[ask] = answer
        try:
            async with asyncio.timeout(seconds):
                await self._channel.send_when_connected(question(ask))
                return await answer
        except (TimeoutError, PeerGone) as error:
            raise Timeout(f"no answer within {seconds:g} s") from error
        finally:
            del self._asks[ask]

    def close(self) -> None:
        """Nothing is asked any more."""
        self._channel.close()
        self._context.destroy(linger=0)

    def _on_message(self, _: bytes, __: int, message: Any) -> None:
        answer = self._asks.get(message.ask)
        if answer is not None and not answer.done():
            answer.set_result(message)

    def _on_bad_frame(self, _: bytes, error: WireError) -> None:
        log.error("unreadable frame", error=error.message)
