"""The server under a service manager, whose side the tests play."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness import proc
from harness.counting_model import counted
from harness.server import (
    KRONK,
    SMALL,
    Server,
    free_port,
    install,
    kronk,
    launch,
    wait_until_ready,
)
from harness.waiting import PATIENCE, wait_until

CONFIG = {"Slow": SMALL | {"context_window": 8192}}
# Half of it is once a second, which is as often as there is proof.
WATCHDOG_USEC = 2_000_000
# The least that the setting makes of the time a gateway may hang.
HANGS_AFTER = 3


class Manager:
    """The socket that a server is told to report to, and what it said, in order."""

    def __init__(self, path: Path) -> None:
        self.heard: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        # At once, as a real one: the queue of such a socket is short.
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        while (said := self._socket.recv(65536)) != b"":
            self.heard += said.decode().split("\n")

    def close(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            end.sendto(b"", self._socket.getsockname())
        self._thread.join()
        self._socket.close()

    def wait_for(self, line: str) -> None:
        """Until it is told this, if it was not since `forget`."""
        wait_until(lambda: line in self.heard, lambda: f"{line}; it was told {self.heard}")

    def forget(self) -> None:
        self.heard.clear()

    @property
    def phases(self) -> list[str]:
        """The changes of phase that it was told, in order."""
        words = ("READY=1", "RELOADING=1", "STOPPING=1")
        return [line for line in self.heard if line in words]


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    """What servers of the test are started by."""
    address = tmp_path / "notify"
    monkeypatch.setenv("NOTIFY_SOCKET", str(address))
    monkeypatch.setenv("WATCHDOG_USEC", str(WATCHDOG_USEC))
    with contextlib.closing(Manager(address)) as made:
        yield made


def variables(pid: int) -> set[str]:
    text = Path(f"/proc/{pid}/environ").read_bytes()
    return {entry.partition(b"=")[0].decode() for entry in text.split(b"\0")}


def test_a_manager_hears_of_every_turn_in_the_servers_life(
    manager: Manager, start_server: Any, slow: Path
) -> None:
    server: Server = start_server({"Slow.gguf": slow}, CONFIG)
    manager.wait_for("READY=1")
    assert manager.heard.index("STATUS=Starting") < manager.heard.index("READY=1")
    assert "EXTEND_TIMEOUT_USEC=30000000" in manager.heard
    manager.wait_for("STATUS=0 models loaded, 0 requests running")
    manager.wait_for("WATCHDOG=1")
    for child in server.children():
        told = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "LISTEN_FDS"}
        assert not told & variables(child)

    with server.stream("Slow", "from 7", max_tokens=1000) as stream:
        stream.wait_for_pieces(1)
        manager.wait_for("STATUS=1 model loaded, 1 request running")
        manager.forget()
        server.kill(server.pid, signal.SIGHUP)
        manager.wait_for("READY=1")
        # As a manager needs it to know which reload that was.
        at = manager.heard.index("RELOADING=1")
        assert manager.heard[at + 1].startswith("MONOTONIC_USEC=")
        assert int(manager.heard[at + 1].partition("=")[2]) > 0
        assert manager.phases == ["RELOADING=1", "READY=1"]

        manager.forget()
        manager.wait_for("WATCHDOG=1")
        server.kill(server.pid, signal.SIGTERM)
        manager.wait_for("STATUS=Stopping: waiting for 1 running request")
        manager.wait_for("EXTEND_TIMEOUT_USEC=30000000")
        assert manager.phases == ["STOPPING=1"]
        assert stream.ended_at is None, "too fast to show anything"
        stream.wait_for_end()
        assert stream.text == counted(7, 1000)
        assert stream.is_done
    assert server.process.wait(PATIENCE) == 0
    manager.wait_for("STATUS=Stopping")
    assert manager.phases == ["STOPPING=1"]
    server.prove_gone()


def test_a_gateway_that_hangs_keeps_the_watchdog_hungry_until_it_is_replaced(
    manager: Manager, start_server: Any, counting: Path
) -> None:
    server: Server = start_server({"A.gguf": counting}, {}, f"--stuck-after={HANGS_AFTER}s")
    manager.wait_for("WATCHDOG=1")
    gateway = server.role_pid("gateway")
    assert gateway is not None
    server.kill(gateway, signal.SIGSTOP)
    # What it had said before.
    manager.forget()
    wait_until(lambda: proc.is_gone(gateway), "its end")
    # At most the last beat of before; the supervisor lived, and fed nothing for all that time.
    assert manager.heard.count("WATCHDOG=1") <= 1
    manager.forget()
    manager.wait_for("WATCHDOG=1")
    assert server.text("A", "from 7", max_tokens=3) == counted(7, 3)
    # For the manager it was one service all the time.
    assert manager.phases == []


def test_a_supervisor_that_hangs_feeds_nothing(
    manager: Manager, start_server: Any, slow: Path
) -> None:
    server: Server = start_server({"Slow.gguf": slow}, CONFIG)
    # Some beats long.
    with server.stream("Slow", "from 7", max_tokens=600) as stream:
        stream.wait_for_pieces(1)
        manager.wait_for("WATCHDOG=1")
        server.kill(server.pid, signal.SIGSTOP)
        manager.forget()
        # The gateway beats all the while, to nobody.
        stream.wait_for_end()
        assert stream.is_done
        assert manager.heard == []
        server.kill(server.pid, signal.SIGCONT)
        manager.wait_for("WATCHDOG=1")


def test_workers_die_of_want_before_the_gateway_and_that_before_the_supervisor(
    start_server: Any, counting: Path
) -> None:
    server: Server = start_server({"A.gguf": counting}, {})
    assert server.text("A", "from 7", max_tokens=3) == counted(7, 3)
    server.settle()
    row, gateway = server.row("A"), server.role_pid("gateway")
    assert row is not None
    spare = server.role_pid("spare")

    def score(pid: int | None) -> int:
        return int(Path(f"/proc/{pid}/oom_score_adj").read_text())

    own = score(os.getpid())
    assert score(server.pid) == own
    assert (score(gateway), score(row["pid"]), score(spare)) == (
        max(100, own),
        max(500, own),
        max(500, own),
    )


# Sockets that are passed on.

# Becomes the command given, as a service manager would: with the sockets from descriptor 3 on.
PASS_ON = """
import os, sys
count = int(sys.argv[1])
for number, handle in enumerate(map(int, sys.argv[2:2 + count])):
    os.dup2(handle, 3 + number)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(count), LISTEN_FDNAMES="kronk.socket")
