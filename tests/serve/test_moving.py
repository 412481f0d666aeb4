"""Two servers: models go from one to the other, and answer there at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.server import Server, kronk, running_server
from kronk.shared.models import catalog

MODELS = Path(__file__).parents[1] / "models"
TINY = MODELS / "tiny-chat-q8_0.gguf"
PROJECTOR = MODELS / "tiny-mmproj-f16.gguf"
TOKEN = "t0ken-of-the-other"


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    files = {"tiny/Tiny.gguf": TINY, "tiny/mmproj-Tiny.gguf": PROJECTOR, "other/Plain.gguf": TINY}
    with running_server(tmp_path_factory.mktemp("old"), files) as server:
        yield server


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("new"), {}) as server:
        yield server


def command(server: Server, *words: str) -> Any:
    return kronk(*words, f"--base-path={server.base}", mark=server.mark)


def test_a_model_is_pushed_and_answers_there(old: Server, new: Server) -> None:
    done = command(old, "push", "Tiny", new.url, f"--token={TOKEN}")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"Tiny is at {new.url}: 2 files, 5.3 MiB\n"
    for name, original in (("Tiny", TINY), ("mmproj-Tiny", PROJECTOR)):
        assert (new.base / f"models/tiny/{name}.gguf").read_bytes() == original.read_bytes()
    assert new.chat("Tiny", "Hello!", max_tokens=2).status_code == 200
    job = old.get("/v1/kronk/jobs")["data"][0]
    assert job["params"] == {"model": "Tiny", "target": new.url}
    assert TOKEN not in json.dumps(job) + old.log_file.read_text() + new.log_file.read_text()


@pytest.mark.parametrize("local", [(), ("--local",)])
def test_a_model_is_pulled_from_another_server(
    old: Server, new: Server, local: tuple[str, ...]
) -> None:
    done = command(new, "model", "pull", "Plain", f"--from={old.url}", *local)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()) == new.base / "models/other/Plain.gguf"
    assert Path(done.stdout.strip()).read_bytes() == TINY.read_bytes()
    assert new.chat("Plain", "Hello!", max_tokens=2).status_code == 200


def test_what_cannot_be_moved_is_said_in_one_line(old: Server, new: Server) -> None:
    for words, code, said in (
        (("push", "nope", new.url), 1, "there is no model 'nope'"),
        (("push", "Tiny", "nowhere"), 2, "target: expected hf:owner/repo"),
        (("model", "pull", "nope", f"--from={new.url}", "--local"), 1, "there is no model 'nope'"),
        (("model", "pull", "Tiny", "--token=x"), 2, "--token is for --from"),
    ):
        done = command(old, *words)
        assert (done.returncode, done.stdout) == (code, ""), done.stderr
        assert said in done.stderr.splitlines()[-1]


def test_a_server_says_what_a_word_would_fetch(old: Server) -> None:
    done = command(old, "model", "resolve", catalog.STARTER)
    assert done.returncode == 0, done.stderr
    row = done.stdout.splitlines()[1].split()
    assert row[:2] == [f"{catalog.STARTER}.gguf", "model"] and row[-1] == "no"
    refused = command(old, "model", "resolve", "SmolLM2-135M")
    assert refused.returncode == 1 and "did you mean" in refused.stderr
