"""What `kronk diagnose` looks at, and how it shows that."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from kronk.cli import diagnose_looks, doctor
from kronk.cli import main as cli
from kronk.cli.checks import Finding, Grade
from kronk.shared.departures import to_line
from kronk.shared.diagnosis import machine, models, origins, page, records
from kronk.shared.diagnosis.redaction import POLICY, Redactor
from kronk.shared.diagnosis.report import Look, Section, looked
from kronk.shared.errors import ServerError
from kronk.shared.wire.status import Departure

CANARY = "CANARY-my-private-words"
PAGE = f"""\
# Kronk diagnosis

Made today. {POLICY}

## Host

- kernel: Linux
- swap: -
- flags: avx, fma
- limits:
  - files: 20
- tried: yes

## Models

| id | size | problem |
| --- | --- | --- |
| a\\|b | 0.3333 | - |
| c | - | \\<script> of two lines |

## Server

no server runs

## Log

nothing

## Tables

- object: libs
- rows:

| name |
| --- |
| x |


## Broken

**Not known:** it broke
"""


def test_a_report_is_markdown() -> None:
    sections = [
        Section(
            "h",
            "Host",
            {
                "kernel": "Linux", "swap": None, "flags": ["avx", "fma"], "limits": {"files": 20},
                "tried": True,
            },
        ),
        Section("m", "Models", [
            {"id": "a|b", "size": 1 / 3}, {"id": "c", "problem": "<script>\nof two lines"},
        ]),
        Section("s", "Server", "no server runs"),
        Section("l", "Log", []),
        Section("t", "Tables", {"object": "libs", "rows": [{"name": "x"}]}),
        Section("b", "Broken", None, "it broke"),
    ]  # fmt: skip
    assert page.markdown(sections, "today") == PAGE


def test_long_tables_are_cut_and_say_so() -> None:
    rows = [{"n": number} for number in range(100)]
    shown = page.markdown([Section("t", "T", rows)], "today")
    assert "| 59 |" in shown and "| 60 |" not in shown and "40 more; --json has all" in shown


def fails(error: Exception) -> Any:
    def find() -> Any:
        raise error

    return find


@pytest.mark.parametrize(
    ("find", "content", "failure"),
    [
        (lambda: {"a": "/root/x"}, {"a": "~/x"}, None),
        (fails(ServerError("no /root/x")), None, "no ~/x"),
        (fails(KeyError("data")), None, "KeyError: 'data'"),
        (fails(PermissionError(13, "no", "/home/bob/x")), None,
         "PermissionError: [Errno 13] no: '~/x'"),
    ],
)  # fmt: skip
def test_a_look_that_fails_says_why_and_nothing_else(
    find: Any, content: Any, failure: str | None
) -> None:
    found = looked(Look("x", "X", find), Redactor())
    assert (found.content, found.failure) == (content, failure)


def test_a_look_that_hangs_is_left_behind() -> None:
    ever = threading.Event()
    found = looked(Look("x", "X", lambda: ever.wait(60), 0.05), Redactor())
    assert found.failure == "not done in 0.05 s"
    ever.set()


LOG = [
    {"timestamp": "1", "level": "info", "event": "fine", "process": "gateway"},
    {"timestamp": "2", "level": "warning", "event": "a frame of 17 bytes", "process": "gateway",
     "pid": 1, "prompt": CANARY},
    {"timestamp": "4", "level": "warning", "event": "a frame of 99 bytes", "process": "gateway",
     "pid": 1, "error": CANARY},
    # As the supervisor writes down a line that a library wrote to stderr.
    {"timestamp": "3", "level": "error", "event": f"error: {CANARY}", "process": "worker",
     "pid": 2, "generation": 3, "model": "m"},
    {"timestamp": "5", "level": "error", "event": CANARY, "process": "gateway", "logger": "httpx"},
    {"timestamp": "6", "level": "warning", "event": CANARY, "process": "worker", "pid": 2,
     "source": "llama.cpp", "model": "m"},
]  # fmt: skip


def test_trouble_is_counted_by_event_without_what_requests_said(tmp_path: Path) -> None:
    lines = [json.dumps(record) for record in LOG]
    (tmp_path / "kronk.log.1").write_text("\n".join(lines[:3]) + "\n")
    (tmp_path / "kronk.log").write_text("\n".join([*lines[3:], "no JSON", "[1]"]) + "\n")
    rows = records.trouble(records.log_tail(tmp_path / "kronk.log"))
    keys = ("level", "event", "count", "first", "last")
    assert [tuple(row[key] for key in keys) for row in rows] == [
        ("warning", "(a line of llama.cpp)", 1, "6", "6"),
        ("error", "(a line of httpx)", 1, "5", "5"),
        ("warning", "a frame of N bytes", 2, "2", "4"),
        ("error", "(a line of its stderr)", 1, "3", "3"),
    ]  # fmt: skip
    assert CANARY not in str(rows)
    assert records.log_tail(tmp_path / "none.log") == []


def end(outcome: Any, ended: float) -> str:
    said, stack = (CANARY,), (CANARY,)
    return to_line(
        Departure("m", 1, 2, 0, 1, ended, outcome, "SIGSEGV", None, None, False, 3, said, stack)
    )  # fmt: skip


def test_failures_are_told_without_what_processes_said(tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    file.write_text(
        "\n".join([end("crashed", 5.0), end("unloaded", 6.0), end("crashed", 7.0), "{"])
    )
    rows = records.last_failures(file)
    keys = ("ended", "cause", "requests", "lines_of_stderr")
    assert [tuple(row[key] for key in keys) for row in rows] == [
        (7.0, "SIGSEGV", 3, 1), (5.0, "SIGSEGV", 3, 1),
    ]  # fmt: skip
    assert CANARY not in str(rows)
    assert records.last_failures(tmp_path / "none") == []


def rows_by_name(rows: list[dict[str, Any]]) -> dict[str, tuple[str, str]]:
    return {row["setting"]: (row["value"], row["from"]) for row in rows}


def test_settings_say_where_they_are_from_and_never_a_secret() -> None:
    env = {"KRONK_CACHE_TTL": "9x", "HF_TOKEN": CANARY, "KRONK_TOKENN": CANARY}
    rows = origins.settings_rows({"base_path": "/b", "api_host": None}, env)
    found = rows_by_name(rows)
    assert found["base_path"] == ("/b", "--base-path")
    assert found["cache_ttl"] == ("9x", "KRONK_CACHE_TTL")
    assert found["hf_token"] == ("set", "HF_TOKEN")
    assert found["auth_token"] == ("not set", "default")
    assert "expected a duration" in rows[[*found].index("cache_ttl")]["wrong"]
    assert [row["from"] == "default" for row in rows] == sorted(
        row["from"] == "default" for row in rows
    )
    assert CANARY not in str(rows)
    assert origins.mistyped(env) == ["KRONK_TOKENN (did you mean KRONK_TOKEN?)"]


def test_settings_that_cannot_be_are_said_and_the_others_are_in_force(tmp_path: Path) -> None:
    env = {"KRONK_CACHE_TTL": "9x", "KRONK_MODELS_IN_CACHE": "0", "KRONK_LOG_LEVEL": "debug"}
    settings, wrong = origins.settings_or_nearest({"base_path": str(tmp_path)}, env)
    assert (settings.base_path, settings.cache_ttl, settings.log_level) == (tmp_path, 300, "debug")
    assert ["KRONK_CACHE_TTL" in wrong[1], "KRONK_MODELS_IN_CACHE" in wrong[0]] == [True, True]
    together = {"KRONK_TLS_CERT": "/a"}
    settings, wrong = origins.settings_or_nearest({"base_path": str(tmp_path)}, together)
    assert settings.base_path == tmp_path and "belong together" in wrong[0]


def test_settings_of_a_process_are_read_from_its_command_line_and_environment(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "7"
    folder.mkdir()
    words = ["kronk", "server", "start", "--cache-ttl=9m", "--models-in-cache", "5", "--llama-log"]
    (folder / "cmdline").write_bytes("\0".join(words).encode())
    env = ["KRONK_LOG_LEVEL=debug", "KRONK_SPARE=true", f"KRONK_HF_TOKEN={CANARY}", "PATH=/bin"]
    (folder / "environ").write_bytes("\0".join(env).encode())
    found = rows_by_name(origins.process_settings(7, tmp_path))
    assert found["cache_ttl"] == ("9m", "--cache-ttl")
    assert found["models_in_cache"] == ("5", "--models-in-cache")
    assert found["llama_log"] == ("true", "--llama-log")
    assert found["log_level"] == ("debug", "--log-level or KRONK_LOG_LEVEL")
    assert found["spare"] == ("true", "default")
    assert found["hf_token"] == ("set", "--hf-token or KRONK_HF_TOKEN")
    assert CANARY not in str(found)


def test_a_machine_is_read_from_its_files(tmp_path: Path) -> None:
    for name, text in {
        "etc/os-release": 'NAME="X"\nPRETTY_NAME="Debian 12"\n',
        "proc/cpuinfo": "model name\t: EPYC\nflags\t\t: fpu avx2 amx_int8 avx512f sse9\n",
        "proc/self/cgroup": "0::/a/b\n",
        "proc/1/cgroup": "0::/kubepods/x\n",
        "sys/fs/cgroup/a/b/memory.max": "max\n",
        "sys/fs/cgroup/a/memory.max": "1048576\n",
        "sys/fs/cgroup/a/b/cpu.max": "200000 100000\n",
        "sys/fs/cgroup/pids.max": "max\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = machine.host(tmp_path)
    assert (found["system"], found["processor"], found["container"]) == (
        "Debian 12", "EPYC", "kubepods",
    )  # fmt: skip
    assert found["instructions"] == ["avx2", "avx512f", "amx_int8"]
    assert found["control group"] == {"memory.max": "1048576", "cpu.max": "200000 100000"}
    (tmp_path / ".dockerenv").touch()
    assert machine.container(tmp_path) == "docker"
    empty = machine.host(tmp_path / "none")
    assert (empty["system"], empty["container"], empty["instructions"]) == (None, None, None)


def test_disks_are_told_of_folders_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    rows = machine.disks({"a": tmp_path, "b": tmp_path / "none", "c": tmp_path / "file"})
    assert [row["state"] for row in rows] == ["writable", "not there", "not a folder"]
    assert all(row["size"] and row["free"] for row in rows)


def test_settings_of_models_are_those_somebody_chose_and_no_prompts() -> None:
    row = {
        "id": "m",
        "configuration": {
            "context_window": 9, "sampling_parameters": {"seed": 1}, "long": "x" * 999,
        },
        "origins": {"context_window": "file", "sampling_parameters.seed": "catalog", "long": "file",
                    "n_seq_max": "default"},
    }  # fmt: skip
    assert [(each["setting"], each["value"], each["from"]) for each in models.chosen([row])] == [
        ("context_window", 9, "file"),
        ("sampling_parameters.seed", 1, "catalog"),
        ("long", "(a text of 999 characters)", "file"),
    ]


def test_versions_of_packages_are_those_installed() -> None:
    found = models.packages()
    assert found["psutil"][0].isdigit() and "pytest" not in found


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without what `kronk doctor` tries in child processes, which has tests of its own."""
    finding = Finding("python", Grade.OK, "3.11")
    monkeypatch.setattr(doctor, "found", lambda settings: iter([finding]))