os.execv(sys.argv[2 + count], sys.argv[2 + count:])
"""


def started_with(base: Path, *sockets: socket.socket) -> Server:
    """A server that was passed these, and an address of its own that it has no use for."""
    handles = tuple(one.fileno() for one in sockets)
    numbers = [str(number) for number in (len(handles), *handles)]
    through = (sys.executable, "-c", PASS_ON, *numbers)
    port = sockets[0].getsockname()[1] if sockets[0].family == socket.AF_INET else 0
    return launch(base, port, through=through, pass_fds=handles)


def test_a_passed_socket_outlives_the_server_and_its_connections_wait_for_the_next(
    tmp_path: Path, counting: Path
) -> None:
    base = tmp_path / "base"
    install(base, {"A.gguf": counting})
    path = tmp_path / "api.sock"
    with (
        contextlib.ExitStack() as streams,
        socket.create_server(("127.0.0.1", 0), backlog=64) as tcp,
        socket.socket(socket.AF_UNIX) as unix,
    ):
        unix.bind(str(path))
        unix.listen(64)
        first = started_with(base, tcp, unix)
        try:
            # Its own address is in use, by the socket it was passed.
            wait_until_ready(first)
            transport = httpx.HTTPTransport(uds=str(path))
            with httpx.Client(transport=transport, base_url="http://localhost") as client:
                assert client.get("/v1/readiness", timeout=PATIENCE).status_code == 200
            assert first.ps() == []
            with first.stream("A", "from 7", max_tokens=900) as stream:
                stream.wait_for_pieces(1)
                first.kill(first.pid, signal.SIGTERM)
                wait_until(lambda: first.events("draining"), "the drain")
                # A request that comes now is not refused: it waits for the next server.
                late = streams.enter_context(first.stream("A", "from 300", max_tokens=5))
                stream.wait_for_end()
                assert stream.is_done
            assert first.process.wait(PATIENCE) == 0
            first.prove_gone()
            assert late.status is None
            second = started_with(base, tcp, unix)
            try:
                late.wait_for_end()
                assert late.text == counted(300, 5)
                assert late.is_done
                assert second.text("A", "from 7", max_tokens=3) == counted(7, 3)
                assert second.stop() == 0
                second.prove_gone()
            finally:
                second.clean_up()
        finally:
            first.clean_up()
    assert path.exists()


def test_a_server_without_a_port_is_found_by_its_socket(tmp_path: Path, counting: Path) -> None:
    base = tmp_path / "base"
    install(base, {"A.gguf": counting})
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(tmp_path / "api.sock"))
        unix.listen()
        server = started_with(base, unix)
        try:
            wait_until(
                lambda: server.output.exists() and (base / "run" / "server.json").exists(), "it"
            )
            assert server.ps() == []
            done = kronk("server", "reload", f"--base-path={base}")
            assert (done.returncode, done.stdout) == (
                0,
                "Nothing has changed for models that are loaded or in the model-config file.\n",
            )
            done = kronk("server", "stop", f"--base-path={base}")
            assert done.returncode == 0
            assert server.process.wait(PATIENCE) == 0
            server.prove_gone()
        finally:
            server.clean_up()


def test_a_passed_socket_of_the_wrong_kind_is_refused(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        server = started_with(tmp_path, udp)
        try:
            assert server.process.wait(PATIENCE) == 2
            assert "'kronk.socket' that was passed" in server.output.read_text()
        finally:
            server.clean_up()


# The unit.


def test_the_command_writes_a_unit_once_and_says_what_to_do_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    path = tmp_path / "systemd" / "user" / "kronk.service"
    install_it = ("server", "install-service", "--user", f"--base-path={tmp_path}")
    shown = kronk(*install_it, "--dry-run", "--cache-ttl=7m")
    assert shown.returncode == 0, shown.stderr
    assert f"ExecStart={KRONK} server start --base-path={tmp_path} --cache-ttl=7m" in shown.stdout
    assert not path.exists()
    done = kronk(*install_it, "--cache-ttl=7m")
    assert f"wrote {path}" in done.stdout
    assert "systemctl --user enable --now kronk" in done.stdout
    assert path.read_text() in shown.stdout
    path.write_text(path.read_text() + "# mine\n")
    refused = kronk(*install_it)
    assert refused.returncode == 1
    assert "--force" in refused.stderr


def test_a_stop_says_how_many_answers_it_waits_for(start_server: Any, slow: Path) -> None:
    server: Server = start_server({"Slow.gguf": slow}, CONFIG)
    with contextlib.ExitStack() as streams:
        running = [
            streams.enter_context(server.stream("Slow", f"from {n}", max_tokens=300))
            for n in range(2)
        ]
        for stream in running:
            stream.wait_for_pieces(1)
        done = kronk("server", "stop", f"--base-path={server.base}")
        assert done.returncode == 0
        assert "waiting for 2 running answers" in done.stderr
        assert "Kronk stopped after" in done.stdout
        for stream in running:
            stream.wait_for_end()
            assert stream.is_done
    assert server.process.wait(PATIENCE) == 0


# Process 1, as in a container.

NAMESPACE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")


def may_make_a_namespace() -> bool:
    try:
        return (
            subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode == 0
        )
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not may_make_a_namespace(), reason="no process namespaces for this user")
def test_as_process_1_it_reaps_what_is_left_to_it_and_stops_in_order(
    tmp_path: Path, counting: Path
) -> None:
    install(tmp_path, {"A.gguf": counting})
    server = launch(tmp_path, free_port(), through=NAMESPACE)
    try:
        wait_until_ready(server)
        (supervisor,) = proc.children(server.pid)
        assert server.text("A", "from 7", max_tokens=3) == counted(7, 3)
        # Its parent ends at once.
        enter = [
            "nsenter",
            f"--target={supervisor.pid}",
            "--pid",
            "sh",
            "-c",
            "sleep 1000 & exit 0",
        ]
        mark = str(tmp_path)
        subprocess.run(enter, env={**os.environ, "STRAY": mark}, check=True, timeout=PATIENCE)

        def stray() -> proc.Process | None:
            found = [one for one in proc.marked("STRAY", mark) if one.name == "sleep"]
            return next((one for one in found if one.parent == supervisor.pid), None)

        left = wait_until(stray, "an orphan")
        os.kill(left.pid, signal.SIGKILL)
        wait_until(lambda: proc.find(left.pid) is None, "the reap of it")
        assert server.text("A", "from 7", max_tokens=3) == counted(7, 3)
        os.kill(supervisor.pid, signal.SIGTERM)
        assert server.process.wait(PATIENCE) == 0
        server.prove_gone()
    finally:
        server.clean_up()
