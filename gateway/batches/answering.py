"""Answers the lines of a batch, several at a time, and writes down what came of each."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Container, Iterator
from typing import BinaryIO

from kronk.gateway.services import Services

from . import lines
from .attempts import Desk, answer
from .endpoints import operation_makers
from .lines import Line
from .makers import identity_of
from .records import Batch, Fault
from .results import Result, Results
from .turns import Ward

# As many as a model has slots by and by; more would only wait there.
AT_ONCE = 8
# How often the record says how far it is.
_NOTE_SECONDS = 1.0


class BadLine(Exception):
    """A line of an input that was valid before is not any more."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


class Input:
    """The lines that have no result yet, one after the other. Blocks for the disk."""

    def __init__(
        self,
        rows: Iterator[tuple[int, bytes | None]],
        endpoint: str,
        done: Container[int],
    ) -> None:
        self._rows = rows
        self._endpoint = endpoint
        self._done = done
        self._alone = threading.Lock()

    def next(self) -> Line | None:
        """None at the end."""
        with self._alone:
            for number, raw in self._rows:
                if number in self._done:
                    continue
                line = lines.parse(number, raw, self._endpoint)
                if isinstance(line, Fault):
                    raise BadLine(line)
                return line
        return None


async def answer_all(
    services: Services, ward: Ward, batch: Batch, file: BinaryIO, results: Results
) -> None:
    """Return once every line has its result on disk.

    When it is cancelled or fails, what was answered by then is on disk, too.
    """
    finished: asyncio.Queue[Result | None] = asyncio.Queue(AT_ONCE)
    writer = asyncio.create_task(_write(services, batch, finished, results), name="batch-writer")
    source = Input(lines.read(file), batch.endpoint, frozenset(results.done))
    identity = identity_of(batch.made_by, is_open=services.access.mode == "open")
    make = operation_makers(services, identity)[batch.endpoint]
    desk = Desk(services, batch, identity, make, ward)
    workers = [
        asyncio.create_task(_answer_some(desk, source, finished), name="batch-line")
        for _ in range(AT_ONCE)
    ]
    try:
        running = set(workers)
        # The writer ends early only by failing.
        while running and not writer.done():
            ended, _ = await asyncio.wait({*running, writer}, return_when=asyncio.FIRST_COMPLETED)
            for worker in running & ended:
                worker.result()
            running -= ended
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        # A writer that fails leaves the queue as full as it is.
        last = asyncio.create_task(finished.put(None), name="batch-end")
        await asyncio.wait({last, writer}, return_when=asyncio.FIRST_COMPLETED)
        last.cancel()
        await writer


async def _answer_some(desk: Desk, source: Input, finished: asyncio.Queue[Result | None]) -> None:
    while (line := await asyncio.to_thread(source.next)) is not None:
        outcome = await answer(desk, line)
        await finished.put(Result(line.number, line.custom_id, outcome))


async def _write(
    services: Services,
    batch: Batch,
    finished: asyncio.Queue[Result | None],
    results: Results,
) -> None:
    """Write what is finished: all of it that waits, with one sync."""
    noted, over = time.monotonic(), False
    while not over:
        waiting = [await finished.get()]
        while not finished.empty():
            waiting.append(finished.get_nowait())
        over = None in waiting
        await asyncio.to_thread(results.append, [one for one in waiting if one is not None])
        if over or time.monotonic() - noted > _NOTE_SECONDS:
            noted = time.monotonic()
            counts = results.counts(batch.counts.total)
            await services.batches.note_progress(batch.id, counts, results.tokens)
