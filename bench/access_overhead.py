"""What it costs a request that it is asked who sends it, whether he may, and how often.

    python bench/access_overhead.py [--rounds 40] [--requests 100]

A chat of one token over the whole application in this process, on one core; its worker is played.
The sides take turns request by request: `open` asks nobody anything, `protected` has a token with
limits of calls, tokens, models and requests at once, `admin` one that has none. What differs is
authentication, policy, counting and settling.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from report import keep
from rounds import percentile

from kronk.gateway.access.auditing import AuditLog
from kronk.gateway.access.build import make_access
from kronk.gateway.app import make_app
from kronk.gateway.exchange import Exchange
from kronk.gateway.middleware import Activity
from kronk.gateway.recovery import Policy
from kronk.gateway.services import Services
from kronk.shared import log, settings
from kronk.shared.database import Database
from kronk.shared.security.grants import Grants, Limit
from kronk.shared.security.keys import Keyring
from kronk.shared.security.tokens import issue
from kronk.shared.wire.sockets import worker_identity
from kronk.shared.wire.to_gateway import Accepted, Attach, Delta, Done, Finished, Granted
from kronk.shared.wire.to_supervisor import LeaseRequest
from kronk.shared.wire.to_worker import Submit
from kronk.shared.wire.values import Timings, Usage

TARGET_MICROSECONDS = 300.0
SIDES = ("open", "protected", "admin")
_WORKER = 7
_MANY = 10**12
_LIMITED = Grants(
    {"chat-completions": Limit(_MANY, "month")}, ("ti*",), Limit(_MANY, "day"), concurrency=100
)
_BODY = json.dumps(
    {"model": "tiny", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 1}
).encode()


@dataclasses.dataclass(frozen=True, slots=True)
class Took:
    """Seconds, by the clock and of the processor. The latter says the same on a busy machine, but
    does not know of waiting."""

    clock: float
    cpu: float


class Gateway:
    """One application that asks in turn by the rules of two modes, with a worker that answers at
    once: nothing else differs."""

    def __init__(self, folder: Path) -> None:
        values = {
            mode: settings.resolve({"base_path": str(folder / mode), "auth_mode": mode}, {})
            for mode in ("open", "protected")
        }
        self.base = values["protected"].base
        self.access = {
            mode: make_access(chosen, Database(chosen.base.db)) for mode, chosen in values.items()
        }
        loop = asyncio.get_running_loop()
        self._exchange = Exchange(
            3, self._supervise, self._work, lambda: None, loop.call_later, Policy(), loop.time
        )
        self._soon = loop.call_soon
        self._exchange.on_data(worker_identity(_WORKER), _WORKER, Attach())
        nothing: dict[str, Any] = dict.fromkeys(f.name for f in dataclasses.fields(Services))
        services = Services(
            **nothing
            | {
                "settings": values["open"],
                "activity": Activity(),
                "audit": AuditLog(self.base),
                "link": SimpleNamespace(exchange=self._exchange),
                "configuration": SimpleNamespace(models={}),
            }
        )
        self._app = make_app(services)
        self._services = {
            mode: dataclasses.replace(services, access=access.control)
            for mode, access in self.access.items()
        }

    def _supervise(self, message: Any) -> None:
        if isinstance(message, LeaseRequest):
            self._soon(self._exchange.on_control, Granted(message.lease, _WORKER))

    def _work(self, _: int, message: Any) -> None:
        if isinstance(message, Submit):
            number = message.request
            self._soon(
                self._say,
                Accepted(number, 5),
                Delta(number, 0, "Hi", (1,)),
                Finished(number, 0, "length"),
                Done(number, Usage(5, 1), Timings(0.0, 0.0, 0.0)),
            )

    def _say(self, *messages: Any) -> None:
        for message in messages:
            self._exchange.on_data(worker_identity(_WORKER), _WORKER, message)

    async def ask(self, token: str | None) -> Took:
        """What one request takes; without a token nobody is asked for one."""
        self._app.state.services = self._services["open" if token is None else "protected"]
        parts = [{"type": "http.request", "body": _BODY, "more_body": False}]
        statuses: list[int] = []

        async def receive() -> Any:
            if parts:
                return parts.pop()
            await asyncio.Event().wait()
            return None

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        scope = _scope(token)
        began, spent = time.perf_counter(), time.thread_time()
        await self._app(scope, receive, send)
        took = Took(time.perf_counter() - began, time.thread_time() - spent)
        assert statuses == [200], statuses
        return took


def _scope(token: str | None) -> dict[str, Any]:
    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    if token is not None:
        headers.append((b"authorization", f"Bearer {token}".encode()))
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/v1/chat/completions",
        "raw_path": b"/v1/chat/completions",
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 12345),
        "server": ("127.0.0.1", 8080),
    }


def token(gateway: Gateway, *, admin: bool) -> str:
    """One of the gateway's own keys."""
    grants = Grants() if admin else _LIMITED
    return issue(
        Keyring(gateway.base.keys), "kronk", duration=3600.0, grants=grants, admin=admin,
        now=time.time(),
    ).token  # fmt: skip


