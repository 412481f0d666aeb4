"""Downloads from the hub: its metadata, its tokens, its stores."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import hf_xet
import huggingface_hub.constants
import pytest

from fakes.hub import COMMIT, FileServer, Served, serving
from harness.pulling import (
    BODY,
    SHA,
    Pauses,
    hub_is,
    interrupted,
    left_over,
    one,
    part_of,
    pulled,
    without_sync,
)
from kronk.shared.errors import KronkError, NotFound
from kronk.shared.models import fetch_hf, xet_remote
from kronk.shared.models.fetching import FetchFailed, WrongContent
from kronk.shared.models.sources import HfSource
from kronk.shared.paths import BasePath

TOKEN = "hf_of-the-user"
AT_HUB, AT_STORE = "/o/r/resolve/{}/m.gguf", "/cdn/o/r/m.gguf"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    with serving() as server:
        hub_is(monkeypatch, server.url)
        yield server


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BasePath:
    without_sync(monkeypatch)
    return BasePath(tmp_path / "base")


def test_the_hubs_own_digest_is_compared(server: FileServer, base: BasePath) -> None:
    server.hub_file("o/r", "m.gguf", BODY, "2" * 64)
    with pytest.raises(WrongContent, match=f"has the sha256 {SHA}, expected {'2' * 64}"):
        pulled(base, one("hf:o/r/m.gguf", None, None))
    assert left_over(base) == []


def test_another_file_than_the_catalogs_is_not_even_fetched(
    server: FileServer, base: BasePath
) -> None:
    server.hub_file("o/r", "m.gguf", BODY)
    with pytest.raises(WrongContent, match=f"{SHA}, expected 1111.*has another file under that"):
        pulled(base, one("hf:o/r/m.gguf", "1" * 64))
    assert {method for method, _, _ in server.asked} == {"HEAD"}


@pytest.mark.parametrize(
    ("status", "code", "error", "said"),
    [
        (404, "EntryNotFound", NotFound, "the hub has no such file"),
        (404, "RepoNotFound", NotFound, "the hub has no such file"),
        (404, "RevisionNotFound", NotFound, "the hub has no such file"),
        (403, "GatedRepo", FetchFailed, "accept its terms on the hub and set KRONK_HF_TOKEN"),
        (500, "", FetchFailed, "the hub answered 500; gave up after 5 tries"),
    ],
)
def test_a_refusal_of_the_hub_is_said(
    server: FileServer, base: BasePath, status: int, code: str, error: type[KronkError], said: str
) -> None:
    server.hub_error("o/r", "m.gguf", status, code)
    with pytest.raises(error, match=said):
        pulled(base, one("hf:o/r/m.gguf", None, None))
    assert left_over(base) == []


def test_the_hub_says_how_long_to_wait(server: FileServer, base: BasePath) -> None:
    served = server.hub_file("o/r", "m.gguf", BODY)
    served.statuses, served.headers["Retry-After"] = deque([429, 503]), "7"
    pauses = Pauses()
    assert pulled(base, one("hf:o/r/m.gguf"), pauses=pauses).read_bytes() == BODY
    assert pauses == [7.0, 7.0]


# Gates and tokens


@pytest.mark.parametrize("token", [None, "hf_of-somebody-else"])
def test_what_to_do_about_a_gate_is_said(
    server: FileServer, base: BasePath, token: str | None
) -> None:
    server.hub_file("o/r", "m.gguf", BODY, token=TOKEN)
    with pytest.raises(FetchFailed, match="accept its terms on the hub and set KRONK_HF_TOKEN"):
        pulled(base, one("hf:o/r/m.gguf"), token=token)
    assert pulled(base, one("hf:o/r/m.gguf"), token=TOKEN).read_bytes() == BODY


def other_origins(server: FileServer) -> dict[str, str]:
    port, other = (url.rpartition(":")[2] for url in (server.url, server.elsewhere))
    return {
        "another host": f"http://localhost:{port}",
        "another port": f"http://127.0.0.1:{other}",
        "another host and port": server.elsewhere,
    }


@pytest.mark.parametrize("where", ["another host", "another port", "another host and port"])
def test_the_token_is_told_to_the_hub_only(server: FileServer, base: BasePath, where: str) -> None:
    stored = server.hub_file("o/r", "m.gguf", BODY, token=TOKEN, redirected=True)
    stored.cuts.append(1000)
    store = other_origins(server)[where]
    for at in ("main", COMMIT):
        server.files[AT_HUB.format(at)].redirect = f"{store}{AT_STORE}?signature=s3cret"
    assert pulled(base, one("hf:o/r/m.gguf"), token=TOKEN).read_bytes() == BODY
    hub = server.url.removeprefix("http://")
    told = {(request.host == hub, request.token) for request in server.requests}
    assert told == {(True, f"Bearer {TOKEN}"), (False, None)}
    assert server.ranges(AT_STORE) == [None, "bytes=1000-"]


def test_a_store_that_sends_us_back_to_the_hub_learns_nothing_of_the_token(
    server: FileServer, base: BasePath
) -> None:
    server.hub_file("o/r", "m.gguf", BODY, redirected=True)
    server.files[AT_STORE] = Served(redirect=f"{server.url}/back/m.gguf")
    server.files["/back/m.gguf"] = Served(BODY)
    pulled(base, one("hf:o/r/m.gguf"), token=TOKEN)
    assert all(request.token is None for request in server.requests if request.path == AT_STORE)


def test_the_token_is_not_told_to_other_sources(server: FileServer, base: BasePath) -> None:
    server.files["/m.gguf"] = Served(BODY)
    pulled(base, one(f"{server.url}/m.gguf"), token=TOKEN)
    assert [request.token for request in server.requests] == [None]


# Going on


def test_each_try_asks_the_hub_for_a_new_signature(server: FileServer, base: BasePath) -> None:
    stored = server.hub_file("o/r", "m.gguf", BODY, redirected=True)
    stored.cuts.append(1000)
    interrupted(base, one("hf:o/r/m.gguf"))
    # The store's own version says nothing: the digest is known.
    stored.etag = '"rewritten"'
    assert pulled(base, one("hf:o/r/m.gguf")).read_bytes() == BODY
    assert server.ranges(AT_STORE) == [None, "bytes=1000-"]
    assert server.ranges(AT_HUB.format(COMMIT)) == [None, "bytes=1000-"]


def test_what_was_looked_at_is_what_is_fetched(server: FileServer, base: BasePath) -> None:
    server.hub_file("o/r", "m.gguf", BODY)
    pulled(base, one("hf:o/r/m.gguf", None, None))
    assert [(method, path) for method, path, _ in server.asked] == [
        ("HEAD", AT_HUB.format("main")),
        ("GET", AT_HUB.format(COMMIT)),
    ]


# The Xet store, a real one in a folder


@pytest.fixture(scope="module")
def large() -> bytes:
    return BODY[:8] + random.Random(6).randbytes(300_000)


@pytest.fixture
def store(server: FileServer, tmp_path: Path, large: bytes, monkeypatch: pytest.MonkeyPatch) -> str:
    """The hash of `large` there; the hub gives out its tokens."""
    monkeypatch.setenv("HF_XET_CACHE", str(tmp_path / "xet-cache"))
    address = f"local://{tmp_path / 'store'}"
    with hf_xet.XetSession().new_upload_commit(endpoint=address) as commit:
        task = commit.start_upload_bytes(large, name="m.gguf")
    server.json(
        "/xet-token",
        {"accessToken": "for-the-store", "exp": int(time.time()) + 3600, "casUrl": address},
    )
    return str(task.result().xet_info.hash)


def test_a_file_in_the_xet_store_comes_from_there(
    server: FileServer, base: BasePath, store: str, large: bytes
) -> None:
    server.hub_file("o/r", "m.gguf", large, token=TOKEN, xet=store)
    assert pulled(base, one("hf:o/r/m.gguf", None, None), token=TOKEN).read_bytes() == large
    assert [(method, path) for method, path, _ in server.asked] == [
        ("HEAD", AT_HUB.format("main")),
        ("GET", "/xet-token"),
    ]
    assert server.requests[1].token == f"Bearer {TOKEN}"


def test_the_store_goes_on_with_what_came_over_http(
    server: FileServer,
    base: BasePath,
    store: str,
    large: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stored = server.hub_file("o/r", "m.gguf", large, xet=store)
    stored.cuts.append(100_000)
    wanted = one("hf:o/r/m.gguf", None, None)
    with monkeypatch.context() as without:
        without.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
        interrupted(base, wanted)
    assert part_of(base).stat().st_size == 100_000
    asked: list[int] = []
    opened = xet_remote._stream

    def counted(remote: xet_remote.XetRemote, start: int, end: int | None) -> object:
        asked.append(start)
        return opened(remote, start, end)

    monkeypatch.setattr(xet_remote, "_stream", counted)
    assert pulled(base, wanted).read_bytes() == large
    assert asked == [100_000]
    assert len(server.ranges(AT_HUB.format(COMMIT))) == 1


def over_http(server: FileServer, base: BasePath, large: bytes, xet: str) -> None:
    server.hub_file("o/r", "m.gguf", large, xet=xet)
    assert pulled(base, one("hf:o/r/m.gguf", None, None)).read_bytes() == large
    assert server.ranges(AT_HUB.format(COMMIT)) == [None]


def test_a_store_that_has_not_got_it_is_left_for_http(
    server: FileServer, base: BasePath, store: str, large: bytes
) -> None:
    over_http(server, base, large, "0" * 64)


def test_a_store_whose_tokens_cannot_be_had_is_left_for_http(
    server: FileServer, base: BasePath, store: str, large: bytes
) -> None:
    server.files["/xet-token"].statuses = deque([404] * 20)
    over_http(server, base, large, store)


def test_a_store_that_hangs_is_left_for_http(
    server: FileServer,
    base: BasePath,
    store: str,
    large: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def hang(remote: object, start: int, end: int | None) -> Iterator[bytes]:
        server.closing.wait()
        yield b""

    monkeypatch.setattr(xet_remote, "_stream", hang)
    monkeypatch.setattr(xet_remote, "STALLED_AFTER", 0.1)
    monkeypatch.setattr(xet_remote, "_POLL_SECONDS", 0.01)
    over_http(server, base, large, store)


def test_without_the_stores_library_it_is_http(
    server: FileServer,
    base: BasePath,
    store: str,
    large: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing() -> None:
        raise ImportError

    monkeypatch.setattr(xet_remote, "_library", missing)
    over_http(server, base, large, store)


def test_a_token_is_not_sent_to_an_address_for_store_tokens_elsewhere(
    server: FileServer, base: BasePath, store: str, large: bytes
) -> None:
    server.hub_file("o/r", "m.gguf", large, token=TOKEN, xet=store)
    for at in ("main", COMMIT):
        headers = server.files[AT_HUB.format(at)].headers
        headers["X-Xet-Refresh-Route"] = f"{server.elsewhere}/xet-token"
    assert pulled(base, one("hf:o/r/m.gguf", None, None), token=TOKEN).read_bytes() == large
    assert "/xet-token" not in {path for _, path, _ in server.asked}


def test_the_hub_can_be_looked_at_without_fetching(server: FileServer) -> None:
    server.hub_file("o/r", "m.gguf", BODY, redirected=True)
    file = fetch_hf.look_up(HfSource("o", "r", "m.gguf"), None, Pauses().patience)
    assert (file.size_bytes, file.sha256, file.xet) == (len(BODY), SHA, None)
    with file.http.opened(10, None, 20) as answer:
        assert b"".join(answer.chunks) == BODY[10:20]
