"""`kronk config`: what is wrong with a file, what a load would stumble over, and what applies."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from harness.tiny_variants import TINY
from kronk.cli.main import app
from kronk.shared.config import schema


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A models folder with the tiny model and a broken file."""
    folder = tmp_path / "models" / "o" / "f"
    folder.mkdir(parents=True)
    (folder / "Tiny.gguf").symlink_to(TINY)
    (folder / "Broken.gguf").write_bytes(b"GGUF, but no more")
    return tmp_path


def configure(base: Path, text: str) -> Path:
    file = base / "models.yaml"
    file.write_text(dedent(text))
    return file


def kronk(base: Path, *command: str, file: Path | None = None) -> Result:
    environment = {"KRONK_CATALOG_MODEL_CONFIG_FILE": str(file) if file is not None else ""}
    where = () if command == ("schema",) else ("--base-path", str(base))
    return CliRunner().invoke(app, ["config", *command, *where], env=environment)


def test_a_good_file_is_said_to_be_good(base: Path) -> None:
    file = configure(base, "models: {Tiny: {context_window: 1024}, Tiny/LONG: {n_batch: 512}}")
    done = kronk(base, "check", str(file))
    assert (done.exit_code, done.output) == (0, f"{file}: settings of 2 models, no mistakes\n")


def test_mistakes_are_told_each_with_its_place_and_end_with_2(base: Path) -> None:
    file = configure(
        base,
        """\
        models:
          Tiny:
            contextwindow: 4096
            n_batch: lots
        """,
    )
    done = kronk(base, "check", "--local", file=file)
    assert done.exit_code == 2
    assert done.output.splitlines() == [
        f"{file}:3:5: models.Tiny.contextwindow: no such key; did you mean context_window?",
        f"{file}:4:14: models.Tiny.n_batch: expected a whole number from 32 to 65536, got 'lots'",
        f"{file}: settings of 1 model, 2 mistakes",
    ]
    found = json.loads(kronk(base, "check", str(file), "--json").output)
    assert (found["file"], found["models"]) == (str(file), ["Tiny"])
    assert found["problems"][0] == {
        "severity": "error",
        "line": 3,
        "column": 5,
        "model": "Tiny",
        "key": "contextwindow",
        "message": "models.Tiny.contextwindow: no such key; did you mean context_window?",
    }


def test_no_more_than_twenty_mistakes_are_listed(base: Path) -> None:
    file = configure(base, "models:\n" + "".join(f"  A{n}: {{x: 1}}\n" for n in range(25)))
    lines = kronk(base, "check", str(file)).output.splitlines()
    assert sum(": no such key" in line for line in lines) == 20
    assert "... and 5 more mistakes" in lines
    assert len(json.loads(kronk(base, "check", str(file), "--json").output)["problems"]) >= 50


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Nope: {}", "2:3: warning: models.Nope: is not on disk: there is no model 'Nope'"),
        ("Tinny: {}", "did you mean Tiny?"),
        ("Qwen3-8B-Q8_0/IMC: {}", "is not on disk; `kronk catalog pull Qwen3-8B-Q8_0` fetches"),
        ("Broken: {}", "2:3: warning: models.Broken: cannot be loaded: "),
        ("Tiny: {context_window: 9000}", "2:10: warning: models.Tiny.context_window: 9000 tokens,"),
        ("Tiny: {draft_model: nope}", "models.Tiny.draft_model: model Tiny cannot be loaded: its"),
        ("Tiny: {draft_model: ./d.gguf}", "2:10: warning: models.Tiny.draft_model: there is no"),
        ("Tiny: {lora: [a.gguf]}", "models.Tiny.adapters: there is no file"),
        ("Tiny: {mmproj: p.gguf}", "models.Tiny.projector: there is no file"),
        ("Tiny: {chat_template_file: t.jinja}", "models.Tiny.chat_template_file: there is no file"),
        ("Tiny: {chat_template: nope}", "models.Tiny.chat_template: neither the model nor"),
        ("Tiny: {aliases: [Broken]}", "warning: models: Tiny.aliases: 'Broken' is the id of"),
    ],
)
def test_what_a_load_would_stumble_over_is_a_warning(base: Path, text: str, words: str) -> None:
    file = configure(base, f"models:\n  {text}\n")
    done = kronk(base, "check", str(file))
    assert done.exit_code == 0
    assert words in done.output
    assert done.output.endswith("settings of 1 model, no mistakes, 1 warning\n")


@pytest.mark.parametrize(
    "text",
    ["context_window: 9000, rope_scaling: yarn", "chat_template: chatml", "draft_model: o/f/Tiny"],
)
def test_what_loads_is_no_warning(base: Path, text: str) -> None:
    file = configure(base, f"models: {{o/f/Tiny: {{{text}}}}}")
    assert kronk(base, "check", str(file)).output.endswith("no mistakes\n")


def test_without_a_file_there_is_nothing_to_check(base: Path) -> None:
    for command in ("check", "path"):
        done = kronk(base, command)
        assert done.exit_code == 1
        assert "no model-config file is set" in str(done.exception)


def test_the_file_that_is_used_is_named(base: Path) -> None:
    file = configure(base, "")
    assert kronk(base, "path", "--local", file=file).output == f"{file}\n"
    assert json.loads(kronk(base, "path", "--json", file=file).output) == {"file": str(file)}


def rows(done: Result) -> dict[str, Any]:
    return {row["id"]: row for row in json.loads(done.output)["models"]}


def test_settings_are_shown_with_their_origins(base: Path) -> None:
    file = configure(
        base,
        """\
        models:
          Tiny:
            context_window: 1024
            sampling-preset: coding
            sampling-parameters: {top_p: 1}
          Absent: {pin: true}
        """,
    )
    found = rows(kronk(base, "show", "--local", "--json", file=file))
    assert list(found) == ["Absent", "Broken", "Tiny"]
    assert [row["on_disk"] for row in found.values()] == [False, True, True]
    assert found["Tiny"]["origins"]["context_window"] == "file models.yaml:3"
    page = kronk(base, "show", "--local", file=file).output
    lines = [" ".join(line.split()) for line in page.splitlines()]
    for line in (
        "Absent (not on disk)",
        "pin yes file models.yaml:6",
        "built-in defaults",
        "context_window 1024 file models.yaml:3",
        "temperature 0.2 preset coding",
        "top_p 1 file models.yaml:5",
    ):
        assert line in lines
    assert not any(line.startswith("n_batch") for line in lines)


@pytest.mark.parametrize("name", ["Tiny", "o/f/Tiny", "nick"])
def test_one_model_is_shown_with_every_key_by_any_of_its_names(base: Path, name: str) -> None:
    file = configure(base, "models: {o/f/Tiny: {aliases: [nick]}}")
    found = rows(kronk(base, "show", name, "--local", "--json", file=file))
    assert list(found) == ["Tiny"]
    assert found["Tiny"]["configuration"]["aliases"] == ["nick"]
    assert "n_batch" in kronk(base, "show", name, "--local", file=file).output


def test_an_unknown_model_has_no_settings(base: Path) -> None:
    done = kronk(base, "show", "Tinny", "--local")
    assert done.exit_code == 1
    assert "did you mean Tiny" in str(done.exception)


def test_the_schema_is_printed_as_it_is_published(base: Path) -> None:
    assert kronk(base, "schema").output == schema.text()
