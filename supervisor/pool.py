"""The worker processes, the spare among them: their start, their health and their end."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from . import cause
from .actions import AbortWorker, KillWorker, Outbox, Spawn, StopWorker
from .cause import Exit
from .health import Limits
from .lifecycle import Event
from .placing import LOCAL
from .restart import GiveUp, Restarts, Retry
from .verdict import Ending
from .workers import Worker, newborn

# From being asked to exit to SIGKILL. An idle worker has nothing to finish.
STOP_GRACE = 5.0
# From SIGABRT to SIGKILL: time to write what each thread was doing.
ABORT_GRACE = 3.0
# SIGKILL needs repeating only to have it in the log: a process in an uninterruptible wait.
KILL_AGAIN = 10.0
_NO_HELLO = Ending("it did not report after its start", "late")
_OTHER_LIBRARY = Ending("a model wants another build of llama.cpp", "library", expected=True)


class Pool:
    """Invariant: the spare is one of the workers, has no model and is not being ended."""

    def __init__(
        self, out: Outbox, next_generation: Callable[[], int], limits: Limits | None = None
    ) -> None:
        self.spare: Worker | None = None
        self._out = out
        self._next_generation = next_generation
        self._limits = limits or Limits()
        self._workers: dict[int, Worker] = {}
        self._spare_failures = Restarts()
        self._spare_not_before = float("-inf")
        # Of the latest load: the next one is likely to want the same.
        self._spare_library: str | None = None

    def __iter__(self) -> Iterator[Worker]:
        return iter(list(self._workers.values()))

    def __bool__(self) -> bool:
        return bool(self._workers)

    def get(self, generation: int) -> Worker | None:
        return self._workers.get(generation)

    def take(self, now: float, place: str, library: str | None = None) -> Worker:
        """A process for a load with that llama.cpp: here the spare, said Hello or not, if it has
        that one; else a new one."""
        if place != LOCAL:
            return self._spawn(now, place)
        self._spare_library = library
        if self.spare is not None and self.spare.library != library:
            # A process has one llama.cpp all its life.
            self.stop(self.spare, _OTHER_LIBRARY, now)
        worker, self.spare = self.spare or self._spawn(now, LOCAL, library), None
        return worker

    def keep_spare(self, now: float) -> None:
        """Have one spare, unless spares keep dying."""
        if self.spare is None and now >= self._spare_not_before:
            self.spare = self._spawn(now, LOCAL, self._spare_library)

    def stop(self, worker: Worker, ending: Ending, now: float) -> None:
        """Ask it to exit; SIGKILL follows if it does not."""
        self._doom(worker, ending, now, STOP_GRACE)
        self._out.put(StopWorker(worker.generation))

    def abort(self, worker: Worker, ending: Ending, now: float) -> None:
        """End it for what it did not do; before that it writes what it was doing instead."""
        self._say_kill(worker, ending.words)
        self._doom(worker, ending, now, ABORT_GRACE)
        self._out.put(AbortWorker(worker.generation))

    def cut_short(self, worker: Worker, ending: Ending, now: float) -> None:
        """SIGKILL without being asked first; nothing is wrong with it."""
        if worker.ending is None:
            self._doom(worker, ending, now, KILL_AGAIN)
        worker.kill_at = now + KILL_AGAIN
        self._out.put(KillWorker(worker.generation))

    def kill(self, worker: Worker, words: str, now: float) -> None:
        """It cannot be asked any more."""
        self._say_kill(worker, words)
        if worker.ending is None:
            self._doom(worker, Ending(words, "late"), now, KILL_AGAIN)
        worker.kill_at = now + KILL_AGAIN
        self._out.put(KillWorker(worker.generation))

    def _say_kill(self, worker: Worker, words: str) -> None:
        self._out.note(
            "error",
            "killing a worker",
            model=worker.name,
            generation=worker.generation,
            cause=words,
        )

    def watch(self, now: float) -> None:
        """Kill whatever did not start, does not end, or shows no life."""
        for worker in self:
            if worker.kill_at is not None:
                if now >= worker.kill_at:
                    self.kill(worker, "it did not exit when asked to", now)
            elif worker.hello_by is not None:
                if now >= worker.hello_by:
                    self.abort(worker, _NO_HELLO, now)
            else:
                match worker.vitals.judge(now, self._limits):
                    case "frozen":
                        words = f"frozen: no heartbeat for {self._limits.frozen:g} s"
                        self.abort(worker, Ending(words, "frozen"), now)
                    case "stuck":
                        words = f"stuck: busy without progress for {self._limits.stuck:g} s"
                        self.abort(worker, Ending(words, "stuck"), now)

    def reaped(self, generation: int, exit: Exit, now: float) -> Worker | None:
        """Forget a worker that is gone; returns it when it had a model to be told."""
        worker = self._workers.pop(generation, None)
        if worker is self.spare:
            self.spare = None
        if worker is None or worker.model is not None:
            return worker
        if worker.ending is None or not worker.ending.expected:
            self.note_death(worker, cause.long(exit), exit)
            match self._spare_failures.failed(now, worker.hello_at):
                case Retry(at) | GiveUp(at):
                    self._spare_not_before = at
        return None

    def note_death(self, worker: Worker, words: str, exit: Exit) -> None:
        """One line of the log for an end that nobody wanted."""
        advice = cause.hint(exit, ours=worker.ending is not None)
        self._out.note(
            "error",
            "worker died" if worker.ending is None else "worker ended",
            model=worker.name,
            generation=worker.generation,
            cause=words,
            exit=cause.short(exit),
            **({"hint": advice} if advice else {}),
        )

    def _spawn(self, now: float, place: str = LOCAL, library: str | None = None) -> Worker:
        worker = newborn(self._next_generation(), now, place, library)
        self._workers[worker.generation] = worker
        self._out.put(Spawn(worker.generation, place, library))
        return worker

    def _doom(self, worker: Worker, ending: Ending, now: float, grace: float) -> None:
        worker.ending = ending
        worker.kill_at = now + grace
        if worker is self.spare:
            self.spare = None
        if worker.model is not None:
            worker.model.enter(Event.DRAIN, now, worker.kill_at)
