"""The server as the command line starts, shows and stops it."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from harness import proc
from harness.counting_model import counted
from harness.server import MARK, Server, free_port, install, kronk, running_server

KEYS = [
    "model",
    "pid",
    "state",
    "generation",
    "rss_bytes",
    "n_ctx",
    "slots_busy",
    "slots_total",
    "queued",
    "active_streams",
    "tokens_per_second",
    "idle_seconds",
    "expires_in",
    "restarts",
    "last_exit",
]


def test_ps_prints_a_list_of_objects_with_the_promised_keys(house: Server) -> None:
    house.text("Count", "from 7", max_tokens=1)
    row = next(row for row in house.ps() if row["model"] == "Count")
    assert list(row) == KEYS
    assert (row["state"], row["n_ctx"], row["slots_total"]) == ("ready", 1024, 8)
    assert row["pid"] in house.children()
    assert row["rss_bytes"] > 10_000_000


def test_ps_shows_people_the_same(house: Server) -> None:
    house.text("Count", "from 7", max_tokens=1)
    shown = kronk("ps", f"--base-path={house.base}").stdout
    row = next(line.split() for line in shown.splitlines() if line.startswith("Count"))
    assert row[2] == "ready"
    assert f"supervisor {house.pid}" in shown


def test_model_list_finds_files_that_were_copied_by_hand(house: Server) -> None:
    shown = kronk("model", "list", f"--base-path={house.base}")
    assert shown.returncode == 0, shown.stderr
    assert "north/twins/Twin" in shown.stdout


@pytest.fixture
def base(tmp_path: Path, counting: Path) -> Iterator[Path]:
    install(tmp_path, {"Count.gguf": counting})
    yield tmp_path
    kronk("server", "stop", f"--base-path={tmp_path}")


def test_a_server_in_the_background_is_ready_when_the_command_returns(
    base: Path, tmp_path: Path
) -> None:
    port, mark = free_port(), uuid.uuid4().hex
    flags = [f"--base-path={base}", f"--api-host=127.0.0.1:{port}"]
    # A folder with modules of our names in it must not matter.
    (tmp_path / "kronk").mkdir()
    (tmp_path / "msgpack.py").write_text("raise SystemExit('the wrong module')")
    started = kronk("server", "start", "-d", *flags, mark=mark, cwd=str(tmp_path))
    assert started.returncode == 0, started.stderr
    assert f"http://127.0.0.1:{port}" in started.stdout
    url = f"http://127.0.0.1:{port}"
    body = {
        "model": "Count",
        "messages": [{"role": "user", "content": " 7"}],
        "max_tokens": 3,
        "temperature": 0,
    }
    answer = httpx.post(f"{url}/v1/chat/completions", json=body, timeout=60).json()
    assert answer["choices"][0]["message"]["content"] == counted(7, 3)
    # It finds the server of that base path by itself.
    rows = json.loads(kronk("ps", "--json", f"--base-path={base}").stdout)
    assert [row["model"] for row in rows] == ["Count"]

    stopped = kronk("server", "stop", f"--base-path={base}")
    assert stopped.returncode == 0, stopped.stderr
    assert "stopped" in stopped.stdout
    assert proc.marked(MARK, mark) == []
    again = kronk("server", "stop", f"--base-path={base}")
    assert again.returncode == 0
    assert "not running" in again.stdout


def test_a_base_path_may_be_long_and_have_any_characters(tmp_path: Path, counting: Path) -> None:
    # Longer than the name of a Unix socket may be.
    base = tmp_path / "models of the house, größer" / ("x" * 100)
    with running_server(base, {"Count.gguf": counting}) as server:
        assert server.text("Count", "from 7", max_tokens=3) == counted(7, 3)
        assert [row["model"] for row in server.ps()] == ["Count"]
        sockets = server.sockets
        assert sockets.stat().st_mode & 0o777 == 0o700
    shutil.rmtree(sockets)


def test_a_command_without_a_server_says_how_to_start_one(tmp_path: Path) -> None:
    shown = kronk("ps", f"--base-path={tmp_path}", f"--api-host=127.0.0.1:{free_port()}")
    assert shown.returncode == 1
    assert "kronk server start" in shown.stderr
    assert shown.stdout == ""
