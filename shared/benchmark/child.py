"""`python -P -m kronk.shared.benchmark.child`: one run in a process of its own.

What it measures with are the interpreter and the core of nobody who serves. The order is a line of
JSON on stdin, which stays open for the parent's life; what must stay secret is there and nowhere
else. The answer is lines of JSON on stdout: any number of steps, then a `report` or an `error`.
SIGTERM asks for the report of what was measured so far.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import ssl
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pydantic
import structlog

from kronk.shared import child, exits, log, settings, tls
from kronk.shared.errors import Internal, KronkError

from .plan import Cell, Plan
from .report import to_record
from .run import Benchmark, Order, Step
from .server import Target
from .wires import Endpoint, endpoint

# The first to go when memory runs out: nobody's answer is lost with it.
_OOM_SCORE = 800
# Of a key; what is shorter is in every other word.
_SHORTEST_SECRET = 6

logger = structlog.get_logger()
Send = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the server is, and who asks it. `url` is another server's, None for our own."""

    name: str
    url: str | None = None
    host: str = "localhost"
    port: int = 80
    unix: str | None = None
    # Our own certificate, where we speak TLS ourselves.
    certificate: str | None = None
    token: str | None = field(default=None, repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def endpoint(self) -> Endpoint:
        """For the wires; `InvalidArgument` for a URL that is none."""
        if self.url is not None:
            return endpoint(self.url, self.token)
        trust: ssl.SSLContext | None = None
        if self.certificate is not None and self.unix is None:
            trust = tls.trusting(Path(self.certificate))
        return Endpoint(
            self.host,
            self.port,
            tls=trust,
            unix=self.unix,
            token=self.token,
            headers=self.headers,
        )

    @property
    def secrets(self) -> list[str]:
        """What no message may have in it."""
        cookies = [value for name, value in self.headers if name == "Cookie"]
        found = [self.token or "", *(value.partition("=")[2] for value in cookies)]
        return [value for value in found if len(value) >= _SHORTEST_SECRET]


@dataclass(frozen=True, slots=True)
class Task:
    """What to measure, as the parent writes it."""

    id: str
    model: str
    plan: Plan
    place: Place
    parent: int
    preset: str | None = None
    seed: str | None = None
    leave_out_too_long: bool = False
    cold: bool = False

    def line(self) -> bytes:
        """For stdin."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @staticmethod
    def of(line: bytes) -> Task:
        """What `line` wrote."""
        return _TASK.validate_json(line)

    def order(self) -> Order:
        """For the benchmark."""
        place = self.place
        target = Target(place.name, self.model, place.endpoint(), place.url)
        return Order(
            self.plan,
            (target,),
            self.preset,
            self.seed,
            leave_out_too_long=self.leave_out_too_long,
            cold=self.cold,
            id=self.id,
        )


_TASK = pydantic.TypeAdapter(Task)


class Teller:
    """Tells each step, with what the cell before it has come to."""

    def __init__(self, send: Send, target: str) -> None:
        self._send = send
        self._target = target
        self._cell: Cell | None = None
        # Set before the first step.
        self.benchmark: Benchmark | None = None

    def __call__(self, step: Step) -> None:
        """A step begins."""
        message: dict[str, Any] = {"step": asdict(step)}
        assert self.benchmark is not None
        if self._cell is not None:
            result = self.benchmark.result(self._target, self._cell)
            message["result"] = None if result is None else asdict(result)
        self._cell = step.cell
        self._send(message)


def main() -> None:
    """Measure what the order says."""
    task = Task.of(_read_line())
    send = _sender()
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    child.die_with_parent(task.parent, signal.SIGKILL)
    child.on_parent_gone(lambda: os._exit(exits.ORPHANED))
    child.raise_oom_score(_OOM_SCORE)
    log.configure(process="benchmark", level=settings.from_environment().log_level)
    send(outcome(task, send, stopped.is_set))


def outcome(task: Task, send: Send, stop: Callable[[], bool]) -> dict[str, Any]:
    """The last line, without what is secret; the steps are sent before."""
    secrets = task.place.secrets
    try:
        teller = Teller(lambda message: send(without(secrets, message)), task.place.name)
        teller.benchmark = Benchmark(task.order(), teller, stop)
        found: dict[str, Any] = {"report": to_record(teller.benchmark.run())}
    except KronkError as error:
        found = {"error": {"code": error.code, "message": error.message}}
    except Exception as error:
        words = without(secrets, traceback.format_exc())
        logger.error("a benchmark failed", exception=words)
        message = f"a bug in Kronk: {type(error).__name__}: {error}"
        found = {"error": {"code": Internal.code, "message": message}}
    cleaned: dict[str, Any] = without(secrets, found)
    return cleaned


def without(secrets: Sequence[str], value: Any) -> Any:
    """The same with `***` where a secret was: a server may say in an error what it was sent."""
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, "***")
        return value
    if isinstance(value, Mapping):
        return {key: without(secrets, each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [without(secrets, each) for each in value]
    return value


def _read_line() -> bytes:
    # Unbuffered, so that the thread that waits for end of file can read the same descriptor.
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            print("this process is started by Kronk's server, not by hand", file=sys.stderr)
            raise SystemExit(exits.USAGE)
        line += byte
    return bytes(line)


def _sender() -> Send:
    """Writes lines to what was stdout. Whatever a library prints there goes to stderr."""
    ours = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)

    def send(value: dict[str, Any]) -> None:
        # Nobody is there any more: we are about to be ended.
        with contextlib.suppress(BrokenPipeError):
            ours.write(json.dumps(value).encode() + b"\n")

    return send


if __name__ == "__main__":
    main()