def diagnose(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str
) -> dict[str, Section]:
    monkeypatch.setattr(sys, "argv", ["kronk", "diagnose", "--json", *words])
    assert cli._call() == 0
    sections = json.loads(capsys.readouterr().out)["sections"]
    return {each["name"]: Section(**each) for each in sections}


@pytest.mark.usefixtures("quick")
def test_a_report_is_made_without_a_server_and_on_a_base_path_that_is_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "base").write_text("a file")
    monkeypatch.setenv("KRONK_CACHE_TTL", "9x")
    monkeypatch.setenv("KRONK_HF_TOKEN", CANARY)
    host = "--api-host=127.0.0.1:9"
    found = diagnose(monkeypatch, capsys, f"--base-path={tmp_path}/base", host)
    assert found["server"].content == found["benchmark"].content == "no server runs"
    assert "KRONK_CACHE_TTL" in found["settings"].content["wrong"][0]
    assert found["disks"].content[0]["state"] == "not a folder"
    # Nothing of it depends on the base path.
    for name in ("about", "host", "accelerators", "packages", "doctor"):
        assert found[name].failure is None and found[name].content
    assert CANARY not in str(found)


@pytest.mark.usefixtures("quick")
def test_a_report_can_be_written_to_a_file_of_ones_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    base = f"--base-path={tmp_path}"
    out = tmp_path / "report.md"
    command = ["kronk", "diagnose", "--no-bench", "--api-host=127.0.0.1:9", base]
    monkeypatch.setattr(sys, "argv", [*command, f"--output={out}"])
    assert cli._call() == 0
    assert out.read_text().startswith("# Kronk diagnosis") and "## Benchmark" not in out.read_text()
    assert out.stat().st_mode & 0o777 == 0o600
    assert capsys.readouterr().out == f"written to {out}\n"
    monkeypatch.setattr(sys, "argv", [*command, "--output=/no/such/folder/x"])
    assert cli._call() == 2


def test_the_operators_token_is_known_by_heart(tmp_path: Path) -> None:
    settings, _ = origins.settings_or_nearest({"base_path": str(tmp_path)}, {})
    settings.base.keys.mkdir()
    settings.base.admin_token.write_text(f"{CANARY}\n")
    assert CANARY not in diagnose_looks.redactor(settings).text(f"x {CANARY} y")
