"""What users type for a source, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronk.shared.errors import InvalidArgument
from kronk.shared.models import sources, spelling
from kronk.shared.models.sources import HfRepo, HfSource, HttpSource, PypiSource

HUB = "https://huggingface.co"
REPO = HfRepo("o", "r-GGUF")
COMMIT = "0123456789abcdef0123456789abcdef01234567"

SPELLINGS = {
    "hf:o/r-GGUF": REPO,
    "HF:o/r-GGUF": REPO,
    "o/r-GGUF": REPO,
    "hf.co/o/r-GGUF": REPO,
    "huggingface.co/o/r-GGUF": REPO,
    "o/r-GGUF:latest": REPO,
    "https://huggingface.co/o/r-GGUF": REPO,
    "https://huggingface.co/o/r-GGUF/": REPO,
    "hf:o/r-GGUF:Q4_K_M": HfRepo("o", "r-GGUF", "Q4_K_M"),
    "o/r-GGUF:q8_0@v1.0": HfRepo("o", "r-GGUF", "q8_0", "v1.0"),
    f"o/r-GGUF@{COMMIT}": HfRepo("o", "r-GGUF", None, COMMIT),
    "hf:o/r-GGUF@refs/pr/1": HfRepo("o", "r-GGUF", None, "refs/pr/1"),
    "hf.co/o/r-GGUF:UD-Q4_K_XL": HfRepo("o", "r-GGUF", "UD-Q4_K_XL"),
    "https://huggingface.co/o/r-GGUF/tree/main": HfRepo("o", "r-GGUF", None, "main"),
    "https://huggingface.co/o/r/tree/refs%2Fpr%2F1": HfRepo("o", "r", None, "refs/pr/1"),
    "https://huggingface.co/o/r/tree/main/Q4_K_M": HfRepo("o", "r", "Q4_K_M", "main"),
    "hf:o/r/m.gguf": HfSource("o", "r", "m.gguf"),
    "o/r/m.gguf": HfSource("o", "r", "m.gguf"),
    "o/r/Q4/m 1.gguf@main": HfSource("o", "r", "Q4/m 1.gguf", "main"),
    "https://huggingface.co/o/r/resolve/main/Q4/m%201.gguf?download=true": HfSource(
        "o", "r", "Q4/m 1.gguf", "main"
    ),
    f"https://huggingface.co/o/r/blob/{COMMIT}/m.gguf": HfSource("o", "r", "m.gguf", COMMIT),
    "https://huggingface.co/o/r?show_file_info=m.gguf": HfSource("o", "r", "m.gguf"),
    "https://example.org/o/r/resolve/main/m.gguf": HttpSource(
        "https://example.org/o/r/resolve/main/m.gguf"
    ),
    "https://huggingface.co:8443/o/r/resolve/main/m.gguf": HttpSource(
        "https://huggingface.co:8443/o/r/resolve/main/m.gguf"
    ),
    "https://huggingface.co/files/m.gguf": HttpSource("https://huggingface.co/files/m.gguf"),
    "pypi:name==1.0/pack/m.gguf": PypiSource("name", "1.0", "pack/m.gguf"),
}


@pytest.mark.parametrize(("text", "meant"), SPELLINGS.items())
def test_each_spelling_means_one_thing(text: str, meant: spelling.Wanted) -> None:
    assert spelling.looks_like_source(text)
    assert spelling.read(text, HUB) == meant


@pytest.mark.parametrize("meant", list(SPELLINGS.values()), ids=str)
def test_what_is_written_back_means_the_same(meant: spelling.Wanted) -> None:
    assert spelling.read(str(meant), HUB) == meant


def test_the_hub_is_where_the_environment_says() -> None:
    mirror = "https://mirror.example.org:8443/hf"
    assert spelling.read(f"{mirror}/o/r", mirror) == HfRepo("o", "r")
    page = f"{mirror}/o/r/resolve/main/m.gguf"
    assert spelling.read(page, mirror) == HfSource("o", "r", "m.gguf", "main")
    assert spelling.read(page, HUB) == HttpSource(page)
    elsewhere = f"{HUB}/o/r/resolve/main/m.gguf"
    assert spelling.read(elsewhere, mirror) == HttpSource(elsewhere)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("Qwen3-8B", "expected an id of the catalog"),
        ("ftp://host/o/m.gguf", "expected an id of the catalog"),
        ("--quant/x", "looks like an option"),
        ("-o/r", "looks like an option"),
        ("hf:-o/r", "expected hf:owner/repo"),
        ("o/-r", "expected hf:owner/repo"),
        ("o/r:--x", "expected hf:owner/repo"),
        ("o/r@-x", "expected hf:owner/repo"),
        ("o/r/-m.gguf", "expected hf:owner/repo"),
        ("hf:o", "expected hf:owner/repo"),
        ("hf:", "expected hf:owner/repo"),
        ("o/", "expected hf:owner/repo"),
        ("o/r:", "expected hf:owner/repo"),
        ("o/r@", "expected hf:owner/repo"),
        ("o/..", "expected hf:owner/repo"),
        ("o/r..s", "expected hf:owner/repo"),
        ("o/r/../m.gguf", "expected hf:owner/repo"),
        ("o/r//m.gguf", "expected hf:owner/repo"),
        ("o/r@../x", "expected hf:owner/repo"),
        ("o/r:Q4/../x", "expected hf:owner/repo"),
        ("o/r/m.gguf:Q4_K_M", "has no quant to choose"),
        ("o/r/m.safetensors", "the name of a .gguf file"),
        ("o/r/.gguf", "the name of a .gguf file"),
        (f"o/r/{'m' * 300}.gguf", "the name of a .gguf file"),
        ("o/r/a\\b.gguf", "expected hf:owner/repo"),
        ("..\\m.gguf", "kronk model import"),
        ("C:\\models\\m.gguf", "kronk model import"),
        ("c:/models/m.gguf", "kronk model import"),
        ("/models/m.gguf", "kronk model import"),
        ("./m.gguf", "kronk model import"),
        ("../m.gguf", "kronk model import"),
        ("~/m.gguf", "kronk model import"),
        ("file:///m.gguf", "kronk model import"),
        ("o/r\0/m.gguf", "unprintable"),
        ("o/r\n:Q4", "unprintable"),
        ("o/r\x1b[2J", "unprintable"),
        ("hf:o/r/\u202em.gguf", "unprintable"),
        ("https://huggingface.co/o/r/resolve/main/..%2f..%2fm.gguf", "expected hf:owner/repo"),
        ("https://huggingface.co/o/r/resolve/main/m.bin", "the name of a .gguf file"),
        ("https://huggingface.co/o/%2e%2e", "the address of a repository"),
        ("https://huggingface.co/datasets/o/r", "the name of a .gguf file"),
        ("https://me:secret@huggingface.co/o/r/resolve/main/m.gguf", "leave them out"),
        ("http://huggingface.co/o.gguf", "use https"),
    ],
)
def test_anything_else_is_refused_with_what_was_expected(text: str, complaint: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        spelling.read(text, HUB)
    assert caught.value.param == "source"
    assert complaint in caught.value.message
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 600
    assert "secret" not in caught.value.message


@given(st.text(alphabet=st.sampled_from("ab/.:@-_\\~ \0\n%2eQ#?"), max_size=40) | st.text())
def test_whatever_is_read_can_be_written_below_the_models_folder(text: str) -> None:
    try:
        meant = spelling.read(text, HUB)
    except InvalidArgument as error:
        assert error.message.isprintable()
        return
    assert str(meant).isprintable()
    if isinstance(meant, HfRepo):
        names = [meant.owner, meant.repo]
    else:
        names = [*meant.folder.split("/"), meant.file_name]
        assert sources.is_safe_name(meant.file_name)
    assert not any(name in ("", ".", "..") or name.startswith("-") for name in names)


@pytest.mark.parametrize("word", ["Qwen3-8B", "qwen3-8b:latest", "m.gguf", "a b"])
def test_a_word_without_a_slash_can_only_be_an_id(word: str) -> None:
    assert not spelling.looks_like_source(word)
