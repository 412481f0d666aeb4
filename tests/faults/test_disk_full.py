"""A disk without room: answers go on, what cannot be kept is refused in words, logs lose lines."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from fakes.hub import Served, serving
from harness.fault_house import fault_house
from harness.invariants import after_fault
from harness.server import Server, kronk
from harness.waiting import wait_until

DISK_BYTES = 128 * 1024 * 1024


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own; only root may have one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no file system of our own: {done.stderr.strip()}")
    yield folder
    # Lazily: a failed test's server may still be on it.
    subprocess.run(["umount", "-l", str(folder)], check=True)


@contextlib.contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Not a byte is left on it in the block."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1024 * 1024, 4096):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))
    yield
    ballast.unlink()


def upload(server: Server) -> httpx.Response:
    files = {"file": ("lines.jsonl", b'{"a": 1}\n' * 2000)}
    return httpx.post(f"{server.url}/v1/files", files=files, data={"purpose": "batch"}, timeout=60)


def respond(server: Server) -> httpx.Response:
    body = {"model": "Kept", "input": "from 7", "max_output_tokens": 16, "store": True}
    return httpx.post(f"{server.url}/v1/responses", json=body, timeout=60)


def test_answers_go_on_without_a_byte_of_disk(disk: Path) -> None:
    with (
        fault_house(disk / "house", ("Kept",)) as server,
        after_fault(server, "disk full", "logs and state", models=("Kept",), refused=False) as f,
    ):
        with filled(disk):
            assert f.whole("Kept", tokens=20).end() == "done"
            assert f.stream("Kept", tokens=20).end() == "done"
            # A worker's death is survived, too: its successor needs no disk.
            server.kill(f.pid("Kept"))
            assert f.whole("Kept", tokens=20).end() == "done"
            answer = httpx.get(f"{server.url}/v1/readiness", timeout=60)
            assert answer.status_code == 503
            assert "not writable" in answer.json()["error"]["message"]
            refused = upload(server)
            assert refused.status_code >= 500
            assert "0 bytes are free" in refused.json()["error"]["message"]
        wait_until(
            lambda: httpx.get(f"{server.url}/v1/readiness", timeout=60).status_code == 200,
            "ready again",
        )
        assert upload(server).status_code == 200
        assert respond(server).status_code == 200
        # It says so itself, once there is room again.
        assert f.whole("Kept", tokens=2).end() == "done"
        wait_until(lambda: server.events("log lines dropped"), "the confession")


def test_a_server_whose_log_cannot_be_written_serves(tmp_path: Path) -> None:
    house = tmp_path / "house"
    (house / "logs").mkdir(parents=True)
    (house / "logs" / "kronk.log").symlink_to("/dev/full")
    with fault_house(house, ("Kept",)) as server:
        assert server.text("Kept", "from 7", max_tokens=1) == " 8"
        server.kill(server.wait_for_row("Kept", state="ready")["pid"])
        assert server.text("Kept", "from 7", max_tokens=1) == " 8"
        # Until its base is removed nobody may read this file to its end.
        (house / "logs" / "kronk.log").unlink()
        (house / "logs" / "kronk.log").touch()
    said = [json.loads(line) for line in (house / "stdout.txt").read_text().splitlines()]
    assert any(record["event"] == "server stopped" for record in said)


def test_a_model_that_does_not_fit_on_the_disk_is_refused_and_leaves_nothing(disk: Path) -> None:
    base = disk / "house"
    with serving() as hub:
        hub.files["/Large.gguf"] = Served(bytes(DISK_BYTES))
        done = kronk("model", "pull", f"{hub.url}/Large.gguf", "--local", f"--base-path={base}")
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "free" in done.stderr or "disk is full" in done.stderr, done.stderr
    assert not list((base / "models").rglob("*.gguf"))
