"""Local files become models: by link, clone or copy, whole, and never over another file."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from kronk.shared import settings
from kronk.shared.errors import Conflict, InvalidArgument
from kronk.shared.jobs.kinds import Cancelled, kind_of
from kronk.shared.models import catalog, facts, importing, indexing, placing
from kronk.shared.models.hashing import Tally
from kronk.shared.models.listing import listing
from kronk.shared.models.writers import IMPORTING, only_writer, partial_path
from kronk.shared.settings import Settings

MODELS = Path(__file__).resolve().parents[1] / "models"
TINY = (MODELS / "tiny-chat-q8_0.gguf").read_bytes()
PROJECTOR = (MODELS / "tiny-mmproj-f16.gguf").read_bytes()
SHA256 = hashlib.sha256(TINY).hexdigest()


def silent(phase: str, done: int, total: int | None) -> None:
    """Nobody watches."""


@pytest.fixture
def house(tmp_path: Path) -> Settings:
    return settings.resolve({"base_path": str(tmp_path / "base")}, {})


@pytest.fixture
def away(tmp_path: Path) -> Path:
    folder = tmp_path / "away"
    folder.mkdir()
    (folder / "Tiny-Q8_0.gguf").write_bytes(TINY)
    return folder


def bring(house: Settings, file: Path, **params: str) -> dict[str, object]:
    return importing.run(house, {"file": str(file), **params}, silent)


@pytest.mark.parametrize("how", placing.WAYS)
def test_a_file_becomes_a_model_with_its_facts(house: Settings, away: Path, how: str) -> None:
    source = away / "Tiny-Q8_0.gguf"
    done = bring(house, source, how=how)
    target = house.base.models / "local/Tiny/Tiny-Q8_0.gguf"
    assert (done["model"], done["path"], done["damaged"]) == ("Tiny-Q8_0", str(target), [])
    assert target.read_bytes() == TINY
    assert source.exists() == (how != "move")
    assert target.is_symlink() == (how == "link")
    [entry] = listing(house.base, {})
    assert (entry.id, entry.validated, entry.integrity) == ("Tiny-Q8_0", True, "verified")
    row = facts.load(house.base.models)["local/Tiny/Tiny-Q8_0.gguf"]
    assert (row.sha256, row.source) == (SHA256, f"file:{source}")
    assert not list(house.base.downloads.glob(f"*{IMPORTING}"))


def test_a_copy_is_another_file_and_a_link_the_same(house: Settings, away: Path) -> None:
    source = away / "Tiny-Q8_0.gguf"
    bring(house, source, how="copy")
    bring(house, source, how="link", **{"as": "org/linked"})
    assert not (house.base.models / "local/Tiny/Tiny-Q8_0.gguf").samefile(source)
    assert (house.base.models / "org/linked/Tiny-Q8_0.gguf").readlink() == source


def test_shards_and_the_projector_come_along_named_by_any(house: Settings, away: Path) -> None:
    for number in (1, 2):
        (away / f"S-{number:05d}-of-00002.gguf").write_bytes(TINY)
    (away / "mmproj-S-f16.gguf").write_bytes(PROJECTOR)
    done = bring(house, away / "S-00002-of-00002.gguf", **{"as": "org/family"})
    folder = house.base.models / "org/family"
    assert done["model"] == "S"
    assert str(done["path"]).endswith("S-00001-of-00002.gguf")
    assert sorted(path.name for path in folder.iterdir()) == [
        "S-00001-of-00002.gguf",
        "S-00002-of-00002.gguf",
        "mmproj-S-f16.gguf",
    ]


def test_the_same_again_is_no_error_and_another_file_is_never_overwritten(
    house: Settings, away: Path
) -> None:
    source = away / "Tiny-Q8_0.gguf"
    bring(house, source, how="copy")
    again = bring(house, source)
    assert again["files"] == [{"file": "local/Tiny/Tiny-Q8_0.gguf", "how": "there already"}]
    other = bytearray(TINY)
    other[-1] ^= 1
    source.write_bytes(other)
    with pytest.raises(Conflict, match="exists and is another file; --as"):
        bring(house, source)
    assert (house.base.models / "local/Tiny/Tiny-Q8_0.gguf").read_bytes() == TINY


def broken(away: Path) -> Path:
    (away / "Cut.gguf").write_bytes(TINY[:-100])
    return away / "Cut.gguf"


def page(away: Path) -> Path:
    (away / "Page.gguf").write_bytes(b"<html>" * 100)
    return away / "Page.gguf"


def lonely(away: Path) -> Path:
    (away / "L-00001-of-00003.gguf").write_bytes(TINY)
    return away / "L-00001-of-00003.gguf"


def projector(away: Path) -> Path:
    (away / "Vision.gguf").write_bytes(PROJECTOR)
    return away / "Vision.gguf"


def pipe(away: Path) -> Path:
    os.mkfifo(away / "Pipe.gguf")
    return away / "Pipe.gguf"


def named(away: Path) -> Path:
    (away / "a\x1b[2J.gguf").write_bytes(TINY)
    return away / "a\x1b[2J.gguf"


def loop(away: Path) -> Path:
    (away / "Loop.gguf").symlink_to(away / "Loop.gguf")
    return away / "Loop.gguf"


REFUSED: dict[str, tuple[Callable[[Path], Path], str]] = {
    "cut": (broken, "truncated: 100 bytes are missing"),
    "a page": (page, "not a GGUF file"),
    "no such file": (lambda away: away / "nope.gguf", "is no file"),
    "a folder": (lambda away: away, "is no file"),
    "another ending": (lambda away: Path(__file__), "does not end in .gguf"),
    "shards missing": (lonely, "lacks L-00002-of-00003.gguf, L-00003-of-00003.gguf"),
    "a projector": (projector, "is a projector and no model"),
    "a pipe": (pipe, "is no file"),
    "escape codes": (named, "cannot be shown"),
    "a link to itself": (loop, "is no file"),
    "a name too long": (lambda away: away / f"{'x' * 300}.gguf", "File name too long"),
}


@pytest.mark.parametrize(("make", "words"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_model_is_refused_and_leaves_nothing(
    house: Settings, away: Path, make: Callable[[Path], Path], words: str
) -> None:
    file = make(away)
    with pytest.raises(InvalidArgument) as refused:
        bring(house, file)
    assert words in refused.value.message
    assert refused.value.param == "file"
    assert refused.value.message.isprintable()
    assert not list(house.base.models.rglob("*.gguf"))


@pytest.mark.parametrize(
    "folder",
    ["..", "../x", "a/..", "a", "a/b/c", "/a/b", "a/.b", ".downloads/x", "a/b\n", "a/\x1b[2J", "/"],
)
def test_a_folder_that_is_none_is_refused(house: Settings, away: Path, folder: str) -> None:
    with pytest.raises(InvalidArgument, match="as: expected ORGANISATION/FAMILY"):
        bring(house, away / "Tiny-Q8_0.gguf", **{"as": folder})


@pytest.mark.parametrize("file", ["relative.gguf", "", "/x\0.gguf"])
def test_only_absolute_paths_are_taken(house: Settings, file: str) -> None:
    with pytest.raises(InvalidArgument, match="an absolute path"):
        kind_of("import").check_early(house, {"file": file})


def test_a_link_in_the_models_folder_leads_nothing_out_of_it(
    house: Settings, away: Path, tmp_path: Path
) -> None:
    house.base.models.mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (house.base.models / "org").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InvalidArgument, match="leads out of the models folder"):
        bring(house, away / "Tiny-Q8_0.gguf", **{"as": "org/family"})
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_file_of_the_models_folder_is_not_imported_again(house: Settings, away: Path) -> None:
    done = bring(house, away / "Tiny-Q8_0.gguf")
    with pytest.raises(InvalidArgument, match="in the models folder already"):
        bring(house, Path(str(done["path"])))


def test_two_imports_of_one_file_do_not_mix(house: Settings, away: Path) -> None:
    with (
        only_writer(house.base, ["local/Tiny/Tiny-Q8_0.gguf"]),
        pytest.raises(Conflict, match="another process is writing"),
    ):
        bring(house, away / "Tiny-Q8_0.gguf")


def test_an_import_that_is_cancelled_leaves_nothing_and_what_is_killed_is_swept(
    house: Settings, away: Path
) -> None:
    def cancel(phase: str, done: int, total: int | None) -> None:
        if done:
            raise Cancelled

    with pytest.raises(Cancelled):
        importing.run(house, {"file": str(away / "Tiny-Q8_0.gguf"), "how": "copy"}, cancel)
    assert not list(house.base.models.rglob("*.gguf"))
    assert not list(house.base.downloads.glob(f"*{IMPORTING}"))
    left = partial_path(house.base, "local/Tiny/Tiny-Q8_0.gguf").with_suffix(IMPORTING)
    left.write_bytes(TINY[:1000])
    with only_writer(house.base, ["local/Tiny/Tiny-Q8_0.gguf"]):
        indexing.refresh(house.base)
        assert left.exists()
    indexing.refresh(house.base)
    assert not left.exists()


def test_a_source_that_is_still_written_is_refused(away: Path, tmp_path: Path) -> None:
    source = away / "Tiny-Q8_0.gguf"

    def write(phase: str, done: int, total: int | None) -> None:
        with source.open("ab") as file:
            file.write(b"x")

    with pytest.raises(Conflict, match="was changed while"):
        placing.place(
            source, tmp_path / "a", tmp_path / "b", "copy", Tally("import", len(TINY), write)
        )
    assert not (tmp_path / "a").exists() and not (tmp_path / "b").exists()


def test_what_the_catalog_knows_otherwise_is_told(
    house: Settings, away: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starter = catalog.find(catalog.load(), catalog.STARTER)
    monkeypatch.setattr(catalog, "known", lambda base: [starter])
    name = starter.files[0].name
    (away / name).write_bytes(TINY)
    done = bring(house, away / name, **{"as": starter.folder})
    assert done["damaged"] == [f"{starter.folder}/{name}"]
    [entry] = listing(house.base, {})
    assert not entry.validated and "damaged" in str(entry.reason)
