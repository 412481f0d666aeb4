"""What calls came to, on its way to the host that counts them: in the background, and again until
it is there."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from kronk.shared.errors import KronkError, Overloaded

log = structlog.get_logger()

# An hour of outage for a server that answers ten calls with limits in a second would be four times
# that; what is lost then are refunds and counts of tokens, not the calls themselves.
MOST_WAITING = 10_000
PARALLEL = 4
# Seconds between tries: five minutes in all, in which a host has long been started again.
PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 60.0, 60.0, 60.0)


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a charged call came to."""

    charge: str
    # The call failed by a fault of the server, and is not counted.
    refund: bool = False
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Settlements:
    """A bounded queue, and those who empty it. `send` raises `Overloaded` for what may pass."""

    def __init__(
        self,
        send: Callable[[Settlement], Awaitable[None]],
        *,
        most: int = MOST_WAITING,
        pauses: Sequence[float] = PAUSES,
    ) -> None:
        self._send = send
        self._pauses = pauses
        self._waiting: asyncio.Queue[Settlement] = asyncio.Queue(most)
        self._senders: list[asyncio.Task[None]] = []

    def add(self, settlement: Settlement) -> None:
        """Have it sent. Never waits: where there is no room it is lost, and the log says so."""
        if not self._senders:
            self._senders = [
                asyncio.create_task(self._keep_sending(), name=f"settlements-{number}")
                for number in range(PARALLEL)
            ]
        try:
            self._waiting.put_nowait(settlement)
        except asyncio.QueueFull:
            _lost(settlement, "too many wait")

    async def close(self, seconds: float) -> None:
        """Send what waits, for no longer than that, and end."""
        if self._senders:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._waiting.join()
        for sender in self._senders:
            sender.cancel()
        await asyncio.gather(*self._senders, return_exceptions=True)
        self._senders = []
        while not self._waiting.empty():
            _lost(self._waiting.get_nowait(), "the server was stopped")

    async def _keep_sending(self) -> None:
        while True:
            settlement = await self._waiting.get()
            try:
                await self._deliver(settlement)
            except asyncio.CancelledError:
                _lost(settlement, "the server was stopped")
                raise
            finally:
                self._waiting.task_done()

    async def _deliver(self, settlement: Settlement) -> None:
        for pause in (*self._pauses, None):
            try:
                await self._send(settlement)
                return
            except Overloaded as error:
                if pause is None:
                    _lost(settlement, error.message)
                    return
                await asyncio.sleep(pause)
            except KronkError as error:
                _lost(settlement, error.message)
                return


def _lost(settlement: Settlement, reason: str) -> None:
    log.warning(
        "what a call came to is not counted",
        charge=settlement.charge,
        refund=settlement.refund,
        reason=reason,
    )
