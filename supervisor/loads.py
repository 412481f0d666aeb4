"""The start of a load: a job of its own, which ends without any waiter too."""

from __future__ import annotations

from collections.abc import Callable

from kronk.shared.wire.loading import LoadSpec

from .actions import Outbox, SendLoad
from .lifecycle import Event
from .load_times import Progress
from .model import LOAD_WITHIN, Model
from .placing import LOCAL
from .pool import Pool
from .workers import Worker


class Loads:
    """Gives models their processes. `trimmed` makes of a configuration what there is memory for."""

    def __init__(
        self, out: Outbox, pool: Pool, trimmed: Callable[[LoadSpec], LoadSpec] = lambda spec: spec
    ) -> None:
        self._out = out
        self._pool = pool
        self._trimmed = trimmed

    def start(
        self, model: Model, now: float, event: Event = Event.LOAD, place: str = LOCAL
    ) -> None:
        """Give the model a process at that place; here the spare, if there is one."""
        library = model.spec.library
        worker = self._pool.take(now, place, library.folder)
        worker.model, model.worker = model, worker
        worker.taken_at = now
        worker.progress = Progress(now)
        model.room_since = None
        if model.crashed:
            model.restarts += 1
            model.crashed = False
        model.enter(event, now, now + LOAD_WITHIN)
        facts: dict[str, object] = {} if place == LOCAL else {"host": place}
        if place == LOCAL and model.promised:
            facts = {"reserved_bytes": sum(model.promised.values())}
        if place == LOCAL and library.folder is not None:
            facts["library"] = library.name
        self._out.note(
            "info", "load started", model=model.id, generation=worker.generation, **facts
        )
        if place == LOCAL and library.reason is not None:
            self._out.note(
                "warning", "another llama.cpp than wanted", model=model.id, reason=library.reason
            )
        if worker.hello_by is None:
            self.send(worker, now)

    def send(self, worker: Worker, now: float) -> None:
        """Tell a worker that has said Hello what to load."""
        assert worker.model is not None
        worker.vitals.start_work(now)
        spec = worker.model.spec
        # Other hosts have memory of their own.
        spec = self._trimmed(spec) if worker.place == LOCAL else spec
        self._out.put(SendLoad(worker.generation, spec))
