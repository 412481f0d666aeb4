"""A model is removed with all that is its own, and nothing that is another's."""

from __future__ import annotations

from pathlib import Path

import pytest

from kronk.shared import settings
from kronk.shared.errors import Conflict, InvalidArgument, NotFound
from kronk.shared.load_spec import cache_folder
from kronk.shared.model_config import ModelConfig
from kronk.shared.models import facts, removing, verifying
from kronk.shared.models.headers import headers_of
from kronk.shared.models.writers import only_writer
from kronk.shared.settings import Settings

MODELS = Path(__file__).resolve().parents[1] / "models"
TINY = (MODELS / "tiny-chat-q8_0.gguf").read_bytes()
PROJECTOR = (MODELS / "tiny-mmproj-f16.gguf").read_bytes()


@pytest.fixture
def house(tmp_path: Path) -> Settings:
    return settings.resolve({"base_path": str(tmp_path / "base")}, {})


def put(house: Settings, *names: str) -> None:
    for name in names:
        path = house.base.models / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(PROJECTOR if "mmproj" in name else TINY)


def left(house: Settings) -> list[str]:
    models = house.base.models
    found = (path.relative_to(models).as_posix() for path in models.rglob("*"))
    return sorted(name for name in found if not name.startswith("."))


def remove(house: Settings, name: str, **configs: ModelConfig) -> removing.Removal:
    removal = removing.plan(house.base, configs, name)
    removing.remove(house.base, removal)
    return removal


def test_files_facts_headers_caches_and_empty_folders_go(house: Settings) -> None:
    put(house, "o/f/a.gguf", "o/g/b.gguf")
    verifying.run(house, {}, lambda *_: None)
    base, path = house.base, house.base.models / "o/f/a.gguf"
    for one in (path, base.models / "o/g/b.gguf"):
        headers_of(base).read(one)
    cached = cache_folder(base.cache, path)
    (cached / "below").mkdir(parents=True)
    removal = remove(house, "a")
    assert (removal.id, removal.size_bytes) == ("a", len(TINY))
    assert left(house) == ["o", "o/g", "o/g/b.gguf"]
    assert facts.load(base.models).keys() == {"o/g/b.gguf"}
    assert not cached.exists()
    assert len(list(base.headers.iterdir())) == 1
    with pytest.raises(NotFound):
        remove(house, "a")


def test_all_shards_go_also_of_a_model_that_lacks_some(house: Settings) -> None:
    put(house, "S-00001-of-00003.gguf", "S-00003-of-00003.gguf", "T.gguf")
    assert len(remove(house, "S").files) == 2
    assert left(house) == ["T.gguf"]


def test_a_projector_stays_for_as_long_as_a_model_has_it(house: Settings) -> None:
    put(house, "o/f/v-Q8_0.gguf", "o/f/v-Q4_0.gguf", "o/f/mmproj-v-f16.gguf")
    remove(house, "v-Q8_0")
    assert left(house) == ["o", "o/f", "o/f/mmproj-v-f16.gguf", "o/f/v-Q4_0.gguf"]
    remove(house, "v-Q4_0")
    assert left(house) == []


def test_a_projector_that_a_configuration_names_stays(house: Settings) -> None:
    put(house, "o/f/v.gguf", "o/f/mmproj-v-f16.gguf", "p/w.gguf")
    named = ModelConfig(projector=str(house.base.models / "o/f/mmproj-v-f16.gguf"))
    remove(house, "v", w=named)
    assert left(house) == ["o", "o/f", "o/f/mmproj-v-f16.gguf", "p", "p/w.gguf"]


def test_of_a_link_only_the_link_goes(house: Settings, tmp_path: Path) -> None:
    outside = tmp_path / "outside.gguf"
    outside.write_bytes(TINY)
    put(house, "keep.gguf")
    (house.base.models / "a.gguf").symlink_to(outside)
    (house.base.models / "dangling.gguf").symlink_to(tmp_path / "nowhere")
    remove(house, "a")
    remove(house, "dangling")
    assert outside.read_bytes() == TINY
    assert left(house) == ["keep.gguf"]


def test_a_file_behind_a_link_to_a_folder_is_not_ours_to_remove(
    house: Settings, tmp_path: Path
) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk/a.gguf").write_bytes(TINY)
    house.base.models.mkdir(parents=True)
    (house.base.models / "more").symlink_to(tmp_path / "disk")
    with pytest.raises(Conflict, match="to which a link in the models folder leads"):
        remove(house, "a")
    assert (tmp_path / "disk/a.gguf").exists()


def test_the_models_folder_itself_may_be_a_link(house: Settings, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    house.base.root.mkdir()
    house.base.models.symlink_to(tmp_path / "disk")
    put(house, "o/a.gguf")
    remove(house, "a")
    assert house.base.models.is_symlink()
    assert left(house) == []


def test_a_variant_is_not_removed_and_goes_with_its_model(house: Settings) -> None:
    put(house, "a.gguf")
    with pytest.raises(InvalidArgument, match="a/LONG is a variant"):
        remove(house, "a/LONG", **{"a/LONG": ModelConfig()})
    assert remove(house, "a", **{"a/LONG": ModelConfig()}).ids == ("a", "a/LONG")


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "", ".", "..", "a\0", "o/../../x"])
def test_no_name_reaches_out_of_the_folder(house: Settings, name: str) -> None:
    put(house, "o/a.gguf")
    (house.base.root / "secret.gguf").write_bytes(TINY)
    with pytest.raises(NotFound):
        remove(house, name)
    assert (house.base.root / "secret.gguf").exists()


def test_what_cannot_be_unlinked_by_its_id_is_left_to_people(house: Settings) -> None:
    put(house, "a\nb.gguf", "keep.gguf")
    (house.base.models / "folder.gguf").mkdir()
    with pytest.raises(Conflict, match="by hand"):
        remove(house, "a\N{REPLACEMENT CHARACTER}b")
    with pytest.raises(Conflict, match="it is a folder"):
        remove(house, "folder")


def test_a_model_that_is_being_written_is_not_removed(house: Settings) -> None:
    put(house, "a.gguf")
    with only_writer(house.base, ["a.gguf"]), pytest.raises(Conflict, match="is writing"):
        remove(house, "a")
    assert left(house) == ["a.gguf"]
