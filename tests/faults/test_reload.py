"""A reload changes models that nobody uses, lets the others finish, and refuses a bad file."""

from __future__ import annotations

import signal
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from harness import proc
from harness.counting_model import counted
from harness.damage import pid_of, serves
from harness.server import SMALL, Server, kronk
from harness.waiting import wait_until

USAGE = 2
WINDOW = SMALL | {"context_window": 8192}
MODELS = ("Idle", "Busy", "Same")


@pytest.fixture
def server(start_server: Any, counting: Path, slow: Path) -> Server:
    files = {"Idle.gguf": counting, "Busy.gguf": slow, "Same.gguf": counting}
    started: Server = start_server(files, dict.fromkeys(MODELS, WINDOW), "--cache-ttl=0")
    serves(started, *MODELS)
    return started


def configure(server: Server, **models: dict[str, Any]) -> None:
    """What the file says from now on; it is not read yet."""
    text = yaml.safe_dump({"models": dict.fromkeys(MODELS, WINDOW) | models})
    (server.base / "models.yaml").write_text(text)


def reload(server: Server) -> tuple[int, str]:
    """The exit code of `kronk server reload` and what it printed."""
    done = kronk("server", "reload", f"--base-path={server.base}", mark=server.mark)
    return done.returncode, done.stdout + done.stderr


def listed(server: Server) -> set[str]:
    return {model["id"] for model in server.get("/v1/models")["data"]}


def wait_until_gone(pid: int) -> None:
    wait_until(lambda: proc.is_gone(pid), f"the end of {pid}")


def kill_gateway(server: Server) -> None:
    """Kill it, and wait for another."""
    old = server.role_pid("gateway")
    assert old is not None
    server.kill(old)
    wait_until(lambda: proc.find(old) is None, "the reap")

    def successor() -> int | None:
        try:
            return server.role_pid("gateway")
        except httpx.TransportError:
            return None

    wait_until(successor, "a new gateway")


def test_idle_models_change_busy_ones_finish_first_and_the_rest_is_untouched(
    server: Server,
) -> None:
    before = {model: pid_of(server, model) for model in MODELS}
    changed = WINDOW | {"context_window": 4096}
    configure(server, Idle=changed, Busy=changed)
    with ExitStack() as streams:
        running = [
            streams.enter_context(server.stream("Busy", f"from {n * 100}", max_tokens=500))
            for n in range(3)
        ]
        for stream in running:
            stream.wait_for_pieces(2)
        code, words = reload(server)
        assert (code, words) == (
            0,
            "Changed: Idle\n"
            "Changed: Busy (in use, goes on as before until its requests have ended)\n",
        )
        # New requests meanwhile are served by the old process.
        assert server.text("Busy", "from 7", max_tokens=3) == counted(7, 3)
        assert pid_of(server, "Busy") == before["Busy"]
        assert all(stream.ended_at is None for stream in running), "too fast to show anything"
        for at, stream in enumerate(running):
            stream.wait_for_end()
            assert stream.text == counted(at * 100, 500)
            assert stream.is_done
    for model in ("Idle", "Busy"):
        wait_until_gone(before[model])
        assert server.text(model, "from 7", max_tokens=3) == counted(7, 3)
        row = server.row(model)
        assert row is not None
        assert (row["n_ctx"], row["restarts"], row["last_exit"]) == (4096, 0, None)
    assert pid_of(server, "Same") == before["Same"]
    assert reload(server) == (
        0,
        "Nothing has changed for models that are loaded or in the model-config file.\n",
    )
    assert server.alarms() == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("models: {Busy: {context_windw: 4096}}", "models.Busy.context_windw: no such key"),
        ("models: {Busy: {n_batch: lots}}", "models.Busy.n_batch"),
        ("models: [", "not YAML"),
        ("models: {Busy: {draft_model: Nobody}}", "draft_model"),
        (None, "No such file"),
    ],
)
def test_a_bad_file_is_refused_by_name_and_nothing_changes(
    server: Server, text: str | None, words: str
) -> None:
    before = {model: pid_of(server, model) for model in MODELS}
    file = server.base / "models.yaml"
    if text is None:
        file.unlink()
    else:
        file.write_text(text)
    code, said = reload(server)
    assert code == USAGE
    assert words in said
    assert len(said.splitlines()) == 1
    # The signal says it in the log.
    server.kill(server.pid, signal.SIGHUP)
    wait_until(
        lambda: len(server.events("configuration refused; the old one stays")) == 2,
        "a word about the signal",
    )
    serves(server, *MODELS)
    assert {model: pid_of(server, model) for model in MODELS} == before
    # The next gateway does not read the bad file either.
    kill_gateway(server)
    serves(server, *MODELS)
    assert {model: pid_of(server, model) for model in MODELS} == before
    assert server.events("cannot read the model configuration") == []


def test_a_reload_by_signal_survives_the_gateway(server: Server) -> None:
    variant = "Same/SMALL"
    assert variant not in listed(server)
    configure(server, **{variant: SMALL})
    server.kill(server.pid, signal.SIGHUP)
    wait_until(lambda: variant in listed(server), "the new variant")
    assert server.text(variant, "from 7", max_tokens=3) == counted(7, 3)
    # Edited since, and not reloaded: the file is not what is in force.
    (server.base / "models.yaml").write_text("models: [")
    kill_gateway(server)
    assert variant in listed(server)
    assert server.text(variant, "from 8", max_tokens=3) == counted(8, 3)


def test_a_variant_that_is_taken_away_answers_its_requests_and_no_more(server: Server) -> None:
    variant = "Busy/SMALL"
    configure(server, **{variant: WINDOW | {"n_seq_max": 2}})
    assert reload(server)[0] == 0
    with server.stream(variant, "from 7", max_tokens=500) as stream:
        stream.wait_for_pieces(2)
        configure(server)
        assert reload(server)[0] == 0
        refused = server.chat(variant, "from 7", max_tokens=3)
        assert (refused.status_code, refused.json()["error"]["code"]) == (404, "not_found")
        assert stream.ended_at is None, "too fast to show anything"
        stream.wait_for_end()
        assert stream.text == counted(7, 500)
        assert stream.is_done
    wait_until(lambda: server.row(variant) is None, "its end")
    assert variant not in listed(server)


def test_a_pinned_model_is_loaded_anew_at_once_and_its_stay_alone_needs_no_load(
    server: Server,
) -> None:
    old = pid_of(server, "Idle")
    configure(server, Idle=WINDOW | {"pin": True, "ttl": "1h"})
    assert reload(server) == (0, "Changed: Idle\n")
    row = server.wait_for_row("Idle", pinned=True)
    assert (row["pid"], row["ttl"]) == (old, 3600.0)
    configure(server, Idle=WINDOW | {"pin": True, "ttl": "1h", "context_window": 4096})
    assert reload(server)[0] == 0
    # Nobody asks for it.
    row = server.wait_for_row("Idle", state="ready", n_ctx=4096, pinned=True)
    assert row["pid"] != old


def test_without_a_server_a_reload_says_so(tmp_path: Path) -> None:
    done = kronk("server", "reload", f"--base-path={tmp_path}")
    assert done.returncode == 1
    assert "not running" in done.stderr
