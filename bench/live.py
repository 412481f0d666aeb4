"""What one who watches the live state costs over all of Kronk's processes, nothing else being done.

    python bench/live.py [--rounds 3] [--models 4] [--seconds 30] [MODEL.gguf]

Processor time of supervisor, gateway, spare and all workers, from /proc, with somebody who watches
/v1/kronk/events and without, in turns. The figure is a share of one core; there is no ratio, as
nothing is done on the other side.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from options import model_of, parser
from proc import cpu_by_thread
from server import Server, running_server

# Of one core, in percent.
TARGET = 0.5
ROUNDS = 3
SLOTS = 4


def shares(options: argparse.Namespace) -> dict[str, dict[str, list[float]]]:
    """Percent of a core by side and role, a figure for each round."""
    model = model_of(options)
    print(
        f"## One who watches; {options.models} copies of {model.name}, {options.seconds:g} s each"
    )
    found: dict[str, dict[str, list[float]]] = {"watched": {}, "alone": {}}
    with running_server(model, spare=True, slots=SLOTS, context=1024, threads=1) as server:
        _load(server, model, options.models)
        for _ in range(options.rounds):
            for side, watching in (("watched", _watching), ("alone", _nobody)):
                with watching(server):
                    for role, share in _measure(server, options.seconds).items():
                        found[side].setdefault(role, []).append(share)
    return found


def _load(server: Server, model: Path, count: int) -> None:
    names = [server.model, *(f"copy-{number}" for number in range(1, count))]
    for name in names[1:]:
        folder = server.base / "models" / "bench" / name
        folder.mkdir()
        (folder / f"{name}.gguf").symlink_to(model.resolve())
    for name in names:
        _post(server, f"/v1/kronk/models/{name}/load")
        body = {"model": name, "prompt": "One two three", "max_tokens": 16, "temperature": 0}
        _post(server, "/v1/completions", body)
    # What a start leaves to do.
    time.sleep(5)


def _post(server: Server, path: str, body: object | None = None) -> None:
    request = urllib.request.Request(
        f"http://{server.host}:{server.port}{path}",
        data=b"" if body is None else json.dumps(body).encode(),
        method="POST",
    )
    urllib.request.urlopen(request, timeout=60).close()


@contextmanager
def _watching(server: Server) -> Iterator[None]:
    """Somebody who reads in this process, whose time is not counted."""
    with socket.create_connection((server.host, server.port)) as connection:
        connection.sendall(
            b"GET /v1/kronk/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        )
        assert b" 200 " in connection.recv(65536).partition(b"\r\n")[0]
        reading = threading.Thread(target=_read, args=(connection,))
        reading.start()
        yield
        connection.shutdown(socket.SHUT_RDWR)
        reading.join()


def _read(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


def _nobody(_: Server) -> nullcontext[None]:
    return nullcontext()


def _measure(server: Server, seconds: float) -> dict[str, float]:
    pids = _pids(server)
    before = {role: [_cpu(pid) for pid in some] for role, some in pids.items()}
    began = time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - began
    used = {role: sum(_cpu(pid) for pid in some) - sum(before[role]) for role, some in pids.items()}
    return {role: 100 * spent / took for role, spent in used.items()}


def _pids(server: Server) -> dict[str, list[int]]:
    status = server.get("/v1/kronk/ps")
    found = {process["role"]: [process["pid"]] for process in status["processes"]}
    return found | {"workers": [row["pid"] for row in status["data"]]}


def _cpu(pid: int) -> float:
    return sum(cpu_by_thread(pid).values())


def _row(name: str, of: Callable[[str], float]) -> None:
    watched, alone = of("watched"), of("alone")
    print(f"   {name:<12} {watched:7.3f} %  {alone:7.3f} %  {watched - alone:+7.3f} %")


def arguments() -> argparse.ArgumentParser:
    """What it can be told."""
    arguments = parser(__doc__, ROUNDS)
    arguments.add_argument("--models", type=int, default=4, help="how many are loaded")
    arguments.add_argument("--seconds", type=float, default=30.0, help="of each measurement")
    return arguments


def main() -> None:
    """Measure and print."""
    found = shares(arguments().parse_args())
    print(f"   {'':<12} {'watched':>9}  {'alone':>9}  difference")
    for role in found["alone"]:
        _row(role, lambda side, role=role: statistics.median(found[side][role]))  # type: ignore[misc]
    totals = {
        side: [sum(one) for one in zip(*roles.values(), strict=True)]
        for side, roles in found.items()
    }
    _row("all", lambda side: statistics.median(totals[side]))
    cost = statistics.median(totals["watched"]) - statistics.median(totals["alone"])
    print(f"   one who watches costs {cost:.3f} % of a core; at most {TARGET} % is the target")


if __name__ == "__main__":
    main()
