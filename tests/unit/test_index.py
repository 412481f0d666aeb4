"""Models on disk: which files count, under which ids, and what a request may name."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from kronk.shared.errors import InvalidArgument, ModelFailed, NotFound
from kronk.shared.model_config import ModelConfig
from kronk.shared.models import facts, index
from kronk.shared.models.facts import Facts

GOOD = b"GGUF\x03\x00\x00\x00" + bytes(16)


def put(models: Path, *names: str, content: bytes = GOOD) -> None:
    for name in names:
        path = models / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def resolve(models: Path, name: str, configs: dict[str, ModelConfig]) -> index.ResolvedModel:
    return index.pick(index.scan(models, configs), name, configs)


def ids(models: Path, *keys: str) -> list[str]:
    return [entry.id for entry in index.scan(models, {key: ModelConfig() for key in keys})]


FOUND = {
    "a file copied to the top": (["a.gguf"], ["a"]),
    "a file in its place": (["org/family/a.gguf"], ["a"]),
    "a file far down": (["1/2/3/4/5/6/7/a.gguf"], ["a"]),
    "upper-case ending": (["A.GGUF"], ["A"]),
    "dots and spaces in a name": (["Smol 1.7B.Q4_1.gguf"], ["Smol 1.7B.Q4_1"]),
    "one name in two folders": (["o/f/a.gguf", "p/f/a.gguf"], ["o/f/a", "p/f/a"]),
    "one name at the top and below": (["a.gguf", "o/a.gguf"], ["a", "o/a"]),
    "no partial downloads": ([".downloads/a.gguf"], []),
    "no hidden files": (["o/.a.gguf"], []),
    "no projectors": (["mmproj.gguf", "mmproj-a.gguf", "o/a-mmproj-f16.gguf"], []),
    "a name that only contains the word": (["xmmprojx.gguf"], ["xmmprojx"]),
    "no other files": (["a.bin", "gguf", "a.gguf.part"], []),
    "a split model is one": (["a-00001-of-00002.gguf", "a-00002-of-00002.gguf"], ["a"]),
    "split and whole side by side": (
        ["a.gguf", "a-00001-of-00002.gguf", "a-00002-of-00002.gguf"],
        ["a", "a-00001-of-00002"],
    ),
}


@pytest.mark.parametrize(("names", "expected"), FOUND.values(), ids=FOUND)
def test_files_below_the_folder_are_found(
    tmp_path: Path, names: list[str], expected: list[str]
) -> None:
    put(tmp_path, *names)
    assert ids(tmp_path) == expected
    assert all(entry.validated for entry in index.scan(tmp_path, {}))


def test_names_with_settings_that_no_model_has_are_told(tmp_path: Path) -> None:
    put(tmp_path, "a.gguf", "o/b.gguf", "p/b.gguf")
    configs = {key: ModelConfig() for key in ("a", "a/LONG", "b", "o/b", "A", "c", "c/LONG")}
    assert index.unused(index.scan(tmp_path, configs), configs) == ["A", "c", "c/LONG"]


def test_an_absent_folder_has_no_models(tmp_path: Path) -> None:
    assert ids(tmp_path / "models") == []


def test_links_are_followed_and_circles_end(tmp_path: Path) -> None:
    put(tmp_path / "disk", "big.gguf", "deep/b.gguf")
    models = tmp_path / "models"
    models.mkdir()
    (models / "a.gguf").symlink_to(tmp_path / "disk/big.gguf")
    (models / "more").symlink_to(tmp_path / "disk/deep")
    (models / "circle").symlink_to(models)
    assert ids(models) == ["a", "b"]


def test_a_key_with_a_variant_is_a_second_id_of_the_same_file(tmp_path: Path) -> None:
    put(tmp_path, "o/f/a.gguf")
    configs = {"a/IMC": ModelConfig(n_seq_max=1), "b/IMC": ModelConfig(), "/": ModelConfig()}
    entries = index.scan(tmp_path, configs)
    assert [(entry.id, entry.path.name) for entry in entries] == [
        ("a", "a.gguf"),
        ("a/IMC", "a.gguf"),
    ]
    assert resolve(tmp_path, "a/IMC", configs).config.n_seq_max == 1
    assert resolve(tmp_path, "o/f/a/IMC", configs).id == "a/IMC"
    assert resolve(tmp_path, "a", configs).config == ModelConfig()


BROKEN = {
    "empty": (b"", "the file is empty"),
    "a web page": (b"<html>", "it is not a GGUF file: it starts with b'<htm'"),
    "shorter than a header": (GOOD[:20], "20 bytes are less than a GGUF header"),
    "an old version": (b"GGUF\x01\0\0\0" + bytes(16), "GGUF version 1 is not supported"),
    "big-endian": (b"GGUF\0\0\0\x03" + bytes(16), "big-endian"),
}


@pytest.mark.parametrize(("content", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_listed_with_its_reason(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    put(tmp_path, "a.gguf", content=content)
    [entry] = index.scan(tmp_path, {})
    assert not entry.validated and reason in (entry.reason or "")
    with pytest.raises(ModelFailed, match=r"model a cannot be loaded: a.gguf: ") as caught:
        resolve(tmp_path, "a", {})
    assert reason in caught.value.message


def test_what_is_no_file_is_listed_and_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.gguf")
    (tmp_path / "gone.gguf").symlink_to(tmp_path / "nowhere")
    (tmp_path / "self.gguf").symlink_to(tmp_path / "self.gguf")
    assert {entry.id: entry.reason for entry in index.scan(tmp_path, {})} == {
        "gone": "it cannot be read: No such file or directory",
        "pipe": "it is not a regular file",
        "self": "it cannot be read: Too many levels of symbolic links",
    }


def test_names_that_cannot_be_written_down_are_shown_as_broken(tmp_path: Path) -> None:
    put(tmp_path, "a\nb.gguf")
    with open(os.fsencode(tmp_path) + b"/\xff.gguf", "wb") as file:
        file.write(GOOD)
    entries = index.scan(tmp_path, {})
    assert [entry.validated for entry in entries] == [False, False]
    # Lone surrogates would fail here, as they would in an HTTP answer.
    json.dumps([(entry.id, str(entry.path)) for entry in entries], ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("shards", "reason"),
    [
        (["00001-of-00003", "00003-of-00003"], "split into 3 files and lacks number 2"),
        (["00002-of-00002"], "lacks number 1"),
        (["00001-of-99999"], "numbered wrongly"),
        (["00001-of-00001", "00002-of-00001"], "numbered wrongly"),
    ],
)
def test_a_split_model_without_all_its_files_is_broken(
    tmp_path: Path, shards: list[str], reason: str
) -> None:
    put(tmp_path, *(f"a-{shard}.gguf" for shard in shards))
    [entry] = index.scan(tmp_path, {})
    assert entry.id == "a" and reason in (entry.reason or "")


def test_a_split_model_has_the_size_of_all_and_the_path_of_the_first(tmp_path: Path) -> None:
    put(tmp_path, "a-00001-of-00002.gguf", "a-00002-of-00002.gguf")
    [entry] = index.scan(tmp_path, {})
    assert (entry.path.name, entry.size_bytes) == ("a-00001-of-00002.gguf", 2 * len(GOOD))


@pytest.mark.parametrize("name", ["a", "a.gguf", "o/f/a", "o/f/a.gguf", "a.GGUF"])
def test_a_model_is_resolved_by_id_and_by_path(tmp_path: Path, name: str) -> None:
    put(tmp_path, "o/f/a.gguf")
    found = resolve(tmp_path, name, {"a": ModelConfig(n_seq_max=2)})
    assert (found.id, found.path, found.config.n_seq_max) == ("a", tmp_path / "o/f/a.gguf", 2)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../secret",
        "o/../../secret",
        "/etc/passwd",
        "secret\0",
        "a/",
        "o",
        "x" * 9999,
    ],
)
def test_a_name_never_leaves_the_folder(tmp_path: Path, name: str) -> None:
    put(tmp_path, "secret.gguf", "models/o/a.gguf")
    with pytest.raises(NotFound) as caught:
        resolve(tmp_path / "models", name, {})
    assert caught.value.param == "model"
    assert len(caught.value.message) < 300


def test_the_nearest_ids_are_named(tmp_path: Path) -> None:
    put(tmp_path, "Qwen3-8B-Q8_0.gguf", "SmolLM2.gguf")
    with pytest.raises(NotFound, match="did you mean Qwen3-8B-Q8_0"):
        resolve(tmp_path, "qwen3-8b", {})
    with pytest.raises(NotFound, match="the models folder has none yet"):
        resolve(tmp_path / "empty", "a", {})


def test_a_name_of_two_files_names_both(tmp_path: Path) -> None:
    put(tmp_path, "o/a.gguf", "p/a.gguf")
    with pytest.raises(NotFound, match="not unique; write one of o/a, p/a"):
        resolve(tmp_path, "a", {})
    assert resolve(tmp_path, "p/a", {"a": ModelConfig(n_seq_max=7)}).config.n_seq_max == 7


ROW = Facts("0" * 64, 24, 1, "hf:o/r/a.gguf", "2026-01-01T00:00:00+00:00")


def test_facts_are_kept_and_rows_of_gone_files_too(tmp_path: Path) -> None:
    put(tmp_path, "a.gguf", "b.gguf")
    facts.record(tmp_path, "a.gguf", ROW)
    facts.record(tmp_path, "b.gguf", ROW)
    assert facts.load(tmp_path) == {"a.gguf": ROW, "b.gguf": ROW}
    (tmp_path / "a.gguf").unlink()
    facts.record(tmp_path, "b.gguf", ROW)
    # It may have got another name, which only a look through the folder can tell.
    assert facts.load(tmp_path) == {"a.gguf": ROW, "b.gguf": ROW}
    assert ids(tmp_path) == ["b"]


@pytest.mark.parametrize(
    "text", ["", "{", "\0", "[1, 2]", "files: 3", "files: {a.gguf: {sha256: 1}}", "!!python/x a"]
)
def test_a_broken_index_is_ignored_and_rebuilt(tmp_path: Path, text: str) -> None:
    (tmp_path / ".index.yaml").write_text(text)
    put(tmp_path, "a.gguf")
    assert facts.load(tmp_path) == {}
    assert ids(tmp_path) == ["a"]
    facts.record(tmp_path, "a.gguf", ROW)
    assert facts.load(tmp_path) == {"a.gguf": ROW}


def test_facts_hold_until_the_file_changes(tmp_path: Path) -> None:
    put(tmp_path, "a.gguf")
    now = (tmp_path / "a.gguf").stat()
    row = Facts("0" * 64, now.st_size, now.st_mtime_ns, "s", "v")
    assert facts.holds(row, tmp_path / "a.gguf")
    os.utime(tmp_path / "a.gguf", ns=(1, 1))
    assert not facts.holds(row, tmp_path / "a.gguf")
    assert not facts.holds(row, tmp_path / "gone.gguf")


# Aliases.

NAMED = {"a": ModelConfig(aliases=("gpt-4o", "org/nice")), "a/LONG": ModelConfig(aliases=("long",))}


@pytest.mark.parametrize(
    ("name", "means"),
    [
        ("gpt-4o", "a"),
        ("org/nice", "a"),
        ("long", "a/LONG"),
        ("a", "a"),
        # An id goes before an alias, an alias before a path.
        ("b", "b"),
        ("o/f/b", "b"),
    ],
)
def test_an_alias_means_its_model(tmp_path: Path, name: str, means: str) -> None:
    put(tmp_path, "o/f/a.gguf", "o/f/b.gguf")
    configs = NAMED | {"b": ModelConfig()}
    assert resolve(tmp_path, name, configs).id == means


def test_an_alias_that_is_a_path_of_another_model_is_the_alias(tmp_path: Path) -> None:
    put(tmp_path, "o/f/a.gguf", "o/f/b.gguf")
    configs = {"a": ModelConfig(aliases=("o/f/b",))}
    assert resolve(tmp_path, "o/f/b", configs).id == "a"


def test_lists_have_an_entry_for_each_name(tmp_path: Path) -> None:
    put(tmp_path, "a.gguf", "b.gguf")
    listed = index.listed(index.scan(tmp_path, NAMED))
    assert [entry.id for entry in listed] == ["a", "a/LONG", "b", "gpt-4o", "long", "org/nice"]
    assert {entry.path.name for entry in listed if entry.id in ("gpt-4o", "long")} == {"a.gguf"}


def test_a_misspelt_alias_is_guessed_too(tmp_path: Path) -> None:
    put(tmp_path, "a.gguf")
    with pytest.raises(NotFound, match="did you mean gpt-4o"):
        resolve(tmp_path, "gpt-40", NAMED)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (["a.gguf", "gpt-4o.gguf"], "a.aliases: 'gpt-4o' is the id of another model"),
        (["o/a.gguf", "p/a.gguf"], "p/a.aliases: 'gpt-4o' is an alias of o/a too"),
        (["a.gguf", "b.gguf"], None),
    ],
)
def test_an_alias_of_two_models_is_a_fault_of_the_configuration(
    tmp_path: Path, files: list[str], words: str | None
) -> None:
    put(tmp_path, *files)
    known = index.scan(tmp_path, {"a": ModelConfig(aliases=("gpt-4o",))})
    if words is None:
        index.check_aliases(known)
        return
    with pytest.raises(InvalidArgument) as refused:
        index.check_aliases(known)
    assert words in refused.value.message
