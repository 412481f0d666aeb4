"""What the fleet wants done; the shell does it, in this order, and reports what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from kronk.shared.errors import KronkError
from kronk.shared.wire.loading import LoadSpec
from kronk.shared.wire.status import Outcome
from kronk.shared.wire.to_gateway import Waiting

from .cause import Exit


@dataclass(frozen=True, slots=True)
class Resolve:
    """Find the file and configuration of this name; report `resolved` or `unresolved`."""

    name: str


@dataclass(frozen=True, slots=True)
class Spawn:
    """Start a worker process. A failure to do so is reported as its exit."""

    generation: int
    # `local`, or the name of a worker host.
    place: str = "local"
    # The folder of its llama.cpp; None: the one that came with the binding, or that the other host
    # has.
    library: str | None = None


@dataclass(frozen=True, slots=True)
class SendLoad:
    """Tell a worker that has said Hello what to load."""

    generation: int
    spec: LoadSpec


@dataclass(frozen=True, slots=True)
class StopWorker:
    """Ask a worker to exit."""

    generation: int


@dataclass(frozen=True, slots=True)
class KillWorker:
    """SIGKILL for its process group."""

    generation: int


@dataclass(frozen=True, slots=True)
class AbortWorker:
    """SIGABRT, at which it writes the stacks of its threads; a stopped one is woken for it."""

    generation: int


@dataclass(frozen=True, slots=True)
class Grant:
    """Tell the gateway: send it there, or that there is nothing to send."""

    lease: int
    generation: int | None
    # For those who measure: as in `Granted`.
    ready_for: float | None = field(default=None, compare=False)
    load_seconds: float = field(default=0.0, compare=False)
    model: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Refuse:
    """Tell the gateway: not possible."""

    lease: int
    error: KronkError
    # For those who measure: as in `Refused`.
    model: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class TellWorkerLost:
    """Tell the gateway that nothing more comes from this worker."""

    generation: int
    model: str
    cause: str
    how: Literal["crashed", "unloaded"] = "crashed"


@dataclass(frozen=True, slots=True)
class TellManaged:
    """Tell the gateway what came of an operator's wish: the state of the model, or an error."""

    ask: int
    before: str
    state: str
    error: KronkError | None = None


@dataclass(frozen=True, slots=True)
class TellWaiting:
    """Tell the gateway how those are doing that wait for a model."""

    waiting: Waiting


@dataclass(frozen=True, slots=True)
class KeepLoadTimes:
    """Have them read again at the next start."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Remember:
    """Put the end of a process into its model's history. Times are those of the fleet's clock; the
    rest as in `Departure`."""

    model: str
    generation: int
    started: float
    ready: float | None
    ended: float
    outcome: Outcome
    cause: str
    exit: Exit
    requests: int


@dataclass(frozen=True, slots=True)
class Note:
    """A line for the log."""

    level: Literal["debug", "info", "warning", "error"]
    event: str
    fields: Mapping[str, Any] = field(default_factory=dict)


Action = (
    Resolve
    | Spawn
    | SendLoad
    | StopWorker
    | KillWorker
    | AbortWorker
    | Grant
    | Refuse
    | TellWorkerLost
    | TellManaged
    | TellWaiting
    | KeepLoadTimes
    | Remember
    | Note
)


class Outbox:
    """The actions one event leads to, collected while it is worked out."""

    def __init__(self) -> None:
        self._actions: list[Action] = []

    def put(self, action: Action) -> None:
        self._actions.append(action)

    def note(
        self, level: Literal["debug", "info", "warning", "error"], event: str, **fields: Any
    ) -> None:
        self._actions.append(Note(level, event, fields))

    def take(self) -> list[Action]:
        """Everything so far; the box is empty afterwards."""
        actions, self._actions = self._actions, []
        return actions
