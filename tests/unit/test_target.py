"""Where a pulled file may go: below the models folder and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.pulling import BODY, SHA, left_over, pulled
from kronk.shared.errors import Conflict, InvalidArgument
from kronk.shared.models.plan import Item, Plan
from kronk.shared.models.sources import parse
from kronk.shared.models.target import target_of
from kronk.shared.paths import BasePath

BAD = [
    "../m.gguf",
    "a/../../m.gguf",
    "/etc/m.gguf",
    "a//m.gguf",
    "./m.gguf",
    ".index.gguf",
    ".downloads/m.gguf",
    "a\\..\\m.gguf",
    "a/m.gguf\n",
    "a/\x00m.gguf",
    "a/m.bin",
    "",
    "a/",
]


@pytest.mark.parametrize("relative", BAD)
def test_a_name_that_leads_out_is_refused_before_anything_is_made(
    tmp_path: Path, relative: str
) -> None:
    base = BasePath(tmp_path / "base")
    wanted = Plan("m", "m", (Item(parse("https://x.org/m.gguf"), relative, SHA, len(BODY)),))
    with pytest.raises(InvalidArgument, match="cannot be stored below"):
        pulled(base, wanted)
    assert not base.root.exists()


@pytest.mark.parametrize("relative", ["m.gguf", "org/fam/m.gguf", "a b/ü..x/M.GGUF"])
def test_other_names_are_below(tmp_path: Path, relative: str) -> None:
    assert target_of(tmp_path, relative) == tmp_path / relative


def test_a_folder_that_is_a_link_out_is_refused(tmp_path: Path) -> None:
    models, outside = tmp_path / "models", tmp_path / "outside"
    models.mkdir()
    outside.mkdir()
    (models / "org").symlink_to(outside)
    with pytest.raises(InvalidArgument, match="a link that leads out"):
        target_of(models, "org/fam/m.gguf")
    (models / "inside").mkdir()
    (models / "alias").symlink_to(models / "inside")
    assert target_of(models, "alias/m.gguf").parent.resolve() == models / "inside"


def test_a_models_folder_that_is_a_link_is_fine(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "models").symlink_to(tmp_path / "disk")
    assert target_of(tmp_path / "models", "a/m.gguf") == tmp_path / "models/a/m.gguf"


@given(st.text(alphabet="./\\a\x00~ ", max_size=12).map(lambda text: text + ".gguf"))
def test_no_name_leads_out(relative: str) -> None:
    models = Path("/nonexistent/models")
    try:
        target = target_of(models, relative)
    except InvalidArgument:
        return
    assert target.resolve().is_relative_to(models)


def test_a_folder_of_the_files_name_is_in_the_way(tmp_path: Path) -> None:
    base = BasePath(tmp_path)
    (base.models / "m.gguf").mkdir(parents=True)
    wanted = Plan("m", "m", (Item(parse("https://x.org/m.gguf"), "m.gguf", SHA, len(BODY)),))
    with pytest.raises(Conflict, match="exists and is no file"):
        pulled(base, wanted)
    assert left_over(base) == []
