"""Batches in this process: supervisor and worker are scripted, everything else is real."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from fakes.access import Unlimited
from kronk.gateway.access.control import AccessControl
from kronk.gateway.access.known import Nobody
from kronk.gateway.batches.files import Files, StoredFile
from kronk.gateway.batches.records import Batch
from kronk.gateway.batches.requests import BatchRequest
from kronk.gateway.batches.runner import Runner
from kronk.gateway.batches.store import Batches
from kronk.gateway.exchange import Exchange
from kronk.gateway.recovery import Policy
from kronk.gateway.responses.store import ResponseStore
from kronk.gateway.telemetry.telemetry import Telemetry
from kronk.shared.database import Database
from kronk.shared.paths import BasePath
from kronk.shared.security.identity import OPEN, Identity
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
    WorkerLost,
)
from kronk.shared.wire.to_supervisor import LeaseRequest, LeaseReturn
from kronk.shared.wire.to_worker import Submit
from kronk.shared.wire.values import Timings, Usage

W = 7
CHAT = "/v1/chat/completions"
LINES = 20
BUSY = Refused(0, "overloaded", "busy", None, 1.0)
BROKEN = Refused(0, "model_failed", "bad file", "model", 30.0)


class Town:
    """One life of a gateway after another; tests script what a lease and a request come to."""

    def __init__(self, folder: Path, tiny: Path) -> None:
        self.base = BasePath(folder)
        self.base.models.mkdir(parents=True)
        (self.base.models / "tiny.gguf").symlink_to(tiny)
        self.database = Database(self.base.db)
        self.files = Files(self.base.files, self.database.table("files"))
        self.access: Any = AccessControl("open", Nobody(), Nobody(), Unlimited())
        self.write_timeout = 0.0
        # A worker's death is the batch's own to deal with, unless a test says otherwise.
        self.policy = Policy(resume=False)
        # What was asked for, by the prompt's last message.
        self.asked: Counter[str] = Counter()
        self.priorities: set[str] = set()
        self.most_at_once = 0
        # By how many leases were asked for.
        self.grant: Callable[[int], Refused | None] = lambda count: None
        self.on_lease: Callable[[int], None] = lambda running: None
        # By the prompt and how often it came; false is to leave it without an answer.
        self.script: Callable[[str, int], bool] = lambda prompt, attempt: True
        self.on_answer: Callable[[int], None] = lambda count: None
        self.answered = 0
        self.leases = 0
        self._running: set[int] = set()
        # Those that wait for their grant, and those that have it, and whether alone.
        self._line: list[LeaseRequest] = []
        self._granted: dict[int, bool] = {}

    # A life.

    def live(self, test: Callable[[], Awaitable[None]]) -> None:
        """A gateway's life around `test`."""

        async def life() -> None:
            self.batches = Batches(self.database.table("batches"), self.files)
            self._begin()
            running = asyncio.create_task(self.make_runner().run())
            try:
                async with asyncio.timeout(60):
                    await test()
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
            assert not self._running
            assert len(self.exchange) == 0

        asyncio.run(life())

    def make_runner(self) -> Runner:
        services: Any = SimpleNamespace(
            link=SimpleNamespace(exchange=self.exchange),
            telemetry=Telemetry(),
            settings=SimpleNamespace(write_timeout=self.write_timeout, media_urls=()),
            base=self.base,
            configs={},
            files=self.files,
            batches=self.batches,
            responses=ResponseStore(self.database, 0),
            access=self.access,
        )
        return Runner(services)

    def finish(self, batch: str) -> Batch:
        """The batch at its end, in a life of its own."""
        found: list[Batch] = []

        async def wait() -> None:
            found.append(await self.end_of(batch))

        self.live(wait)
        return found[0]

    async def end_of(self, batch: str) -> Batch:
        while not (seen := await self.batches.now(batch)).is_over:
            await self.batches.changed.wait()
            await asyncio.sleep(0)
        return seen

    def submit(
        self,
        *lines: dict[str, Any],
        window: int = 86400,
        identity: Identity = OPEN,
        endpoint: str = CHAT,
    ) -> str:
        """A batch of these, or of `LINES` usual ones."""
        lines = lines or tuple(request(number) for number in range(1, LINES + 1))
        draft = self.files.draft()
        draft.write("\n".join(map(json.dumps, lines)).encode())
        draft.sync()
        owner = identity.subject
        self.files.add(StoredFile(draft.id, draft.size, 900, "in.jsonl", "batch", None, owner))
        draft.close()
        asked = BatchRequest(draft.id, endpoint, "24h", window, None, None)
        batches = Batches(self.database.table("batches"), self.files)
        return asyncio.run(batches.create(asked, identity)).id

    def results(self, batch: Batch) -> tuple[dict[str, Any], dict[str, Any]]:
        """Answers and errors by custom_id, each there once."""
        found = []
        for name, there in (
            (batch.output_file, batch.has_output),
            (batch.error_file, batch.has_errors),
        ):
            rows: list[Any] = []
            if there:
                file = self.files.known(name, time.time())
                assert file is not None and file.bytes and file.owner == batch.owner
                with self.files.open(name) as file:
                    rows = [json.loads(row) for row in file]
            assert len({row["custom_id"] for row in rows}) == len(rows)
            found.append({row["custom_id"]: row for row in rows})
        answers, errors = found
        assert not answers.keys() & errors.keys()
        return answers, errors

    # Supervisor and worker.

    def _begin(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.exchange = Exchange(
            3,
            self._to_supervisor,
            self._to_worker,
            lambda: None,
            self._loop.call_later,
            self.policy,
            self._loop.time,
        )
        self._worker = W
        self._attach()

    def _attach(self) -> None:
        self.exchange.on_data(worker_identity(self._worker), self._worker, Attach())

    def _to_supervisor(self, message: Any) -> None:
        if isinstance(message, LeaseRequest):
            self.priorities.add(message.priority)
            self._running.add(message.lease)
            self.most_at_once = max(self.most_at_once, len(self._running))
            self.on_lease(len(self._running))
            self._line.append(message)
            self._loop.call_soon(self._serve)
        elif isinstance(message, LeaseReturn):
            self._running.remove(message.lease)
            self._granted.pop(message.lease, None)
            self._line = [ask for ask in self._line if ask.lease != message.lease]
            self._loop.call_soon(self._serve)

    def _serve(self) -> None:
        """Grant in order; one that wants to be alone has nobody beside it."""
        while self._line:
            first = self._line[0]
            if self._granted and (first.alone or any(self._granted.values())):
                return
            self._on_lease(self._line.pop(0))

    def _on_lease(self, ask: LeaseRequest) -> None:
        self.leases += 1
        refused = self.grant(self.leases)
        if refused is None:
            self._granted[ask.lease] = ask.alone
            self.exchange.on_control(Granted(ask.lease, self._worker))
        else:
            self.exchange.on_control(replace(refused, lease=ask.lease))

    def _to_worker(self, worker: int, message: Any) -> None:
        if isinstance(message, Submit):
            self._loop.call_soon(self._on_submit, worker, message)

    def _on_submit(self, worker: int, submit: Submit) -> None:
        if submit.request not in self._running or worker != self._worker:
            return
        prompt = str(submit.prompt.messages[-1]["content"]) if submit.prompt.messages else ""
        self.asked[prompt] += 1
        self._say(Accepted(submit.request, 5), Started(submit.request, 5, 0))
        if not self.script(prompt, self.asked[prompt]):
            return
        self._say(
            Delta(submit.request, 0, f"re {prompt}", (1,)),
            Finished(submit.request, 0, "stop"),
            Done(submit.request, Usage(5, 2), Timings(0.0, 0.0, 0.0)),
        )
        self.answered += 1
        self.on_answer(self.answered)

    def _say(self, *messages: Any) -> None:
        for message in messages:
            self.exchange.on_data(worker_identity(self._worker), self._worker, message)

    def kill_worker(self) -> None:
        """It dies with all it was doing, and another is there at once."""
        dead, self._worker = self._worker, self._worker + 1
        self.exchange.on_control(WorkerLost(dead, "tiny", "SIGSEGV"))
        self._attach()


def request(number: int, **body: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": f"line {number}"}]
    whole = {"model": "tiny", "messages": messages} | body
    return {"custom_id": f"r{number}", "method": "POST", "url": CHAT, "body": whole}
