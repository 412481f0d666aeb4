"""Headers of files elsewhere: only the first bytes are fetched, and judged as those of files."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.hub import FileServer, Served, serving
from fakes.hub_api import publish
from harness.gguf_bytes import STRING, string
from harness.pulling import hub_is
from harness.tiny_variants import TINY
from kronk.shared import settings
from kronk.shared.errors import InvalidArgument, KronkError, NotFound
from kronk.shared.models import remote_header, sources
from kronk.shared.models.fetching import FetchFailed
from kronk.shared.models.header_cache import HeaderCache
from kronk.shared.models.patience import Patience
from kronk.shared.models.plan import Item
from kronk.shared.models.remote_header import RemoteHeaders
from kronk.shared.settings import Settings
from kronk.shared.sizing import ask
from kronk.shared.sizing.question import Question
from kronk.worker import gguf_file

NAME = "tiny.gguf"
HERE = Path("m/tiny.gguf")
BODY = TINY.read_bytes()
WHOLE = gguf_file.read(TINY)
HEADER_BYTES = WHOLE.data_offset
ALIGNMENT = 32


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving() as found:
        yield found


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_header, "FIRST_BYTES", 4096)


def read(server: FileServer, served: Served, **facts: Any) -> tuple[Any, RemoteHeaders]:
    server.files[f"/{NAME}"] = served
    item = Item(sources.parse(f"{server.url}/{NAME}"), str(HERE), **facts)
    patience = Patience(pause=lambda _: None)
    with RemoteHeaders({HERE: item}, None, HeaderCache(None), patience) as remote:
        return remote.read(HERE), remote


def test_a_header_is_read_in_growing_ranges(server: FileServer) -> None:
    header, remote = read(server, Served(BODY))
    assert header == WHOLE
    asked = server.ranges(f"/{NAME}")
    assert asked[:2] == ["bytes=0-4095", "bytes=4096-16383"]
    assert HEADER_BYTES <= remote.fetched_bytes <= 4 * HEADER_BYTES < len(BODY)


def test_a_server_without_ranges_is_left_when_the_header_is_there(server: FileServer) -> None:
    sent = []
    server.on_request = lambda request: sent.append(request)
    header, remote = read(server, Served(BODY, ranges=False))
    assert header == WHOLE
    assert remote.fetched_bytes <= 4096 + 16384 + 65536 + 262144
    assert remote.fetched_bytes < len(BODY)


def test_a_server_that_does_not_say_the_size_is_believed_the_tensors(server: FileServer) -> None:
    header, _ = read(server, Served(BODY, ranges=False, chunked=True))
    assert header.tensors == WHOLE.tensors
    assert abs(header.file_size - WHOLE.file_size) < 32


def test_a_connection_that_breaks_is_made_anew(server: FileServer) -> None:
    served = Served(BODY)
    served.cuts.extend([100, 3000])
    served.resets.append(10)
    assert read(server, served)[0] == WHOLE


def test_a_file_that_changes_on_the_way_is_begun_anew(server: FileServer) -> None:
    served = Served(b"x" * 4096 + BODY[4096:])
    served.body = BODY

    def change(request: Any) -> None:
        if len(server.asked) == 2:
            served.etag = '"v2"'

    server.on_request = change
    assert read(server, served)[0] == WHOLE


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(b"<html>please log in</html>", "not a GGUF file", id="a page"),
        pytest.param(b"", "the file is empty|no such part", id="nothing"),
        pytest.param(BODY[:HEADER_BYTES], "truncated", id="a header without its data"),
        pytest.param(BODY[:5000], "the file ends at byte 5000", id="half a header"),
        pytest.param(b"GGUF" + struct.pack("<I", 1), "version 1", id="an old version"),
    ],
)
def test_what_is_wrong_with_it_is_said(server: FileServer, body: bytes, words: str) -> None:
    with pytest.raises(KronkError, match=words):
        read(server, Served(body))


def test_another_size_than_the_hub_says_is_refused(server: FileServer) -> None:
    with pytest.raises(FetchFailed, match="expected 5"):
        read(server, Served(BODY), size_bytes=5)


def test_a_header_without_end_is_given_up(
    server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_header, "MOST_BYTES", 32768)
    keys = b"".join(
        string(f"k{n}") + struct.pack("<I", STRING) + string("x" * 1000) for n in range(100)
    )
    body = b"GGUF" + struct.pack("<IQQ", 3, 0, 200) + keys + bytes(2**20)
    with pytest.raises(InvalidArgument, match="does not end within 32768 bytes"):
        read(server, Served(body))


def test_a_file_known_by_its_digest_is_read_once(server: FileServer, tmp_path: Path) -> None:
    server.files[f"/{NAME}"] = Served(BODY)
    source = sources.parse(f"{server.url}/{NAME}")
    item = Item(source, str(HERE), "0" * 64, len(BODY))
    for times in range(2):
        with RemoteHeaders({HERE: item}, None, HeaderCache(tmp_path)) as remote:
            assert remote.read(HERE) == WHOLE
            assert (remote.fetched_bytes > 0) == (times == 0)


@given(end=st.integers(0, HEADER_BYTES - ALIGNMENT))
def test_any_start_of_a_header_goes_on(end: int) -> None:
    with pytest.raises(gguf_file.GoesOn) as caught:
        gguf_file.parse_start(io.BytesIO(BODY[:end]), len(BODY), NAME)
    assert end < caught.value.needs <= len(BODY)


def test_the_whole_header_is_enough() -> None:
    start = io.BytesIO(BODY[:HEADER_BYTES])
    assert gguf_file.parse_start(start, len(BODY), NAME) == WHOLE


# Through the hub, for an estimate.


@pytest.fixture
def chosen(server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    hub_is(monkeypatch, server.url)
    (tmp_path / "models").mkdir()
    given = {"base_path": str(tmp_path), "hf_token": "hf_secret"}
    return settings.resolve(given, {})


def test_a_model_of_the_hub_is_sized_by_its_header(server: FileServer, chosen: Settings) -> None:
    publish(server, "o/r", {"Tiny-Q8_0.gguf": BODY, "README.md": b"hello"})
    answer = ask.ask(chosen, {}, Question("o/r", {"n_seq_max": 2}, is_source=True))
    assert (answer["model"], answer["origin"]) == ("Tiny-Q8_0", "remote")
    assert answer["settings"]["n_seq_max"] == 2
    assert 0 < answer["fetched_bytes"] < len(BODY)
    assert answer["file_bytes"] == len(BODY)
    local = chosen.base.models / "Tiny-Q8_0.gguf"
    local.symlink_to(TINY)
    here = ask.ask(chosen, {}, Question("Tiny-Q8_0", {"n_seq_max": 2}))
    assert answer["parts"] == here["parts"]
    json.dumps(answer)
    # The next question needs no network but for what the repository has.
    again = ask.ask(chosen, {}, Question("hf:o/r", {"n_seq_max": 1}))
    assert again["fetched_bytes"] == 0


def test_the_projector_beside_it_counts(server: FileServer, chosen: Settings) -> None:
    projector = (TINY.parent / "tiny-mmproj-f16.gguf").read_bytes()
    publish(server, "o/r", {"Tiny-Q8_0.gguf": BODY, "mmproj-Tiny-f16.gguf": projector})
    answer = ask.ask(chosen, {}, Question("hf:o/r"))
    parts = {part["part"]: part["bytes"] for part in answer["parts"]}
    assert parts["projector"] > len(projector)
    none = ask.ask(chosen, {}, Question("hf:o/r", {"projector": "none"}))
    assert "projector" not in {part["part"] for part in none["parts"]}


def test_a_source_that_is_not_there_is_said_and_an_id_is_not_looked_up_there(
    server: FileServer, chosen: Settings
) -> None:
    with pytest.raises(NotFound):
        ask.ask(chosen, {}, Question("hf:o/nope"))
    before = len(server.asked)
    with pytest.raises(NotFound):
        ask.ask(chosen, {}, Question("Tiny/NOPE"))
    assert len(server.asked) == before


def test_a_package_cannot_be_read_in_part(chosen: Settings) -> None:
    with pytest.raises(InvalidArgument, match="lies in a package"):
        ask.ask(chosen, {}, Question("pypi:x==1/a/b.gguf"))


def test_the_token_goes_to_the_hub_and_not_to_its_store(
    server: FileServer, chosen: Settings
) -> None:
    publish(server, "o/r", {"Tiny-Q8_0.gguf": BODY})
    server.hub_file("o/r", "Tiny-Q8_0.gguf", BODY, token="hf_secret", redirected=True)
    assert ask.ask(chosen, {}, Question("hf:o/r"))["origin"] == "remote"
    told = {(request.path.startswith("/cdn/"), request.token) for request in server.requests}
    assert told == {(True, None), (False, "Bearer hf_secret")}
