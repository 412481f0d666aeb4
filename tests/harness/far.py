"""A worker host for a server of the tests, and a network between them that can be cut."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

from kronk.shared import worker_hosts
from kronk.shared.paths import BasePath

from .server import KRONK, PATIENCE, environment, free_port, kronk

# Another address of this machine: the same ports are free again there.
SERVER_SIDE = "127.0.0.2"


class Wire:
    """Forwards TCP from a port of 127.0.0.1 to the same port of `SERVER_SIDE`; while it is cut
    nothing passes, and nothing is lost."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._loop = asyncio.new_event_loop()
        self._open = asyncio.Event()
        self._open.set()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(PATIENCE)

    def cut(self) -> None:
        self._loop.call_soon_threadsafe(self._open.clear)

    def mend(self) -> None:
        self._loop.call_soon_threadsafe(self._open.set)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        starting = asyncio.start_server(self._forward, "127.0.0.1", self.port)
        server = self._loop.run_until_complete(starting)
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _forward(self, near: asyncio.StreamReader, near_writer: asyncio.StreamWriter) -> None:
        try:
            far, far_writer = await asyncio.open_connection(SERVER_SIDE, self.port)
        except OSError:
            near_writer.close()
            return
        ways = [self._pass(near, far_writer), self._pass(far, near_writer)]
        await asyncio.gather(*ways, return_exceptions=True)

    async def _pass(self, source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                await self._open.wait()
                to.write(data)
                await to.drain()
        finally:
            to.close()


class FarHost:
    """`kronk worker --connect` in a session of its own, on a base path of its own."""

    def __init__(self, base: Path, port: int, token: str, mark: str) -> None:
        self.base = base
        self._output = (base / "host.txt").open("wb")
        self.process = subprocess.Popen(
            [KRONK, "worker", "--connect", f"tcp://127.0.0.1:{port}", f"--base-path={base}"],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            env={**environment(mark), "KRONK_WORKER_TOKEN": token},
            cwd="/",
            start_new_session=True,
        )

    @property
    def said(self) -> str:
        return (self.base / "host.txt").read_text(errors="replace")

    def stop(self) -> int:
        self.process.terminate()
        code = self.process.wait(PATIENCE)
        self._output.close()
        return code


def make_known(base: Path, name: str, lost_after: str, models: int = 2) -> str:
    """`kronk worker add`, with ports that are free; returns the token."""
    base.mkdir(parents=True, exist_ok=True)
    added = kronk("worker", "add", name, f"--models={models}", f"--base-path={base}")
    assert added.returncode == 0, added.stderr
    path = BasePath(base).workers_file
    text = path.read_text().replace("0.0.0.0:8391", f"{SERVER_SIDE}:{free_port()}")
    text = text.replace("0.0.0.0:8392", f"{SERVER_SIDE}:{free_port()}")
    path.write_text(text.replace("lost_after: 30s", f"lost_after: {lost_after}"))
    return next(line for line in added.stdout.splitlines() if line.startswith("kronk-worker-"))


@contextlib.contextmanager
def wires(base: Path) -> Iterator[tuple[Wire, Wire]]:
    """Cuttable ways to the control and the data port of the server of this base path."""
    hosts = worker_hosts.load(BasePath(base))
    control = Wire(worker_hosts.port_of(hosts.control))
    data = Wire(worker_hosts.port_of(hosts.data))
    try:
        yield control, data
    finally:
        control.close()
        data.close()
