"""Shell completion: what is proposed where, read from files, and how shells are taught to ask."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import lmdb
import pytest

from harness.tiny_variants import TINY
from kronk.cli import completers, completion
from kronk.cli import main as cli
from kronk.shared.models import catalog
from kronk.shared.settings import Settings, resolve


@pytest.fixture
def base(tmp_path: Path) -> Path:
    folder = tmp_path / "models" / "o" / "f"
    folder.mkdir(parents=True)
    for name in ("Tiny", "Tiger", "od d"):
        (folder / f"{name}.gguf").symlink_to(TINY)
    (tmp_path / "models.yaml").write_text("models: {Tiny/IMC: {}, Tiger: {aliases: [tea]}}")
    own = {"models": [{"id": "Mine-Q8_0"}]}
    (tmp_path / "catalog").mkdir()
    (tmp_path / "catalog" / "own.yaml").write_text(f"models:\n  - id: {own['models'][0]['id']}\n")
    (tmp_path / "workers.yaml").write_text(f"workers: {{gpu1: {{key: {'A' * 40!r}}}}}\n")
    with lmdb.open(str(tmp_path / "db"), max_dbs=16) as environment:
        jobs, runs = (environment.open_db(name) for name in (b"jobs", b"benchmarks"))
        with environment.begin(jobs, write=True) as transaction:
            record = {"title": "pull Qwen", "state": "running"}
            transaction.put(b"job_1", json.dumps(record).encode())
            transaction.put(b"20260101-000000-aaaa", b"{}", db=runs)
    return tmp_path


@pytest.fixture
def chosen(base: Path) -> Settings:
    file = str(base / "models.yaml")
    return resolve({"base_path": str(base), "model_config_file": file}, {})


def completed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], base: Path, *words: str
) -> list[str]:
    """What bash is told for a command line whose last word is begun."""
    monkeypatch.setenv("_KRONK_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", " ".join(["kronk", *words]))
    monkeypatch.setenv("COMP_CWORD", str(len(words)))
    monkeypatch.setenv("KRONK_BASE_PATH", str(base))
    monkeypatch.setenv("KRONK_CATALOG_MODEL_CONFIG_FILE", str(base / "models.yaml"))
    monkeypatch.setattr(sys, "argv", ["kronk"])
    with pytest.raises(SystemExit) as ended:
        cli._call()
    assert ended.value.code == 0
    said = capsys.readouterr()
    assert said.err == ""
    return said.out.split("\n")[:-1] if said.out.strip() else []


@pytest.mark.parametrize(
    ("words", "proposed"),
    [
        (["mo"], ["model"]),
        (["model", "hi"], ["history"]),
        (["model", "show", "Ti"], ["Tiger", "Tiny", "Tiny/IMC"]),
        (["model", "show", "te"], ["tea"]),
        (["model", "load", "Tiny/"], ["Tiny/IMC"]),
        (["run", "Tin"], ["Tiny", "Tiny/IMC"]),
        (["config", "show", "Tig"], ["Tiger"]),
        (["model", "history", "Tig"], ["Tiger"]),
        (["catalog", "show", "Mi"], ["Ministral", "Mine-Q8_0"]),
        (["catalog", "pull", "Mine"], ["Mine-Q8_0"]),
        (["model", "pull", "Mine"], ["Mine-Q8_0"]),
        (["model", "vram", "Mine"], ["Mine-Q8_0"]),
        (["model", "vram", "Tige"], ["Tiger"]),
        (["model", "vram", "--cache-type-k", "q8"], ["q8_0"]),
        (["catalog", "list", "--filter-category", "E"], ["Embedding"]),
        (["jobs", "show", ""], ["job_1"]),
        (["worker", "remove", ""], ["gpu1"]),
        (["worker", "add", ""], []),
        (["model", "show", "--jso"], ["--json"]),
        (["completion", "z"], ["zsh"]),
        (["bench", "Tig"], ["Tiger"]),
        (["bench", "hist"], ["history"]),
        (["bench", "--max"], ["--max-tokens"]),
        (["bench", "--preset", "q"], ["quick"]),
        (["bench", "--cold", "Tig"], ["Tiger"]),
        (["bench", "show", "2026"], ["20260101-000000-aaaa"]),
    ],
)
def test_what_may_come_next_is_proposed(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    base: Path,
    words: list[str],
    proposed: list[str],
) -> None:
    found = completed(monkeypatch, capsys, base, *words)
    if proposed[:1] == ["Ministral"]:
        assert "Mine-Q8_0" in found and any(name.startswith("Ministral") for name in found)
    else:
        assert found == proposed


def test_a_base_path_on_the_line_is_the_one_that_is_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], base: Path
) -> None:
    empty = base / "empty"
    words = ("model", "show", "--base-path", str(empty), "T")
    assert completed(monkeypatch, capsys, base, *words) == []


def test_names_that_would_need_quotes_are_not_proposed(chosen: Settings) -> None:
    names = [name for name, _ in completers.models(chosen)]
    assert "od d" in names
    base_path = str(chosen.base_path)
    assert completers.proposals(completers.models, base_path, "od") == []


@pytest.mark.parametrize(
    "damage", ["models.yaml", "workers.yaml", "db/data.mdb", "catalog/own.yaml"]
)
def test_nothing_that_is_broken_is_in_the_way(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    base: Path,
    damage: str,
) -> None:
    (base / damage).write_bytes(b"\xff{{{[" * 9000)
    for words in (["model", "show", "T"], ["worker", "remove", ""], ["jobs", "show", ""]):
        completed(monkeypatch, capsys, base, *words)
    assert "Tiny" in completed(monkeypatch, capsys, base, "model", "show", "T")


def test_all_ids_of_the_catalog_are_found_without_parsing_it(chosen: Settings) -> None:
    found = {name for name, _ in completers.catalog_ids(chosen)}
    assert found == {entry.id for entry in catalog.load()} | {"Mine-Q8_0"}
    assert [name for name, _ in completers.categories(chosen)] == list(catalog.CATEGORIES)


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_a_shell_is_taught_by_a_script(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    shell: str,
) -> None:
    monkeypatch.setattr(sys, "argv", ["kronk", "completion", shell])
    assert cli._call() == 0
    script = capsys.readouterr().out
    assert f"complete_{shell}" in script and "_KRONK_COMPLETE" in script
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SHELL", f"/usr/bin/{shell}")
    for variable in ("XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(sys, "argv", ["kronk", "completion", "install"])
    assert cli._call() == 0
    path = completion.target(shell, os.environ, tmp_path)
    assert path.read_text() == script
    assert capsys.readouterr().out.startswith(f"{path}\n")


def test_another_shell_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["kronk", "completion", "install", "--shell", "csh"])
    assert cli._call() == 2
    assert "expected one of bash, zsh, fish, got 'csh'" in capsys.readouterr().err


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_bash_asks_and_is_answered(base: Path) -> None:
    python = f"{sys.executable} -P -m kronk.cli.main"
    lines = f"""
        kronk() {{ {python} "$@"; }}
        export -f kronk
        source <(kronk completion bash)
        COMP_WORDS=(kronk model show Tig) COMP_CWORD=3
        _kronk_completion {sys.executable}-kronk 2>/dev/null
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    (base / "bin").mkdir()
    wrapper = base / "bin" / "kronk"
    wrapper.write_text(f'#!/bin/sh\nexec {python} "$@"\n')
    wrapper.chmod(0o755)
    lines = lines.replace(f"{sys.executable}-kronk", str(wrapper))
    done = subprocess.run(
        ["bash", "--norc", "-c", lines],
        capture_output=True,
        text=True,
        env=os.environ | {"KRONK_BASE_PATH": str(base)},
        timeout=60,
    )
    assert done.stdout.split() == ["Tiger"], done.stderr
