"""An exchange between lists, with a clock and timers that are set by hand."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from kronk.gateway.exchange import LAST_WORDS_SECONDS, Exchange
from kronk.gateway.job import Job, generate
from kronk.gateway.recovery import Policy
from kronk.gateway.run import Run
from kronk.shared.security.identity import OPEN, Identity
from kronk.shared.wire.sockets import PeerGone, worker_identity
from kronk.shared.wire.to_gateway import Attach, Done, Granted, WorkerLost
from kronk.shared.wire.to_supervisor import LeaseRequest, LeaseReturn
from kronk.shared.wire.values import Answer, Prompt, Sampling, Timings, Usage

PROMPT = Prompt(messages=({"role": "user", "content": "hi"},))
JOB = generate("tiny", PROMPT, Sampling(), Answer(), None, ())
W = 7
OFF = Policy(resume=False)


class _Timer:
    def __init__(self, seconds: float, act: Callable[[], None]) -> None:
        self.seconds = seconds
        self.act = act
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class World:
    """What everybody was told, and what they say."""

    def __init__(self, policy: Policy = OFF) -> None:
        self.now = 1000.0
        self.supervisor: list[Any] = []
        self.workers: list[tuple[int, Any]] = []
        self.timers: list[_Timer] = []
        self.unreachable: set[int] = set()
        self.attached: set[int] = set()
        self.supervisor_full = False
        self.blocks: list[AbstractContextManager[Run]] = []
        # Frames that are read only when the exchange drains the data plane.
        self.unread: list[Any] = []
        self.exchange = Exchange(
            3,
            self._to_supervisor,
            self._to_worker,
            self._drain,
            self._call_later,
            policy,
            lambda: self.now,
        )

    def _to_supervisor(self, message: Any) -> None:
        if self.supervisor_full:
            raise PeerGone("full")
        self.supervisor.append(message)

    def _to_worker(self, worker: int, message: Any) -> None:
        if worker in self.unreachable:
            raise PeerGone("gone")
        self.workers.append((worker, message))

    def _drain(self) -> None:
        unread, self.unread = self.unread, []
        for message in unread:
            self.say(message)

    def _call_later(self, seconds: float, act: Callable[[], None]) -> _Timer:
        timer = _Timer(seconds, act)
        self.timers.append(timer)
        return timer

    def begin(
        self, timeout: float = 0, job: Job = JOB, by: Identity = OPEN
    ) -> tuple[AbstractContextManager[Run], Run]:
        block = self.exchange.running("chatcmpl-x", job, timeout, by=by)
        # A context manager that nobody holds is closed by the garbage collector.
        self.blocks.append(block)
        return block, block.__enter__()

    def submitted(self, job: Job = JOB, by: Identity = OPEN) -> Run:
        self.say(Attach())
        run = self.begin(job=job, by=by)[1]
        self.exchange.on_control(Granted(run.id, W))
        assert run.submitted
        return run

    def say(self, message: Any, worker: int = W, generation: int | None = None) -> None:
        self.exchange.on_data(
            worker_identity(worker), worker if generation is None else generation, message
        )

    def fire(self, seconds: float) -> None:
        for timer in [timer for timer in self.timers if timer.seconds == seconds]:
            self.timers.remove(timer)
            if not timer.cancelled:
                timer.act()

    def told(self, kind: type) -> list[Any]:
        return [message for _, message in self.workers if isinstance(message, kind)]

    def lose(self, message: WorkerLost) -> None:
        """A worker dies, and nothing more comes from it."""
        self.exchange.on_control(message)
        self.fire(LAST_WORDS_SECONDS)

    def asked(self) -> list[LeaseRequest]:
        return [ask for ask in self.supervisor if isinstance(ask, LeaseRequest)]

    def returned(self) -> list[int]:
        return [back.lease for back in self.supervisor if isinstance(back, LeaseReturn)]


def finish(run: Run) -> Done:
    return Done(run.id, Usage(1, 1), Timings(0.0, 0.0, 0.0))