async def measure(rounds: int, requests: int) -> dict[str, list[list[Took]]]:
    """What each request took, by side and round."""
    with tempfile.TemporaryDirectory() as folder:
        gateway = Gateway(Path(folder))
        asks: dict[str, Callable[[], Awaitable[Took]]] = {
            "open": partial(gateway.ask, None),
            "protected": partial(gateway.ask, token(gateway, admin=False)),
            "admin": partial(gateway.ask, token(gateway, admin=True)),
        }
        taken: dict[str, list[list[Took]]] = {side: [] for side in SIDES}
        for round_ in range(-1, rounds):
            part: dict[str, list[Took]] = {side: [] for side in SIDES}
            for number in range(requests):
                # Nobody is always the first after the other's caches.
                turn = number % len(SIDES)
                for side in SIDES[turn:] + SIDES[:turn]:
                    part[side].append(await asks[side]())
            for side in SIDES if round_ >= 0 else ():
                taken[side].append(part[side])
        for access in gateway.access.values():
            await access.close()
    return taken


def figures(taken: dict[str, list[list[Took]]]) -> dict[str, dict[str, float]]:
    """Microseconds: of whole requests, and by how much they are more than without asking. At the
    middle that is the median of the rounds' differences."""
    tails = {
        side: percentile([took.clock for part in parts for took in part], 0.99)
        for side, parts in taken.items()
    }
    found: dict[str, dict[str, float]] = {}
    for side in SIDES:
        clock, cpu = (_middles(taken, side, name) for name in ("clock", "cpu"))
        found[side] = {
            "p50": statistics.median(clock),
            "p99": tails[side] * 1e6,
            "overhead p50": _more(clock, _middles(taken, "open", "clock")),
            "overhead p99": (tails[side] - tails["open"]) * 1e6,
            "cpu": statistics.median(cpu),
            "overhead cpu": _more(cpu, _middles(taken, "open", "cpu")),
        }
    return found


def _middles(taken: dict[str, list[list[Took]]], side: str, name: str) -> list[float]:
    """The median of each round, in microseconds."""
    return [statistics.median(getattr(took, name) for took in part) * 1e6 for part in taken[side]]


def _more(above: list[float], below: list[float]) -> float:
    return statistics.median(a - b for a, b in zip(above, below, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--requests", type=int, default=100, help="of each side in a round")
    options = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    log.configure(process="bench", level="warning")
    taken = asyncio.run(measure(options.rounds, options.requests))
    found = figures(taken)
    load = os.getloadavg()[0]
    count = options.rounds * options.requests
    print(f"{count} requests of each side on one core, load average {load:.2f}; microseconds\n")
    columns = list(found["open"])
    print("side      " + "".join(f"{name:>14}" for name in columns))
    for side, figure in found.items():
        print(f"{side:<10}" + "".join(f"{figure[name]:>14.0f}" for name in columns))
    worst = max(figure["overhead p50"] for figure in found.values())
    verdict = "met" if worst <= TARGET_MICROSECONDS else "missed"
    print(f"\ntarget: overhead p50 <= {TARGET_MICROSECONDS:.0f}: {verdict}")
    keep("access_overhead", [], {"microseconds": found, "requests": count})


if __name__ == "__main__":
    main()
