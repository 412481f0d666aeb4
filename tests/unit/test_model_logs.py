"""The logs of single models: what their processes said, bounded in size and number."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kronk.shared.paths import BasePath
from kronk.supervisor import model_logs
from kronk.supervisor.log_relay import Relay
from kronk.supervisor.model_logs import ModelLogs


@pytest.fixture
def base(tmp_path: Path) -> BasePath:
    (tmp_path / "logs").mkdir()
    return BasePath(tmp_path)


@pytest.fixture
def confessed() -> list[str]:
    return []


@pytest.fixture
def logs(base: BasePath, confessed: list[str]) -> Iterator[ModelLogs]:
    made = ModelLogs(base, confessed.append)
    yield made
    made.close()


def record(**facts: object) -> bytes:
    usual = {"timestamp": "2026-01-02T03:04:05.000000Z", "level": "info", "event": "said"}
    return json.dumps(usual | facts).encode() + b"\n"


class Heard:
    """A relay of a worker's stderr, and what it keeps for its model."""

    def __init__(self, process: str = "worker") -> None:
        self.kept: list[tuple[str, str]] = []
        self.relay = Relay(process, 7, 3, lambda model, text: self.kept.append((model, text)))

    @property
    def texts(self) -> list[str]:
        """Without the time."""
        return [text.partition(" ")[2] for _, text in self.kept]


def test_all_that_a_process_says_is_kept_for_its_model_also_from_before_it_had_one() -> None:
    heard = Heard()
    heard.relay.feed(record(event="not confined", pid=7, process="worker"))
    assert heard.kept == []
    heard.relay.model = "m"
    heard.relay.feed(b"GGML_ASSERT(n > 0) failed\n")
    heard.relay.feed(record(level="error", event="failed", exception="Traceback:\n  x\nNo: 1"))
    heard.relay.note_end("SIGABRT")
    assert {model for model, _ in heard.kept} == {"m"}
    assert heard.texts == [
        "3 -       process 7",
        "3 info    not confined",
        "3 -       GGML_ASSERT(n > 0) failed",
        "3 error   failed\nTraceback:\n  x\nNo: 1",
        "3 -       process 7: SIGABRT",
    ]


def test_lines_that_are_only_for_the_model_are_not_relayed_and_no_last_words() -> None:
    heard = Heard()
    said = record(level="warning", event="llama: small", source="llama.cpp", quiet=True, model="m")
    assert heard.relay.feed(said) == []
    assert heard.relay.last_lines == ()
    # On another host nobody else says which model it is.
    assert heard.kept[-1] == (
        "m",
        "2026-01-02T03:04:05.000000Z 3 warning llama: small source=llama.cpp",
    )


def test_what_the_gateway_says_of_models_is_no_models_log() -> None:
    heard = Heard("gateway")
    (line,) = heard.relay.feed(record(event="request", model="m"))
    assert json.loads(line)["model"] == "m"
    heard.relay.note_end("SIGKILL")
    assert heard.kept == []


def test_each_model_has_a_file_for_its_owner_alone(base: BasePath, logs: ModelLogs) -> None:
    logs.put("org/a model", "one")
    logs.put("b", "two")
    logs.put("org/a model", "three")
    logs.close()
    path = base.model_log("org/a model")
    assert path.parent == base.logs / "models"
    assert path.read_text() == "one\nthree\n"
    assert base.model_log("b").read_text() == "two\n"
    assert {entry.stat().st_mode & 0o777 for entry in path.parent.iterdir()} == {0o600}
    assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["../../etc/passwd", "..", "", "a/b", "é" * 300, "a\nb", "-rf"])
def test_no_name_of_a_model_leads_out_of_the_folder(base: BasePath, name: str) -> None:
    path = base.model_log(name)
    assert path.parent == base.model_logs
    assert len(os.fsencode(path.name)) < 200
    assert not path.name.startswith(".")
    assert path.name.isprintable()


def test_names_that_look_alike_as_files_have_files_of_their_own(base: BasePath) -> None:
    assert len({base.model_log(name) for name in ("a/b", "a_b", "a b")}) == 3


def test_files_and_models_are_bounded(
    base: BasePath, logs: ModelLogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_logs, "FILE_BYTES", 50)
    monkeypatch.setattr(model_logs, "MOST_MODELS", 3)
    monkeypatch.setattr(model_logs, "_MOST_OPEN", 2)
    for number in range(6):
        for _ in range(10):
            logs.put(f"m{number}", "x" * 20)
    logs.close()
    names = {entry.name for entry in base.model_logs.iterdir()}
    assert names == {f"m{number}.log{end}" for number in (3, 4, 5) for end in ("", ".1")}
    assert all(entry.stat().st_size <= 50 for entry in base.model_logs.iterdir())


def test_a_file_that_cannot_be_written_loses_its_lines_and_no_others(
    base: BasePath, logs: ModelLogs, confessed: list[str]
) -> None:
    base.model_logs.mkdir()
    (base.model_logs / "bad.log").mkdir()
    for model in ("bad", "good", "bad"):
        logs.put(model, "a line")
    logs.close()
    assert base.model_log("good").read_text() == "a line\n"
    told = json.loads(confessed[-1])
    assert (told["event"], told["output"]) == ("log lines dropped", "models")
    assert told["dropped_so_far"] == 2
