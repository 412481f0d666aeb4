"""The evidence that files are what they should be: kept, lost, renewed; and an index that heals."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from pathlib import Path

import pytest

from kronk.shared import settings
from kronk.shared.errors import Conflict, InvalidArgument, ModelFailed, NotFound
from kronk.shared.models import catalog, facts, indexing, verifying
from kronk.shared.models.facts import Facts
from kronk.shared.models.hashing import Tally, digest
from kronk.shared.models.listing import listing
from kronk.shared.models.resolve import resolve
from kronk.shared.settings import Settings

TINY = Path(__file__).resolve().parents[1] / "models" / "tiny-chat-q8_0.gguf"
SHA256 = hashlib.sha256(TINY.read_bytes()).hexdigest()
NAME = "o/f/Tiny.gguf"


def silent(phase: str, done: int, total: int | None) -> None:
    """Nobody watches."""


@pytest.fixture
def house(tmp_path: Path) -> Settings:
    chosen = settings.resolve({"base_path": str(tmp_path)}, {})
    put(chosen, NAME)
    return chosen


def put(house: Settings, name: str, data: bytes | None = None) -> Path:
    path = house.base.models / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(TINY.read_bytes() if data is None else data)
    return path


def row(house: Settings, name: str = NAME) -> Facts | None:
    return facts.load(house.base.models).get(name)


def verify(house: Settings, **params: object) -> list[str]:
    found = verifying.run(house, params, silent)
    return [one["result"] for one in found["files"]]


def test_what_nobody_knew_is_known_once_it_was_read(house: Settings) -> None:
    [entry] = listing(house.base, {})
    assert (entry.integrity, entry.note) == ("unknown", None)
    assert verify(house, model="Tiny") == ["recorded"]
    [entry] = listing(house.base, {})
    assert (entry.integrity, entry.note, entry.validated) == ("verified", None, True)
    known = row(house)
    assert known is not None and known.sha256 == SHA256
    assert verify(house, model="Tiny") == ["verified"]


def test_a_changed_file_loses_its_evidence_and_says_since_when(house: Settings) -> None:
    verify(house)
    os.utime(house.base.models / NAME, ns=(5, 5))
    [entry] = listing(house.base, {})
    known = row(house)
    assert known is not None
    assert (entry.integrity, entry.validated) == ("changed", True)
    assert entry.note == f"changed since it was verified on {known.verified[:10]}"
    # The bytes are what they were.
    assert verify(house) == ["verified"]
    assert listing(house.base, {})[0].integrity == "verified"


def test_other_bytes_are_damage_until_they_are_accepted(house: Settings) -> None:
    verify(house)
    path = house.base.models / NAME
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    # Even where nothing but its bytes gives it away.
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert listing(house.base, {})[0].integrity == "verified"
    assert verify(house) == ["damaged"]
    [entry] = listing(house.base, {})
    assert not entry.validated and entry.integrity == "damaged"
    other = hashlib.sha256(data).hexdigest()
    assert SHA256 in str(entry.reason) and other in str(entry.reason)
    with pytest.raises(ModelFailed, match="damaged"):
        resolve(house.base, {}, "Tiny")
    # It stays damaged, however often it is looked at.
    assert verify(house) == ["damaged"]
    assert verify(house, accept=True) == ["accepted"]
    [entry] = listing(house.base, {})
    assert (entry.validated, entry.integrity) == (True, "verified")
    assert verify(house) == ["verified"]


def test_the_catalog_knows_what_a_file_should_be(
    house: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    starter = catalog.find(catalog.load(), catalog.STARTER)
    file = dataclasses.replace(starter.files[0], sha256="ab" * 32)
    entry = dataclasses.replace(starter, files=(file,))
    monkeypatch.setattr(catalog, "known", lambda base: [entry])
    put(house, f"{entry.folder}/{file.name}")
    assert verify(house, model=catalog.STARTER) == ["damaged"]
    known = row(house, f"{entry.folder}/{file.name}")
    assert known is not None
    assert (known.sha256, known.found, known.licence) == ("ab" * 32, SHA256, entry.licence)
    assert known.source == str(file.source)


def test_all_is_all_with_projectors_and_what_cannot_be_read(house: Settings) -> None:
    put(house, "o/f/mmproj-Tiny.gguf")
    (house.base.models / "gone.gguf").symlink_to("/nowhere/at/all")
    found = verifying.run(house, {}, silent)
    results = {one["file"]: one["result"] for one in found["files"]}
    assert results == {
        NAME: "recorded",
        "o/f/mmproj-Tiny.gguf": "recorded",
        "gone.gguf": "unreadable",
    }
    assert found["damaged"] == 1


@pytest.mark.parametrize("params", [{"model": 3}, {"accept": "yes"}])
def test_odd_parameters_are_refused(house: Settings, params: dict[str, object]) -> None:
    with pytest.raises(InvalidArgument):
        verifying.run(house, params, silent)
    with pytest.raises(InvalidArgument):
        indexing.run(house, {"verify": 1}, silent)
    with pytest.raises(NotFound):
        verifying.run(house, {"model": "../../etc/passwd"}, silent)


def test_a_model_config_file_that_is_being_edited_keeps_no_file_from_being_read(
    house: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    file = house.base.root / "models.yaml"
    file.write_text("models:\n\tTiny: {}\n")
    edited = dataclasses.replace(house, model_config_file=file)
    [verdict] = verifying.run(edited, {"model": "Tiny"}, silent)["files"]
    assert verdict["result"] == "recorded"
    assert indexing.run(edited, {}, silent)["models"] == 1
    assert "the model-config file is not used" in caplog.text


def test_a_file_that_grows_while_it_is_read_is_no_evidence(house: Settings) -> None:
    path = house.base.models / NAME

    def write(phase: str, done: int, total: int | None) -> None:
        if done:
            with path.open("ab") as file:
                file.write(b"x")

    with pytest.raises(Conflict, match="was changed while it was read"):
        digest(path, Tally("verify", path.stat().st_size, write))


def test_facts_follow_a_renamed_file(house: Settings) -> None:
    verify(house)
    known = row(house)
    path = house.base.models / NAME
    path.rename(path.with_name("Other.gguf"))
    done = indexing.run(house, {}, silent)
    assert done["moved"] == {NAME: "o/f/Other.gguf"}
    assert row(house, "o/f/Other.gguf") == known
    assert [(one.id, one.integrity) for one in listing(house.base, {})] == [("Other", "verified")]


def test_a_copy_is_known_by_its_digest(house: Settings) -> None:
    verify(house)
    known = row(house)
    assert known is not None
    facts.record(
        house.base.models, NAME, dataclasses.replace(known, source="hf:o/r/T.gguf", licence="mit")
    )
    put(house, "p/g/Copy.gguf")
    (house.base.models / NAME).unlink()
    done = indexing.run(house, {"verify": True}, silent)
    assert done["forgotten"] == (NAME,)
    copy = row(house, "p/g/Copy.gguf")
    assert copy is not None
    assert (copy.sha256, copy.source, copy.licence) == (SHA256, "hf:o/r/T.gguf", "mit")


def test_the_index_names_what_cannot_be_loaded(house: Settings) -> None:
    data = TINY.read_bytes()
    put(house, "Cut.gguf", data[:-1000])
    put(house, "Page.gguf", b"<html>")
    put(house, "Beyond.gguf", data[:300])
    done = indexing.run(house, {}, silent)
    assert done["models"] == 4
    assert done["broken"].keys() == {"Cut", "Page", "Beyond"}
    assert "truncated: 1000 bytes are missing" in done["broken"]["Cut"]
    assert "not a GGUF file" in done["broken"]["Page"]


def test_headers_of_all_shards_count(house: Settings) -> None:
    data = TINY.read_bytes()
    put(house, "S-00001-of-00002.gguf", data)
    put(house, "S-00002-of-00002.gguf", data[:-8])
    done = indexing.run(house, {}, silent)
    assert "S-00002-of-00002.gguf: truncated: 8 bytes are missing" in done["broken"]["S"]


# The index itself.

DAMAGE: dict[str, bytes] = {
    "empty": b"",
    "zeros": bytes(5000),
    "a list": b"[1, 2]",
    "no map": b"files: 3",
    "not UTF-8": b"\xff\xfe\xff",
    "nested": b"[" * 100_000,
    "a date that is none": b"files: 2026-13-45",
    "a number too long": b"files: " + b"9" * 5000,
    "a bomb": b"a: &a [1,1]\nb: &b [*a,*a]\nfiles: {x.gguf: *b}",
    "another's rows": b"files:\n  a.gguf: {downloaded: true}\n",
    "python": b"!!python/object/apply:os.system [false]",
}


@pytest.mark.parametrize("text", DAMAGE.values(), ids=DAMAGE)
def test_a_broken_index_is_said_and_made_anew(house: Settings, text: bytes) -> None:
    path = house.base.models / ".index.yaml"
    path.write_bytes(text)
    rows, problem = facts.look(house.base.models)
    assert rows == {} and str(path) in str(problem)
    assert [entry.id for entry in listing(house.base, {})] == ["Tiny"]
    assert indexing.refresh(house.base).problem == problem
    assert facts.look(house.base.models) == ({}, None)


def test_a_truncated_index_loses_its_last_row_only(house: Settings) -> None:
    put(house, "a.gguf")
    put(house, "b.gguf")
    verify(house)
    path = house.base.models / ".index.yaml"
    path.write_bytes(path.read_bytes()[:-20])
    rows, problem = facts.look(house.base.models)
    assert (len(rows), str(problem).endswith("1 of its lines cannot be read, 2 rows are kept")) == (
        2,
        True,
    )
    assert indexing.refresh(house.base).rows == 2
    assert facts.look(house.base.models)[1] is None


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "o/../../x.gguf",
        "a\x1b[2J.gguf",
        "a\nb.gguf",
        ".hidden/a.gguf",
        "a//b.gguf",
        "x" * 2000,
        "",
        "\udcff.gguf",
    ],
)
def test_a_hostile_row_is_not_believed(house: Settings, name: str) -> None:
    good = Facts("0" * 64, 24, 1, "s", "2026-01-01")
    facts.change(house.base.models, lambda rows: {NAME: good, name: good})
    assert facts.load(house.base.models) == {NAME: good}
    path = house.base.models / ".index.yaml"
    shown = path.read_text().replace("o/f/Tiny.gguf", "../../etc/passwd")
    path.write_text(shown)
    assert facts.load(house.base.models) == {}


@pytest.mark.parametrize("name", [".index.yaml", ".index.lock"])
def test_a_folder_in_its_place_is_moved_aside(house: Settings, name: str) -> None:
    folder = house.base.models / name
    (folder / "below").mkdir(parents=True)
    indexing.refresh(house.base)
    verify(house)
    assert row(house) is not None
    [aside] = house.base.models.glob(f"{name}.broken-*")
    assert (aside / "below").is_dir()


def test_a_pipe_in_its_place_blocks_nobody(house: Settings) -> None:
    os.mkfifo(house.base.models / ".index.yaml")
    os.mkfifo(house.base.models / ".index.lock")
    assert "is not a file" in str(facts.look(house.base.models)[1])
    verify(house)
    assert row(house) is not None


def test_the_index_is_yaml_with_a_row_in_each_line(house: Settings) -> None:
    import yaml

    verify(house)
    text = (house.base.models / ".index.yaml").read_text()
    assert yaml.safe_load(text)["files"][NAME]["sha256"] == SHA256
    assert len(text.splitlines()) == 2
