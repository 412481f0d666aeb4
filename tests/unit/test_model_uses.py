"""What models are for, as lists tell it."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.tiny_variants import TINY
from kronk.gateway.model_uses import ModelUses, Use
from kronk.shared.model_config import ModelConfig, parse
from kronk.shared.models import index
from kronk.shared.paths import BasePath

MODELS = Path(__file__).parent.parent / "models"


@pytest.fixture
def base(tmp_path: Path) -> BasePath:
    folder = tmp_path / "models" / "o" / "f"
    folder.mkdir(parents=True)
    (folder / "Tiny.gguf").symlink_to(TINY)
    (tmp_path / "models" / "Ranker.gguf").symlink_to(MODELS / "tiny-rerank-q8_0.gguf")
    return BasePath(tmp_path)


def uses(
    known: ModelUses, base: BasePath, configs: dict[str, ModelConfig] | None = None
) -> dict[str, Use | None]:
    configs = configs or {}
    return known.of(index.scan(base.models, configs), configs)


def of(found: dict[str, Use | None], model: str) -> Use:
    use = found[model]
    assert use is not None
    return use


def test_a_model_is_for_what_its_header_and_its_template_say(base: BasePath) -> None:
    found = uses(ModelUses(base), base)
    tiny = of(found, "Tiny")
    assert tiny.capabilities == ("chat", "completion", "tools", "reasoning")
    assert (tiny.architecture, tiny.quantization, tiny.context_length) == ("llama", "Q8_0", 8192)
    assert of(found, "Ranker").capabilities == ("rerank",)


def test_a_projector_that_comes_is_noticed_and_so_is_a_configuration_that_changes(
    base: BasePath,
) -> None:
    known = ModelUses(base)
    assert "vision" not in of(uses(known, base), "Tiny").capabilities
    (base.models / "o" / "f" / "mmproj-Tiny-f16.gguf").symlink_to(MODELS / "tiny-mmproj-f16.gguf")
    assert "vision" in of(uses(known, base), "Tiny").capabilities
    without = {"Tiny": parse({"projector": "none"}, "models.Tiny", Path("/etc"))}
    assert "vision" not in of(uses(known, base, without), "Tiny").capabilities
    chatml = {"Tiny": parse({"chat_template": "chatml"}, "models.Tiny", Path("/etc"))}
    assert "tools" not in of(uses(known, base, chatml), "Tiny").capabilities


def test_a_file_that_cannot_be_read_is_for_nothing(base: BasePath) -> None:
    (base.models / "Broken.gguf").write_bytes(b"GGUF, but no more")
    assert uses(ModelUses(base), base)["Broken"] is None
