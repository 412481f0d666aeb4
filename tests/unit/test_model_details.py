"""`kronk model show`: what is said of a model without loading it, and how it is printed."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from harness.tiny_variants import TINY
from kronk.cli import show
from kronk.cli.main import app
from kronk.shared.errors import ModelFailed, NotFound
from kronk.shared.load_spec import cache_folder
from kronk.shared.model_config import ModelConfig, parse
from kronk.shared.model_keys import KEYS
from kronk.shared.models import details, facts
from kronk.shared.models.resolve import resolve
from kronk.shared.paths import BasePath
from kronk.shared.settings import resolve as resolve_settings
from kronk.shared.wire.loading import Fitted, FittedRope


@pytest.fixture
def base(tmp_path: Path) -> BasePath:
    """A models folder with the tiny model under two names and a broken file."""
    folder = tmp_path / "models" / "o" / "f"
    folder.mkdir(parents=True)
    for name in ("Tiny", "Draft"):
        (folder / f"{name}.gguf").symlink_to(TINY)
    (folder / "Broken.gguf").write_bytes(b"GGUF, but no more")
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "mine.jinja").write_text("{{ messages }}")
    return BasePath(tmp_path)


def configs(text: dict[str, Any]) -> dict[str, ModelConfig]:
    return {"Tiny": parse(text, "models.Tiny", Path("/etc"))}


def test_a_file_is_described_by_its_header(base: BasePath) -> None:
    found = details.describe(base, {}, "Tiny")
    facts = found["file"]
    assert (facts["architecture"], facts["layers"], facts["context_length"]) == ("llama", 5, 8192)
    assert facts["parameters"] == 3_476_224
    assert (facts["parameter_size"], facts["quantization"]) == ("3.48M", "Q8_0")
    assert next(iter(facts["tensor_types"])) == "q8_0"
    assert (facts["vocabulary"], facts["chat_template"]) == (2048, True)
    assert facts["special_tokens"]["eos"]["text"] == "<|im_end|>"
    assert found["capabilities"] == ["chat", "completion", "tools", "reasoning"]
    assert found["uses"]["chat_template"] == "tokenizer.chat_template"
    assert found["problem"] is None
    json.dumps(found)


def test_a_projector_beside_it_lets_a_model_see_and_hear(base: BasePath) -> None:
    (base.models / "o/f/mmproj-Tiny.gguf").symlink_to(TINY.parent / "tiny-mmproj-f16.gguf")
    assert {"vision", "audio"} <= set(details.describe(base, {}, "Tiny")["capabilities"])
    without = {"Tiny": ModelConfig(projector="none")}
    assert "vision" not in details.describe(base, without, "Tiny")["capabilities"]


def test_what_was_verified_is_told_until_the_file_changes(base: BasePath) -> None:
    path = base.models / "o/f/Copy.gguf"
    path.write_bytes(TINY.read_bytes())
    now = path.stat()
    row = facts.Facts("ab" * 32, now.st_size, now.st_mtime_ns, "hf:o/r/m.gguf", "2026-11-22")
    facts.record(base.models, "o/f/Copy.gguf", row)
    known = details.describe(base, {}, "Copy")["integrity"]
    assert (known["state"], known["sha256"], known["note"]) == ("verified", "ab" * 32, None)
    os.utime(path, ns=(0, 0))
    known = details.describe(base, {}, "Copy")["integrity"]
    assert known["state"] == "changed"
    assert known["note"] == "changed since it was verified on 2026-11-22"


def test_the_memory_of_a_model_is_told_and_nothing_of_one_that_cannot_be_loaded(
    base: BasePath,
) -> None:
    chosen = resolve_settings({"base_path": str(base.root)}, {})
    memory = details.describe_with_memory(chosen, {}, "Tiny")["memory"]
    assert memory["estimated"]["bytes"] > TINY.stat().st_size
    assert memory["measured"] is None
    assert details.describe_with_memory(chosen, {}, "Broken")["memory"] is None


def test_metadata_cannot_move_the_cursor_of_a_terminal(base: BasePath) -> None:
    found = details.describe(base, {}, "Tiny") | {"state": None, "fitted": None}
    found["file"]["name"] = "a\x1b[2Jb"
    assert "\x1b" not in show.page(found)


def test_the_configuration_has_every_key_with_its_value(base: BasePath) -> None:
    keys = {"context_window": 512, "sampling_parameters": {"top_k": 0}, "lora": ["a.gguf"]}
    found = details.describe(base, configs(keys), "o/f/Tiny")["configuration"]
    assert tuple(found) == tuple(KEYS)
    assert (found["context_window"], found["n_batch"]) == (512, 2048)
    assert found["sampling_parameters"] == {"top_k": 0}
    assert found["adapters"] == [{"path": "/etc/a.gguf", "scale": 1.0}]


def test_a_file_that_cannot_be_loaded_is_described_with_the_reason(base: BasePath) -> None:
    found = details.describe(base, {}, "Broken")
    assert found["file"] is None
    assert "Broken.gguf" in found["problem"]
    with pytest.raises(NotFound, match="did you mean Tiny"):
        details.describe(base, {}, "Tinny")


@pytest.mark.parametrize("draft", ["Draft", "o/f/Draft", "Draft.gguf"])
def test_a_draft_models_id_becomes_its_file(base: BasePath, draft: str) -> None:
    spec = resolve(base, configs({"draft_model": draft}), "Tiny")
    assert spec.speculation.mode == "draft"
    assert spec.speculation.draft_path == str(base.models / "o/f/Draft.gguf")


def test_a_draft_model_may_be_a_path_and_is_not_looked_for_when_it_is_off(base: BasePath) -> None:
    spec = resolve(base, configs({"draft_model": "./d.gguf"}), "Tiny")
    assert spec.speculation.draft_path == "/etc/d.gguf"
    off = resolve(base, configs({"draft_model": "nope", "speculative": "none"}), "Tiny")
    assert off.speculation.draft_path is None


@pytest.mark.parametrize(("draft", "words"), [("Drat", "did you mean Draft"), ("Broken", "Broken")])
def test_a_bad_draft_model_is_the_models_fault_and_not_the_requests(
    base: BasePath, draft: str, words: str
) -> None:
    with pytest.raises(
        ModelFailed, match=f"model Tiny cannot be loaded: its draft_model: .*{words}"
    ):
        resolve(base, configs({"draft_model": draft}), "Tiny")


@pytest.mark.parametrize("name", ["mine", "mine.jinja"])
def test_a_named_template_is_looked_for_in_the_templates_folder(base: BasePath, name: str) -> None:
    spec = resolve(base, configs({"chat_template": name}), "Tiny")
    assert spec.template.path == str(base.templates / "mine.jinja")


@pytest.mark.parametrize("name", ["chatml", "../templates/mine", "tool_use"])
def test_no_other_name_becomes_a_file(base: BasePath, name: str) -> None:
    spec = resolve(base, configs({"chat_template": name}), "Tiny")
    assert (spec.template.path, spec.template.name) == (None, name)


def test_show_prints_the_file_the_configuration_and_that_nothing_is_loaded(base: BasePath) -> None:
    file = base.root / "models.yaml"
    file.write_text("models: {Tiny: {cache_type_k: q8_0, cache_disk: 1GiB}}")
    environment = {"KRONK_CATALOG_MODEL_CONFIG_FILE": str(file)}
    command = ["model", "show", "Tiny", "--local", "--base-path", str(base.root)]
    done = CliRunner().invoke(app, command, env=environment)
    assert done.exit_code == 0, done.output
    lines = [" ".join(line.split()) for line in done.output.splitlines()]
    for line in (
        "architecture llama",
        "cache_type_k q8_0 file models.yaml:1",
        "cache_type_v f16 default",
        "cache_disk 1.0 GiB file models.yaml:1",
        "n_threads_batch (as `n_threads`) default",
        f"cache_folder {cache_folder(base.cache, base.models / 'o/f/Tiny.gguf')}",
        "fitted: not loaded",
    ):
        assert line in lines
    as_json = CliRunner().invoke(app, [*command, "--json"], env=environment)
    found = json.loads(as_json.output)
    assert (found["id"], found["fitted"]) == ("Tiny", None)
    assert found["configuration"]["cache_type_k"] == "q8_0"
    assert found["origins"]["cache_type_k"] == "file models.yaml:1"


def test_show_prints_what_was_fitted_and_what_was_asked_for_in_vain(base: BasePath) -> None:
    fitted = Fitted(
        n_ctx=16384,
        slots=4,
        queue=8,
        n_threads=2,
        parameters=100,
        weights_bytes=5 * 2**20,
        architecture="llama",
        template="file",
        kv_bytes=80 * 2**20,
        rope=FittedRope("yarn", 10000.0, 0.5, 8192),
        adapters=("style.gguf x 1",),
        notes=("main_gpu has no effect",),
    )
    found = details.describe(base, {}, "Tiny") | {"state": "ready", "fitted": asdict(fitted)}
    page = show.page(json.loads(json.dumps(found)))
    lines = [" ".join(line.split()) for line in page.splitlines()]
    for line in (
        "fitted",
        "n_ctx 16384",
        "kv_bytes 80 MiB",
        "rope scaling yarn, freq_base 10000, freq_scale 0.5, orig_ctx 8192",
        "adapters style.gguf x 1",
        "not as configured",
        "main_gpu has no effect",
    ):
        assert line in lines
