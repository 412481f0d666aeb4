"""The user's own catalogs and those of a repository: what counts, and what a broken one does."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from kronk.shared.errors import Conflict, InvalidArgument
from kronk.shared.model_keys import KEYS
from kronk.shared.models import catalog, catalog_update, catalog_view
from kronk.shared.paths import BasePath
from kronk.shared.repositories import folder
from kronk.shared.repositories.fetch import Fetched
from kronk.shared.repositories.url import parse
from kronk.shared.sampling_params import PARAMETERS

WHERE = parse("https://example.org/me/catalog")


def entry(name: str, **more: Any) -> dict[str, Any]:
    return {
        "id": name,
        "category": "Text-Generation",
        "endpoint": "chat_completion",
        "licence": "MIT",
        "description": "A model.",
        "files": [{"source": f"hf:o/r/{name}.gguf"}],
    } | more


def text(*entries: dict[str, Any]) -> bytes:
    return yaml.safe_dump({"models": list(entries)}).encode()


@pytest.fixture
def base(tmp_path: Path) -> BasePath:
    found = BasePath(tmp_path / "base")
    found.catalog.mkdir(parents=True)
    return found


def put(base: BasePath, files: dict[str, bytes]) -> None:
    with folder.changing(base.catalog) as change:
        change.put(Fetched(WHERE, files, "abc"), files)


def test_what_the_user_adds_is_known_beside_what_ships(base: BasePath) -> None:
    (base.catalog / "mine.yaml").write_bytes(text(entry("mine-Q8_0")))
    (base.catalog / "more").mkdir()
    (base.catalog / "more" / "deep.yml").write_bytes(text(entry("deep-Q8_0")))
    (base.catalog / ".hidden.yaml").write_bytes(text(entry("hidden")))
    (base.catalog / "readme.txt").write_text("models:")
    known = catalog.catalog_of(base)
    assert {"mine-Q8_0", "deep-Q8_0", catalog.STARTER} <= {one.id for one in known.entries}
    assert known.faults == ()
    assert len(known.entries) == len(catalog.load()) + 2
    assert catalog.find(known.entries, "mine-q8_0").folder == "o/r"


def test_an_entry_of_the_same_id_takes_the_place_of_what_ships(base: BasePath) -> None:
    file = base.catalog / "mine.yaml"
    assert catalog.find(catalog.known(base), catalog.STARTER).origin is None
    file.write_bytes(text(entry(catalog.STARTER, description="My own.")))
    found = catalog.find(catalog.known(base), catalog.STARTER)
    assert (found.description, found.origin) == ("My own.", str(file))
    assert catalog_view.row(found, pulled=False)["origin"] == str(file)
    assert len(catalog.known(base)) == len(catalog.load())


def test_the_users_own_file_counts_more_than_the_repositorys(base: BasePath) -> None:
    put(base, {"a/z.yaml": text(entry("one", description="Theirs."), entry("two"))})
    (base.catalog / "a.yaml").write_bytes(text(entry("one", description="Mine.")))
    known = catalog.catalog_of(base)
    assert catalog.find(known.entries, "one").description == "Mine."
    theirs = catalog.find(known.entries, "two")
    assert theirs.origin == "https://example.org/me/catalog: a/z.yaml"
    assert known.faults == ()


def test_two_files_of_the_user_with_one_id_are_told(base: BasePath) -> None:
    (base.catalog / "a.yaml").write_bytes(text(entry("one")))
    (base.catalog / "b.yaml").write_bytes(text(entry("one")))
    known = catalog.catalog_of(base)
    assert str(catalog.find(known.entries, "one").origin).endswith("b.yaml")
    assert len(known.faults) == 1
    assert "b.yaml: one is in " in known.faults[0]


BROKEN = {
    "no YAML": (b"models: [", "not YAML"),
    "no text": (b"\xff\xfe\x00\x01", "not YAML"),
    "no list": (b"models: 3", "expected a list under the key `models`"),
    "an entry": (text(entry("bad", colour="red")), "models[0] (bad).colour: no such key"),
    "nested too deeply": (b"[" * 5000, "not YAML"),
    "a part of itself": (b"models: &a [*a]", "a value that is part of itself"),
    "a bomb": (
        b"a: &a [x, x, x, x, x, x, x, x, x, x]\n"
        + b"".join(
            b"%c: &%c [%s]\n" % (at, at, b", ".join([b"*%c" % (at - 1)] * 10))
            for at in range(ord("b"), ord("k"))
        )
        + b"models: [*j]",
        "more than 200000 values",
    ),
    "a type of Python's": (b"models: !!python/object/apply:os.system [id]", "not YAML"),
    "too large": (b"#" * (4 * 2**20 + 1), "is larger than"),
    "empty": (b"", "expected a list under the key `models`"),
    "a path of this machine": (
        text(entry("bad", config={"chat_template_file": "/etc/passwd"})),
        "is not for a catalog to say",
    ),
    "a draft by its path": (
        text(entry("bad", config={"draft_model": "/etc/passwd"})),
        "is not for a catalog to say",
    ),
}


@pytest.mark.parametrize(("content", "complaint"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_told_and_breaks_no_other(
    base: BasePath, content: bytes, complaint: str
) -> None:
    (base.catalog / "bad.yaml").write_bytes(content)
    (base.catalog / "good.yaml").write_bytes(text(entry("good")))
    known = catalog.catalog_of(base)
    assert catalog.find(known.entries, "good")
    assert len(known.faults) == 1
    assert known.faults[0].startswith(f"catalog {base.catalog}/bad.yaml: ")
    assert complaint in known.faults[0]


def test_a_change_is_seen_and_without_one_nothing_is_read_again(base: BasePath) -> None:
    file = base.catalog / "mine.yaml"
    file.write_bytes(text(entry("one")))
    before = catalog.catalog_of(base)
    assert catalog.catalog_of(base) is before
    file.write_bytes(text(entry("one", description="Another one.")))
    assert catalog.find(catalog.known(base), "one").description == "Another one."
    file.unlink()
    assert "one" not in {found.id for found in catalog.known(base)}


def test_what_cannot_be_read_is_told(base: BasePath) -> None:
    os.symlink("nowhere", base.catalog / "dangling.yaml")
    (base.catalog / "folder.yaml").mkdir()
    assert catalog.catalog_of(base).faults == ()
    assert catalog.known(BasePath(base.root / "absent"))


def test_a_pipe_is_told_and_nobody_waits_for_who_might_write_to_it(base: BasePath) -> None:
    os.mkfifo(base.catalog / "pipe.yaml")
    (base.catalog / "mine.yaml").write_bytes(text(entry("mine-Q8_0")))
    found = catalog.catalog_of(base)
    assert [fault.rpartition("/")[2] for fault in found.faults] == ["pipe.yaml: is no file"]
    assert "mine-Q8_0" in {one.id for one in found.entries}


def test_a_category_is_chosen_by_a_part_of_its_name() -> None:
    entries = catalog.load()
    image = catalog.of_category(entries, "Image")
    assert {one.category for one in image} == {"Image-Text-to-Text"}
    assert catalog.of_category(entries, None) == entries
    for wrong in ("", "speech"):
        with pytest.raises(InvalidArgument, match="expected one of Audio-Text-to-Text"):
            catalog.of_category(entries, wrong)


# The folder of a fetched repository


def test_a_repository_is_replaced_as_a_whole_and_the_state_before_stays(base: BasePath) -> None:
    put(base, {"a.yaml": text(entry("one")), "b.yaml": text(entry("two"))})
    first = folder.current(base.catalog)
    assert first is not None and (first / "b.yaml").is_file()
    put(base, {"a.yaml": text(entry("three"))})
    assert {"one", "two"}.isdisjoint({found.id for found in catalog.known(base)})
    assert catalog.find(catalog.known(base), "three")
    assert first.is_dir(), "somebody may still read it"
    put(base, {"a.yaml": text(entry("four"))})
    assert not first.exists()
    assert folder.about(base.catalog)["repository"] == "https://example.org/me/catalog"
    assert len([name for name in os.listdir(base.catalog) if name.startswith(".repository-")]) == 2


def test_what_fails_on_the_way_leaves_the_state_before(base: BasePath) -> None:
    put(base, {"a.yaml": text(entry("one"))})
    before = folder.current(base.catalog)
    with pytest.raises(RuntimeError), folder.changing(base.catalog) as change:
        (change.scratch / "half").write_text("x")
        raise RuntimeError
    assert folder.current(base.catalog) == before
    assert not list(base.catalog.glob("*.tmp"))


def test_two_changes_at_a_time_are_refused(base: BasePath) -> None:
    with (
        folder.changing(base.catalog),
        pytest.raises(Conflict, match="another process is updating"),
        folder.changing(base.catalog),
    ):
        pass


def test_a_copy_of_the_base_path_without_links_is_read_and_replaced(base: BasePath) -> None:
    (base.catalog / "repository").mkdir()
    (base.catalog / "repository" / "a.yaml").write_bytes(text(entry("one")))
    known = catalog.catalog_of(base)
    assert catalog.find(known.entries, "one") and known.faults == ()
    put(base, {"a.yaml": text(entry("two"))})
    assert catalog.find(catalog.known(base), "two")
    assert "one" not in {found.id for found in catalog.known(base)}


def test_a_link_of_that_name_leads_nowhere_else(base: BasePath, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    os.symlink(tmp_path / "elsewhere", base.catalog / "repository")
    assert folder.current(base.catalog) is None


# What is taken of a repository


def checked(files: dict[str, bytes]) -> tuple[list[str], int]:
    found, models = catalog_update.check(Fetched(WHERE, files, None))
    return sorted(found), models


def test_only_catalogs_are_taken() -> None:
    files = {
        "docs/site.yaml": b"title: x",
        "text.yaml": text(entry("one"), entry("two")),
        "empty.yaml": b"",
    }
    assert checked(files) == (["text.yaml"], 2)


def test_where_there_is_a_folder_of_catalogs_all_in_it_are_some_and_no_others_are() -> None:
    files = {"catalogs/a.yaml": text(entry("one")), "b.yaml": text(entry("two"))}
    assert checked(files) == (["catalogs/a.yaml"], 1)
    with pytest.raises(InvalidArgument, match=r"catalog/b\.yaml: expected a list under"):
        checked({"catalog/a.yaml": text(entry("one")), "catalog/b.yaml": b"title: x"})


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({}, "has no catalog"),
        ({"a.yaml": b"title: x"}, "has no catalog"),
        ({"a.yaml": b"models: []"}, "has no catalog"),
        ({"a.yaml": b"models: ["}, "a.yaml: not YAML"),
        ({"a.yaml": text(entry("one", endpoint="x"))}, r"a.yaml: models[0] (one).endpoint: exp"),
        ({"a.yaml": text(entry("one")), "b.yaml": text(entry("ONE"))}, "b.yaml: ONE is in a.yaml"),
    ],
)
def test_what_is_wrong_is_said_with_file_entry_and_key(
    files: dict[str, bytes], complaint: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        checked(files)
    assert caught.value.message.startswith("https://example.org/me/catalog: ")
    assert complaint in caught.value.message


FOREIGN = """\
catalog: Image-Text-to-Text
models:
  - id: M-Q8_0
    category: Any-to-Any
    owned_by: o
    model_family: M-GGUF
    web_page: https://huggingface.co/o/M-GGUF
    gated_model: true
    template: m.jinja
    files:
      models:
        - url: https://huggingface.co/o/M-GGUF/resolve/main/Q8_0/M-Q8_0-00001-of-00002.gguf
          size: 1.25 GiB
        - url: https://huggingface.co/o/M-GGUF/resolve/main/Q8_0/M-Q8_0-00002-of-00002.gguf
          size: 812 MB
      proj:
        url: https://huggingface.co/o/M-GGUF/blob/v2/mmproj-F16.gguf
    capabilities: {endpoint: chat_completion, images: true, audio: false, tooling: true}
    metadata:
      created: 2026-03-02T00:00:00Z
      description: |
        Reads
        images.
    config:
      context-window: 8192
      nbatch: 2048
      of-its-own: 3
      flash-attention: enabled
      chat_template_file: /etc/passwd
      sampling-parameters: {temperature: 1.0}
