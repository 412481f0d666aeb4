"""The table of live requests: leases from the supervisor, submits to workers, events back.

Every request that enters ends exactly once, and with its end its lease is returned exactly once
and its worker, if it still works on it, is told to stop. All of that happens in `_finish`; the
rest of this file only decides when. No socket and no clock of its own: it is given functions.

A request whose worker is lost is begun again under a new number, with a lease of its own, so that
nothing that was said of an earlier attempt is ever taken for this one's. What the client has by
then is left out of what the next worker tells (`transcript.py`).
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import structlog

from kronk.shared.errors import (
    Internal,
    KronkError,
    ModelCrashed,
    Overloaded,
    Timeout,
    TooLarge,
    WireError,
    from_code,
)
from kronk.shared.security.identity import OPEN, Identity
from kronk.shared.telemetry.trace_context import TraceContext
from kronk.shared.wire.sockets import PeerGone, worker_of
from kronk.shared.wire.to_gateway import (
    Accepted,
    Attach,
    Done,
    Failed,
    GenerationDelta,
    Granted,
    Refused,
    Silent,
    Waiting,
    WorkerLost,
)
from kronk.shared.wire.to_worker import Cancel, Credit
from kronk.shared.wire.values import Timings, Usage

from .access.discretion import discreet
from .bell import Bell, Turn
from .job import Job
from .lease_requests import lease_request
from .lease_returns import LeaseReturns
from .recoveries import Recoveries, with_cause
from .recovery import Again, Loss, Policy
from .run import DELTA_TYPES, CallLater, ClientGone, Outcome, Run
from .standing import Standing
from .telemetry.telemetry import Telemetry
from .transcript import Differs

# A worker dials the data plane before it reports READY, so a grant is normally late to this.
ATTACH_SECONDS = 5.0
# The supervisor's word of a death can overtake the last frames of the dead, which our I/O thread
# may still be reading.
LAST_WORDS_SECONDS = 0.005

log = structlog.get_logger()


class Exchange:
    """All live requests of this gateway. Used on the event loop only."""

    def __init__(
        self,
        generation: int,
        to_supervisor: Callable[[Any], None],
        to_worker: Callable[[int, Any], None],
        drain_data: Callable[[], None],
        call_later: CallLater,
        policy: Policy,
        now: Callable[[], float],
        telemetry: Telemetry | None = None,
    ) -> None:
        self.stale_frames = 0
        self.late_frames = 0
        self.recoveries = Recoveries(policy, now)
        # For the bells of those that read runs.
        self.turn = Turn()
        self.draining_started = asyncio.Event()
        # Set once draining, when no request is live.
        self.drained = asyncio.Event()
        self._to_supervisor = to_supervisor
        self._to_worker = to_worker
        self._drain_data = drain_data
        self._call_later = call_later
        # Unique over the lives of all gateways of one supervisor.
        self._next_id = generation << 32
        self._runs: dict[int, Run] = {}
        self._attached: dict[int, Attach] = {}
        # An Attach may still be on its way from a process that is known to be dead.
        self._lost: deque[int] = deque(maxlen=256)
        self._leases = LeaseReturns(to_supervisor, call_later)
        self._telemetry = telemetry or Telemetry()

    @property
    def draining(self) -> bool:
        """New requests are refused."""
        return self.draining_started.is_set()

    def __len__(self) -> int:
        return len(self._runs)

    # For routes.

    @contextmanager
    def running(
        self,
        name: str,
        job: Job,
        timeout: float,
        bell: Bell | None = None,
        *,
        by: Identity = OPEN,
        endpoint: str = "",
        trace: TraceContext | None = None,
    ) -> Iterator[Run]:
        """A request of somebody that runs while the block does; leaving the block early cancels it.

        `timeout` in seconds bounds all of it; 0 is no bound. Runs that one task reads share a
        `bell`. `endpoint` and `trace` are for those who measure.
        """
        made = partial(Run, bell=bell or Bell(self.turn), by=by, endpoint=endpoint, trace=trace)
        run = self._admit(name, job, timeout, made)
        try:
            yield run
        finally:
            self._abandon(run, ClientGone("the request was given up"))

    def hang_up(self, run: Run) -> None:
        """The client is gone: free its slot now, wherever the route is."""
        self._abandon(run, ClientGone("the client closed the connection"))

    @property
    def runs(self) -> list[Run]:
        """All that are live, waiting or running."""
        return list(self._runs.values())

    def end(self, run: Run, why: KronkError) -> None:
        """End a run with that error, if it is live; its client hears of it."""
        self._abandon(run, why)

    def repay(self, run: Run) -> None:
        """Give the worker credit for what the client has taken."""
        events = run.credit()
        if events and run.id in self._runs and run.worker is not None:
            self._tell_worker(run.worker, Credit(run.id, events))

    # For the process.

    def drain(self) -> None:
        """Refuse new requests from now on. Idempotent."""
        self.draining_started.set()
        if not self._runs:
            self.drained.set()

    def end_all(self, why: KronkError) -> None:
        """End every live request with that error."""
        for run in list(self._runs.values()):
            self._abandon(run, why)

    # From the supervisor.

    def on_control(self, message: Granted | Refused | Waiting | WorkerLost) -> None:
        """One control message."""
        match message:
            case Granted():
                self._on_granted(message)
            case Refused():
                self._on_refused(message)
            case Waiting(leases):
                for position, lease in enumerate(leases, 1):
                    if (run := self._runs.get(lease)) is not None:
                        run.waits(Standing(position, message))
            case WorkerLost():
                self._attached.pop(message.worker, None)
                self._lost.append(message.worker)
                self._drain_data()
                self._call_later(LAST_WORDS_SECONDS, lambda: self._bury(message))

    def _on_granted(self, message: Granted) -> None:
        run = self._runs.get(message.lease)
        if run is None:
            # Given up meanwhile: its LeaseReturn is on the way behind this grant.
            return
        run.grant(message)
        if run.job.ask is None:
            self._finish(run, Done(run.id, Usage(0, 0), Timings(0.0, 0.0, 0.0)))
        else:
            self._submit(run)

    def _on_refused(self, message: Refused) -> None:
        run = self._runs.get(message.lease)
        if run is not None:
            error = from_code(message.code, message.message, message.param, message.retry_after)
            told = discreet(with_cause(error, run), run.by, run.job.model)
            run.attempt.model = message.model or None
            self._finish(run, told)

    def _bury(self, message: WorkerLost) -> None:
        self._drain_data()
        lost = [run for run in self._runs.values() if run.worker == message.worker]
        self._lose(lost, Loss(message.model, message.cause, message.how))

    # Requests whose worker is lost.

    def _lose(self, lost: list[Run], loss: Loss) -> None:
        was_alone = sum(run.submitted for run in lost) == 1
        for run in lost:
            what = self.recoveries.lost(run, loss, was_alone=was_alone, is_draining=self.draining)
            if isinstance(what, Again):
                self._begin_again(run, what)
            else:
                self._finish(run, what)

    def _begin_again(self, run: Run, again: Again) -> None:
        self._next_id += 1
        try:
            self._to_supervisor(lease_request(self._next_id, run, again))
        except PeerGone:
            self._finish(run, with_cause(_no_supervisor(), run))
            return
        del self._runs[run.id]
        self._leases.give_back(run.id)
        run.begin_again(self._next_id)
        self._runs[run.id] = run
        self.recoveries.begun_again(run)

    def _on_replayed(self, run: Run, event: GenerationDelta | Outcome | Silent) -> None:
        """Hand on what the client does not have."""
        assert run.replay is not None
        try:
            rest = run.replay.rest(event)
        except Differs as difference:
            self._fail_replay(run, difference)
            return
        if run.replay.is_level:
            self.recoveries.made_good(run)
        if run.replay.is_over:
            run.replay = None
        if isinstance(rest, Silent):
            run.note(rest)
        elif rest is not None:
            self._hand_on(run, rest)
            return
        # No client takes it, so its credit is given back here.
        if run.skip(event):
            self.repay(run)
        else:
            self._too_much(run)

    def _fail_replay(self, run: Run, difference: Differs) -> None:
        # What the client has stands, and nothing that does not belong to it may follow.
        words = f"the answer cannot be gone on with: when told again, {difference}"
        self._abandon(run, with_cause(ModelCrashed(words), run))

    # From workers.

    def on_frame(self, peer: bytes, generation: int, messages: list[Any]) -> None:
        """What came in one frame of the data plane."""
        # The messages there are for every token are looked at here; `on_data` is for all others.
        tokens = DELTA_TYPES if worker_of(peer) == generation else frozenset[type]()
        for message in messages:
            if type(message) in tokens:
                run = self._runs.get(message.request)
                if (
                    run is not None
                    and run.worker == generation
                    and run.submitted
                    and run.replay is None
                ):
                    if not run.deliver(message):
                        self._too_much(run)
                    continue
            try:
                self.on_data(peer, generation, message)
            except Exception:
                # A bug met with one message must not stop the reading of all others.
                log.exception("cannot handle a worker's message", message=type(message).__name__)

    def on_data(self, peer: bytes, generation: int, message: Any) -> None:
        """One message from the data plane."""
        if worker_of(peer) != generation or generation in self._lost_for_good(message):
            self.stale_frames += 1
            return
        if isinstance(message, Attach):
            self._on_attach(generation, message)
            return
        run = self._runs.get(message.request)
        if run is None:
            self.late_frames += 1
        elif run.worker != generation or not run.submitted:
            self.stale_frames += 1
        else:
            self._on_event(run, message)

    def on_bad_frame(self, peer: bytes) -> None:
        """A frame of that worker could not be read: what it said, and to whom, is unknown."""
        worker = worker_of(peer)
        for run in list(self._runs.values()):
            if run.submitted and run.worker == worker:
                self._abandon(run, Internal("the model's process sent an unreadable frame"))

    def _lost_for_good(self, message: Any) -> deque[int] | tuple[()]:
        # Last words of the dead still count; a promise of more does not.
        return self._lost if isinstance(message, Attach) else ()

    def _on_attach(self, worker: int, attach: Attach) -> None:
        self._attached[worker] = attach
        runs = [run for run in self._runs.values() if run.worker == worker]
        asked = [run for run in runs if run.submitted]
        waiting = [run for run in runs if not run.submitted]
        if asked:
            # It lost the connection, and with it forgot all it was asked for.
            self._lose(asked, Loss(asked[0].job.model, "", "interrupted"))
        for run in waiting:
            self._submit(run)

    def _on_event(self, run: Run, event: Accepted | Outcome | Silent | Done | Failed) -> None:
        match event:
            case Accepted(prompt_tokens=prompt_tokens):
                run.accept(prompt_tokens)
                if run.replay is None:
                    self.recoveries.made_good(run)
            case Done():
                self._on_done(run, event)
            case Failed():
                error = from_code(event.code, event.message, event.param)
                self._finish(run, with_cause(error, run))
            case _ if run.replay is not None:
                self._on_replayed(run, event)
            case _:
                self._hand_on(run, event)

    def _on_done(self, run: Run, done: Done) -> None:
        if run.replay is not None:
            try:
                run.replay.end()
            except Differs as difference:
                self._fail_replay(run, difference)
                return
        self.recoveries.made_good(run)
        self._finish(run, done)

    def _hand_on(self, run: Run, event: GenerationDelta | Outcome | Silent) -> None:
        is_good = True
        if isinstance(event, Silent):
            run.note(event)
        elif isinstance(event, GenerationDelta):
            is_good = run.deliver(event)
        else:
            is_good = run.deliver_outcome(event)
        if not is_good:
            self._too_much(run)

    def _too_much(self, run: Run) -> None:
        log.error("worker sent more than was asked for or credited", worker=run.worker)
        self._abandon(run, Internal("the model's process broke the flow control"))

    # The life of one request.

    def _admit(self, name: str, job: Job, timeout: float, make: Callable[..., Run]) -> Run:
        if self.draining:
            raise Overloaded("the server is shutting down", retry_after=5.0)
        self.recoveries.check(job)
        self._next_id += 1
        run = make(self._next_id, name, job, keeps=self.recoveries.keeps)
        try:
            self._to_supervisor(lease_request(run.id, run))
        except PeerGone as error:
            raise _no_supervisor() from error
        self._runs[run.id] = run
        if timeout:
            over = Timeout(f"the answer took longer than the server allows ({timeout:g} s)")
            run.timers.append(
                self._call_later(timeout, lambda: self._abandon(run, with_cause(over, run)))
            )
        return run

    def _submit(self, run: Run) -> None:
        assert run.worker is not None
        attach = self._attached.get(run.worker)
        if attach is not None:
            try:
                self._to_worker(run.worker, run.message())
            except PeerGone:
                self._attached.pop(run.worker, None)
            except WireError:
                self._finish(run, TooLarge("the request is too large for the model's process"))
                return
            else:
                run.submitted = True
                run.attempt.submitted = time.monotonic()
                run.attempt.process = attach
                return
        late = Timeout(f"the model's process did not attach within {ATTACH_SECONDS:g} s")
        run.attach_timer = self._call_later(ATTACH_SECONDS, lambda: self._unattached(run, late))

    def _unattached(self, run: Run, late: KronkError) -> None:
        if not run.submitted:
            self._abandon(run, with_cause(late, run))

    def _abandon(self, run: Run, why: KronkError) -> None:
        if run.id in self._runs:
            if run.submitted and run.worker is not None:
                self._tell_worker(run.worker, Cancel(run.id))
            self._finish(run, why)

    def _finish(self, run: Run, result: Done | KronkError) -> None:
        if self._runs.pop(run.id, None) is None:
            return
        for timer in (*run.timers, run.attach_timer):
            if timer is not None:
                timer.cancel()
        self._leases.give_back(run.id)
        run.end(result)
        assert run.report is not None
        self._telemetry.run_ended(run.report)
        if self.draining and not self._runs:
            self.drained.set()

    def _tell_worker(self, worker: int, message: Cancel | Credit) -> None:
        try:
            self._to_worker(worker, message)
        except PeerGone:
            # Dead or cut off: either way it has stopped, and WorkerLost or Attach follows.
            log.debug("worker is not connected", worker=worker)


def _no_supervisor() -> Overloaded:
    return Overloaded("the supervisor does not answer", retry_after=1.0)
