"""Downloads from the hub: its metadata, its tokens, its stores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.hub import FileServer, serving
from harness.pulling import BODY, SHA, hub_is, left_over, one, pulled
from kronk.shared.errors import KronkError, NotFound
from kronk.shared.models.fetching import FetchFailed, WrongContent
from kronk.shared.paths import BasePath


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    with serving() as server:
        hub_is(monkeypatch, server.url)
        yield server


@pytest.fixture
def base(tmp_path: Path) -> BasePath:
    return BasePath(tmp_path / "base")


def test_the_hubs_own_digest_is_compared(server: FileServer, base: BasePath) -> None:
    server.hub_file("o/r", "m.gguf", BODY, "2" * 64)
    with pytest.raises(WrongContent, match=f"has the sha256 {SHA}, expected {'2' * 64}"):
        pulled(base, one("hf:o/r/m.gguf", None, None))


@pytest.mark.parametrize(
    ("status", "code", "error", "said"),
    [
        (404, "EntryNotFound", NotFound, "the hub has no such file"),
        (404, "RepoNotFound", NotFound, "the hub has no such file"),
        (404, "RevisionNotFound", NotFound, "the hub has no such file"),
        (403, "GatedRepo", FetchFailed, "accept its terms on the hub and set KRONK_HF_TOKEN"),
        (500, "", FetchFailed, "500"),
    ],
)
def test_a_refusal_of_the_hub_is_said(
    server: FileServer, base: BasePath, status: int, code: str, error: type[KronkError], said: str
) -> None:
    server.hub_error("o/r", "m.gguf", status, code)
    with pytest.raises(error, match=said):
        pulled(base, one("hf:o/r/m.gguf", None, None))
    assert left_over(base) == []