"""


def test_catalogs_of_kronks_first_implementation_are_read() -> None:
    (found,) = catalog.read_text(FOREIGN.encode(), "here", "there")
    assert (found.id, found.category, found.folder) == ("M-Q8_0", "Audio-Text-to-Text", "o/M-GGUF")
    assert [(str(file.source), file.role, file.about_bytes) for file in found.files] == [
        ("hf:o/M-GGUF/Q8_0/M-Q8_0-00001-of-00002.gguf", "model", int(1.25 * 2**30)),
        ("hf:o/M-GGUF/Q8_0/M-Q8_0-00002-of-00002.gguf", "shard", 812_000_000),
        ("hf:o/M-GGUF/mmproj-F16.gguf@v2", "projector", None),
    ]
    assert (found.capabilities, found.gated) == (("tools", "vision"), True)
    assert (found.licence, found.description) == ("unknown", "Reads images.")
    assert set(found.config) == {
        *("context-window", "nbatch", "flash-attention", "sampling-parameters")
    }


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("Any-to-Any", "Speech", "models[0] (M-Q8_0).category: expected one of"),
        ("{endpoint: chat_completion,", "{", "models[0] (M-Q8_0).endpoint: expected a line"),
        ("https://huggingface.co/o/M-GGUF/blob", "ftp://x", "files[2].source 'ftp://x"),
        (
            "models:\n        -",
            "models: 3\n      other:\n        -",
            "files[0]: the first file is the model",
        ),
    ],
)
def test_what_is_wrong_with_such_a_catalog_is_said_too(old: str, new: str, complaint: str) -> None:
    assert old in FOREIGN
    with pytest.raises(InvalidArgument) as caught:
        catalog.read_text(FOREIGN.replace(old, new).encode(), "here", None)
    assert caught.value.message.startswith("here: ") and complaint in caught.value.message


def test_every_entry_is_told_as_json() -> None:
    rows = [catalog_view.row(one, pulled=False) for one in catalog.load()]
    assert json.loads(json.dumps(rows)) == rows


# Whatever somebody writes

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.dates(),
    st.sampled_from(
        ["M-Q8_0", "hf:o/r/M-Q8_0.gguf", "Embedding", "embeddings", "about 3 GB", "tools", "2h"]
    ),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
CONFIG = st.dictionaries(
    st.sampled_from([*KEYS, "sampling-parameters", "no_such_key"]),
    st.one_of(SCALARS, st.dictionaries(st.sampled_from([*PARAMETERS]), SCALARS, max_size=3)),
    max_size=3,
)
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(["id", "category", "files", "capabilities", "folder", "gated"], VALUES),
        **dict.fromkeys(["context", "size", "parameters", "licence", "description"], VALUES),
        "config": st.one_of(VALUES, CONFIG),
    },
)


@given(VALUES, st.lists(CHANGES, min_size=1, max_size=2))
@settings(deadline=None, max_examples=60)
def test_whatever_is_written_is_an_entry_or_is_told(
    anything: object, changes: list[dict[str, Any]]
) -> None:
    entries = [entry("M-Q8_0") | change for change in changes]
    foreign = {"files": {"models": anything, "proj": anything}, "config": anything}
    for found in (anything, {"models": anything}, {"models": entries}, {"models": [foreign]}):
        content = yaml.safe_dump(found, allow_unicode=True).encode(errors="surrogatepass")
        try:
            read = catalog.read_text(content, "here", None)
        except InvalidArgument as error:
            assert error.message.startswith("here: ")
        else:
            for one in read:
                json.dumps(catalog_view.row(one, pulled=False), allow_nan=False)
