"""Which projector a model gets: by its name, its type, and who else is in the folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kronk.shared.model_config import parse
from kronk.shared.models import projectors
from kronk.shared.models.resolve import resolve
from kronk.shared.paths import BasePath

MODELS = Path(__file__).parents[1] / "models"
PROJECTOR = MODELS / "tiny-mmproj-f16.gguf"


@pytest.mark.parametrize(
    ("model", "found", "order"),
    [
        ("A.gguf", [], []),
        ("A-Q4_K_M.gguf", ["mmproj.gguf"], ["mmproj.gguf"]),
        ("A-Q4_K_M.gguf", ["mmproj-model-f16.gguf"], ["mmproj-model-f16.gguf"]),
        ("A-Q4_K_M.gguf", ["mmproj-A-F16.gguf"], ["mmproj-A-F16.gguf"]),
        ("A-Q4_K_M.gguf", ["A.mmproj-Q8_0.gguf"], ["A.mmproj-Q8_0.gguf"]),
        ("A-Q4_K_M-00001-of-00003.gguf", ["mmproj-A-F16.gguf"], ["mmproj-A-F16.gguf"]),
        # f16 comes first, and a name before none.
        (
            "A-Q8_0.gguf",
            ["mmproj-A-f32.gguf", "mmproj-A-q8_0.gguf", "mmproj-A-bf16.gguf", "mmproj-A-f16.gguf"],
            ["mmproj-A-f16.gguf", "mmproj-A-bf16.gguf", "mmproj-A-q8_0.gguf", "mmproj-A-f32.gguf"],
        ),
        (
            "A-Q8_0.gguf",
            ["mmproj-f16.gguf", "mmproj-A-q8_0.gguf"],
            ["mmproj-A-q8_0.gguf", "mmproj-f16.gguf"],
        ),
        # The longest name that fits is the nearest.
        (
            "A-VL-3B-Instruct-Q8_0.gguf",
            ["mmproj-A-VL-f16.gguf", "mmproj-A-VL-3B-Instruct-f16.gguf"],
            ["mmproj-A-VL-3B-Instruct-f16.gguf", "mmproj-A-VL-f16.gguf"],
        ),
        # Another model's is not taken.
        ("A-3B-Q8_0.gguf", ["mmproj-B-7B-f16.gguf"], []),
        (
            "A-3B-Q8_0.gguf",
            ["mmproj-A-7B-f16.gguf", "mmproj-A-3B-f16.gguf"],
            ["mmproj-A-3B-f16.gguf"],
        ),
    ],
)
def test_a_projector_is_chosen_by_its_name(model: str, found: list[str], order: list[str]) -> None:
    assert projectors.rank(model, found, is_only=False) == order


def test_with_no_other_model_in_the_folder_any_name_will_do() -> None:
    names = ["mmproj-B-f16.gguf", "mmproj-f16.gguf"]
    assert projectors.rank("A.gguf", names, is_only=True) == ["mmproj-f16.gguf", names[0]]


@pytest.fixture
def base(tmp_path: Path) -> BasePath:
    folder = tmp_path / "models" / "o" / "f"
    folder.mkdir(parents=True)
    shutil.copy(MODELS / "tiny-chat-q8_0.gguf", folder / "Tiny-Q8_0.gguf")
    return BasePath(tmp_path)


def _found(base: BasePath, **keys: object) -> str | None:
    configs = {"Tiny-Q8_0": parse(keys, "M", Path("/etc"))} if keys else {}
    return resolve(base, configs, "Tiny-Q8_0").projector


def test_the_projector_beside_a_model_is_found_and_is_no_model_itself(base: BasePath) -> None:
    folder = base.models / "o" / "f"
    assert _found(base) is None
    # Another type of the same model shares it.
    shutil.copy(MODELS / "tiny-chat-q8_0.gguf", folder / "Tiny-F16.gguf")
    shutil.copy(PROJECTOR, folder / "mmproj-Tiny-f16.gguf")
    assert _found(base) == str(folder / "mmproj-Tiny-f16.gguf")


def test_what_is_only_called_so_is_passed_over(base: BasePath) -> None:
    folder = base.models / "o" / "f"
    shutil.copy(MODELS / "tiny-chat-q8_0.gguf", folder / "mmproj-Tiny-f16.gguf")
    (folder / "mmproj-Tiny-bf16.gguf").write_bytes(b"GGUF")
    assert _found(base) is None
    shutil.copy(PROJECTOR, folder / "mmproj.gguf")
    assert _found(base) == str(folder / "mmproj.gguf")


def test_the_configuration_comes_first(base: BasePath) -> None:
    shutil.copy(PROJECTOR, base.models / "o" / "f" / "mmproj.gguf")
    assert _found(base, projector="eyes.gguf") == "/etc/eyes.gguf"
    assert _found(base, projector="none") is None
