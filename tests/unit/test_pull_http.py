"""Downloads over HTTP: through broken connections, and past servers that lie."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.hub import FileServer, Served, serving
from harness.pulling import (
    BODY,
    SHA,
    Pauses,
    Steps,
    gguf,
    interrupted,
    left_over,
    one,
    part_of,
    pulled,
    typed,
    without_sync,
)
from kronk.shared.errors import InvalidArgument, KronkError, NotFound
from kronk.shared.models import downloading, http_remote
from kronk.shared.models import pull as pulling
from kronk.shared.models.fetching import FetchFailed, NoRoom, WrongContent
from kronk.shared.paths import BasePath
from kronk.worker import gguf_file

SIZE = len(BODY)
NOT_IT = gguf(bytes(256 * 40))


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving() as server:
        yield server


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BasePath:
    without_sync(monkeypatch)
    return BasePath(tmp_path / "base")


@pytest.mark.parametrize("breaks", ["cuts", "resets"])
def test_a_broken_connection_is_gone_on_from(
    server: FileServer, base: BasePath, breaks: str
) -> None:
    served = server.files["/m.gguf"] = Served(BODY)
    getattr(served, breaks).append(3000)
    pauses, steps = Pauses(), Steps()
    assert pulled(base, one(f"{server.url}/m.gguf"), steps, pauses=pauses).read_bytes() == BODY
    # A reset may overtake the last bytes.
    assert len(server.asked) == 2
    if breaks == "cuts":
        assert server.ranges("/m.gguf") == [None, "bytes=3000-"]
    assert pauses == [1.0]
    assert steps[-1] == ("download", len(BODY), len(BODY))


def test_each_new_byte_gives_new_patience(server: FileServer, base: BasePath) -> None:
    server.files["/m.gguf"] = Served(BODY, cuts=deque([100] * 20))
    pauses = Pauses()
    pulled(base, one(f"{server.url}/m.gguf"), pauses=pauses)
    assert pauses == [1.0] * 20


def test_a_server_that_always_begins_anew_and_breaks_off_is_given_up(
    server: FileServer, base: BasePath
) -> None:
    server.files["/m.gguf"] = Served(BODY, ranges=False, cuts=deque([100] * 99))
    pauses = Pauses()
    with pytest.raises(FetchFailed, match="gave up after 10 tries"):
        pulled(base, one(f"{server.url}/m.gguf"), pauses=pauses)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_connection_that_brings_nothing_is_made_anew(
    server: FileServer, base: BasePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_remote, "STALLED_AFTER", 1.0)
    server.files["/m.gguf"] = Served(BODY, stalls=deque([3000]))
    assert pulled(base, one(f"{server.url}/m.gguf")).read_bytes() == BODY
    # More on a machine that is as slow as the server.
    assert server.ranges("/m.gguf")[:2] == [None, "bytes=3000-"]


@pytest.mark.parametrize("sha256", [SHA, None])
def test_an_interrupted_download_is_gone_on_from_next_time(
    server: FileServer, base: BasePath, sha256: str | None
) -> None:
    wanted = one(f"{server.url}/m.gguf", sha256)
    server.files["/m.gguf"] = Served(BODY, cuts=deque([1000]))
    interrupted(base, wanted)
    assert part_of(base).stat().st_size == 1000
    assert pulled(base, wanted).read_bytes() == BODY
    assert server.ranges("/m.gguf") == [None, "bytes=1000-"]
    assert left_over(base) == []


CHANGES: dict[str, tuple[str | None, dict[str, Any]]] = {
    "the file changed": (None, {"etag": '"v2"', "body": NOT_IT}),
    "the file changed, its version did not": (SHA, {}),
    "the server has no ranges": (SHA, {"ranges": False}),
    "the file lost its version": (None, {"etag": None}),
    "the file got shorter": (None, {"etag": '"v2"', "body": gguf(bytes(512))}),
}


@pytest.mark.parametrize(("sha256", "change"), CHANGES.values(), ids=CHANGES)
def test_a_partial_that_does_not_fit_is_begun_anew(
    server: FileServer, base: BasePath, sha256: str | None, change: dict[str, Any]
) -> None:
    wanted = one(f"{server.url}/m.gguf", sha256, None)
    first = NOT_IT if not change else BODY
    served = server.files["/m.gguf"] = Served(first, cuts=deque([1000]))
    interrupted(base, wanted)
    served.body = BODY
    for name, value in change.items():
        setattr(served, name, value)
    assert pulled(base, wanted).read_bytes() == served.body
    assert left_over(base) == []


def test_without_a_digest_or_version_nothing_is_gone_on_from(
    server: FileServer, base: BasePath
) -> None:
    wanted = one(f"{server.url}/m.gguf", None)
    server.files["/m.gguf"] = Served(BODY, etag=None, cuts=deque([1000]))
    interrupted(base, wanted)
    assert pulled(base, wanted).read_bytes() == BODY
    assert server.ranges("/m.gguf") == [None, None]


def test_a_server_without_versions_is_gone_on_from_if_the_digest_is_known(
    server: FileServer, base: BasePath
) -> None:
    wanted = one(f"{server.url}/m.gguf")
    server.files["/m.gguf"] = Served(BODY, etag=None, cuts=deque([1000]))
    interrupted(base, wanted)
    assert pulled(base, wanted).read_bytes() == BODY
    assert server.ranges("/m.gguf") == [None, "bytes=1000-"]


def test_another_mirror_goes_on_with_what_the_first_began(
    server: FileServer, base: BasePath
) -> None:
    server.files["/m.gguf"] = Served(BODY, cuts=deque([1000]))
    server.files["/mirror/m.gguf"] = Served(BODY, etag='"other"')
    interrupted(base, one(f"{server.url}/m.gguf"))
    assert pulled(base, one(f"{server.url}/mirror/m.gguf")).read_bytes() == BODY
    assert server.ranges("/mirror/m.gguf") == ["bytes=1000-"]


def test_a_byte_that_was_flipped_on_the_way_is_fetched_again(
    server: FileServer, base: BasePath
) -> None:
    server.files["/m.gguf"] = Served(BODY, flips=deque([5000]))
    assert pulled(base, one(f"{server.url}/m.gguf")).read_bytes() == BODY
    assert server.ranges("/m.gguf") == [None, None]


def test_a_server_that_always_sends_the_wrong_byte_is_given_up_after_the_second_time(
    server: FileServer, base: BasePath
) -> None:
    server.files["/m.gguf"] = Served(BODY, always_flipped=5000)
    with pytest.raises(WrongContent, match=f"it has the sha256 [0-9a-f]{{64}}, expected {SHA}"):
        pulled(base, one(f"{server.url}/m.gguf"))
    assert len(server.asked) == 2
    assert left_over(base) == []


LIES: dict[str, dict[str, Any]] = {
    "too short": {"lengths": deque([100])},
    "more than is announced comes of it": {"lengths": deque([len(BODY) - 5])},
    "more is announced than comes": {"lengths": deque([len(BODY) + 5])},
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_wrong_length_never_makes_a_wrong_file(
    server: FileServer, base: BasePath, lie: dict[str, Any]
) -> None:
    server.files["/m.gguf"] = Served(BODY, **lie)
    with pytest.raises(WrongContent, match=rf"has \d+ bytes, expected {len(BODY)}"):
        pulled(base, one(f"{server.url}/m.gguf"))
    assert pulled(base, one(f"{server.url}/m.gguf")).read_bytes() == BODY


def test_of_a_file_of_unknown_size_the_end_is_asked_for_until_it_is_found(
    server: FileServer, base: BasePath
) -> None:
    server.files["/m.gguf"] = Served(BODY, lengths=deque([len(BODY) + 5]))
    assert pulled(base, one(f"{server.url}/m.gguf", SHA, None)).read_bytes() == BODY
    assert server.ranges("/m.gguf") == [None, f"bytes={len(BODY)}-"]


@pytest.mark.parametrize("size", [None, len(BODY)])
def test_a_file_in_chunks_is_fetched_without_its_length(
    server: FileServer, base: BasePath, size: int | None
) -> None:
    server.files["/m.gguf"] = Served(BODY, chunked=True, cuts=deque([1000]))
    assert pulled(base, one(f"{server.url}/m.gguf", SHA, size)).read_bytes() == BODY
    assert server.ranges("/m.gguf") == [None, "bytes=1000-"]


@pytest.mark.parametrize("ranges", [True, False])
def test_a_file_that_is_always_too_short_is_given_up(
    server: FileServer, base: BasePath, ranges: bool
) -> None:
    server.files["/m.gguf"] = Served(BODY[:-1000], chunked=True, ranges=ranges)
    with pytest.raises(FetchFailed, match=r"gave up|it has \d+ bytes, expected"):
        pulled(base, one(f"{server.url}/m.gguf"))
    assert not (base.models / "org").exists()


def test_a_server_that_does_not_say_how_long_the_file_is_is_gone_on_from(
    server: FileServer, base: BasePath
) -> None:
    served = Served(BODY, cuts=deque([1000]), content_ranges=deque([f"bytes 1000-{SIZE - 1}/*"]))
    server.files["/m.gguf"] = served
    assert pulled(base, one(f"{server.url}/m.gguf", None, None)).read_bytes() == BODY
    assert server.ranges("/m.gguf") == [None, "bytes=1000-"]


def test_more_bytes_than_the_file_has_are_not_stored(server: FileServer, base: BasePath) -> None:
    server.files["/m.gguf"] = Served(BODY + BODY, chunked=True)
    with pytest.raises(FetchFailed, match=f"more than the {len(BODY)} bytes came"):
        pulled(base, one(f"{server.url}/m.gguf"))
    assert sum(path.stat().st_size for path in base.downloads.glob("*.part")) <= len(BODY)


RANGES = [
    f"bytes 0-99/{SIZE}",
    f"bytes 999-{SIZE - 1}/{SIZE}",
    f"bytes 1000-99999/{SIZE}",
    "nonsense",
]


@pytest.mark.parametrize("content_range", RANGES)
def test_an_answer_to_another_range_is_not_stored(
    server: FileServer, base: BasePath, content_range: str
) -> None:
    served = Served(BODY, cuts=deque([1000]), content_ranges=deque([content_range]))
    server.files["/m.gguf"] = served
    assert pulled(base, one(f"{server.url}/m.gguf")).read_bytes() == BODY
    assert server.ranges("/m.gguf") == [None, "bytes=1000-", "bytes=1000-"]


def test_a_compressed_answer_is_refused(server: FileServer, base: BasePath) -> None:
    server.files["/m.gguf"] = Served(BODY, headers={"Content-Encoding": "gzip"})
    with pytest.raises(FetchFailed, match=r"sends the file compressed \(gzip\)"):
        pulled(base, one(f"{server.url}/m.gguf"))
    assert server.requests[0].headers["accept-encoding"] == "identity"


def test_very_large_files_are_asked_for_in_pieces(
    server: FileServer, base: BasePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloading, "PER_REQUEST", 4000)
    server.files["/m.gguf"] = Served(BODY)
    pauses = Pauses()
    assert pulled(base, one(f"{server.url}/m.gguf"), pauses=pauses).read_bytes() == BODY
    assert server.ranges("/m.gguf") == ["bytes=0-3999", "bytes=4000-7999", "bytes=8000-"]
    assert pauses == []


def test_a_file_without_end_does_not_fill_the_disk(
    server: FileServer, base: BasePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloading, "_LOOK_BYTES", 2000)
    server.files["/m.gguf"] = Served(BODY, chunked=True)
    left = ["for the start"]

    def require_room(folder: Path, needed: int) -> None:
        if not left:
            raise NoRoom("no room")
        left.pop()

    monkeypatch.setattr(downloading, "require_room", require_room)
    with pytest.raises(NoRoom):
        pulled(base, one(f"{server.url}/m.gguf", None, None))


def test_a_cut_off_file_is_noticed_by_its_header_where_nobody_says_what_it_should_be(
    server: FileServer, base: BasePath
) -> None:
    server.files["/m.gguf"] = Served(BODY[:-1000])
    with pytest.raises(WrongContent, match="truncated"):
        pulled(base, one(f"{server.url}/m.gguf", None, None))
    assert left_over(base) == []


def test_a_page_to_log_in_is_noticed_at_its_first_bytes(server: FileServer, base: BasePath) -> None:
    page = b"<html>" + bytes(2**20)
    server.files["/m.gguf"] = Served(page)
    with pytest.raises(WrongContent, match="it is not a GGUF file: it starts with b'<htm'"):
        pulled(base, typed(f"{server.url}/m.gguf"))
    assert left_over(base) == []


def test_passing_refusals_are_waited_out(server: FileServer, base: BasePath) -> None:
    server.files["/m.gguf"] = Served(BODY, statuses=deque([503, 429, 500]))
    pauses = Pauses()
    pulled(base, one(f"{server.url}/m.gguf"), pauses=pauses)
    assert pauses == [1.0, 2.0, 4.0]


def test_a_server_says_how_long_to_wait(server: FileServer, base: BasePath) -> None:
    served = Served(BODY, statuses=deque([503, 429]), headers={"Retry-After": "120"})
    server.files["/m.gguf"] = served
    pauses = Pauses()
    pulled(base, one(f"{server.url}/m.gguf"), pauses=pauses)
    assert pauses == [120.0, 120.0]


def test_a_wait_of_an_hour_is_left_to_the_user(server: FileServer, base: BasePath) -> None:
    served = Served(BODY, statuses=deque([429]), headers={"Retry-After": "3600"})
    server.files["/m.gguf"] = served
    with pytest.raises(
        FetchFailed, match="429 Too Many Requests; it asks to wait 3600 s"
    ) as raised:
        pulled(base, one(f"{server.url}/m.gguf"))
    assert raised.value.retry_after == 3600


REFUSED: dict[str, tuple[list[int], type[KronkError], str, int]] = {
    "not there": ([404], NotFound, "the server answered 404 Not Found", 1),
    "not allowed": ([403], FetchFailed, "the server answered 403 Forbidden", 1),
    "never better": ([500] * 9, FetchFailed, "500 Internal Server Error; gave up", 5),
}


@pytest.mark.parametrize(("statuses", "error", "said", "tries"), REFUSED.values(), ids=REFUSED)
def test_a_refusal_is_said(
    server: FileServer,
    base: BasePath,
    statuses: list[int],
    error: type[KronkError],
    said: str,
    tries: int,
) -> None:
    server.files["/m.gguf"] = Served(BODY, statuses=deque(statuses))
    with pytest.raises(error, match=said):
        pulled(base, one(f"{server.url}/m.gguf"))
    assert len(server.asked) == tries
    assert left_over(base) == []


def test_nobody_listening_is_said(base: BasePath) -> None:
    with pytest.raises(FetchFailed, match="gave up"):
        pulled(base, typed("http://127.0.0.1:9/m.gguf"))


def test_a_redirect_to_an_unencrypted_address_is_not_followed(
    server: FileServer, base: BasePath
) -> None:
    server.files["/m.gguf"] = Served(redirect="http://example.org/m.gguf")
    with pytest.raises(FetchFailed, match=r"redirected to http://example\.org, which is not"):
        pulled(base, typed(f"{server.url}/m.gguf"))


def test_redirects_are_followed_wherever_they_lead_but_not_for_ever(
    server: FileServer, base: BasePath
) -> None:
    server.files["/m.gguf"] = Served(redirect="/a/m.gguf?x=1")
    server.files["/a/m.gguf"] = Served(redirect=f"{server.elsewhere}/b/m.gguf")
    server.files["/b/m.gguf"] = Served(BODY)
    assert pulled(base, one(f"{server.url}/m.gguf")).read_bytes() == BODY
    server.files["/round/m.gguf"] = Served(redirect="/round/m.gguf")
    with pytest.raises(FetchFailed, match="more than 10 redirects"):
        pulled(base, typed(f"{server.url}/round/m.gguf"))


def test_a_signed_address_that_has_run_out_is_asked_for_anew(
    server: FileServer, base: BasePath
) -> None:
    server.files["/m.gguf"] = Served(redirect=f"{server.elsewhere}/b/m.gguf")
    server.files["/b/m.gguf"] = Served(BODY, statuses=deque([403]))
    assert pulled(base, one(f"{server.url}/m.gguf")).read_bytes() == BODY
    assert [asked[1] for asked in server.asked] == ["/m.gguf", "/b/m.gguf"] * 2


# Whatever it does

SMALL = st.integers(0, SIZE + 10)
FAULTS = st.fixed_dictionaries(
    {
        "cuts": st.lists(SMALL, max_size=3).map(deque),
        "resets": st.lists(SMALL, max_size=2).map(deque),
        "statuses": st.lists(st.sampled_from([429, 500, 503]), max_size=3).map(deque),
        "lengths": st.lists(st.one_of(st.none(), SMALL), max_size=3).map(deque),
        "content_ranges": st.lists(
            st.builds("bytes {}-{}/{}".format, SMALL, SMALL, st.one_of(SMALL, st.just("*"))),
            max_size=2,
        ).map(deque),
        "ranges": st.booleans(),
        "chunked": st.booleans(),
        "etag": st.sampled_from(['"v1"', 'W/"v1"', None]),
    }
)


def misshapen(path: Path) -> str | None:
    try:
        gguf_file.read(path)
    except InvalidArgument as error:
        return error.message
    return None


@pytest.fixture(scope="module")
def one_server() -> Iterator[FileServer]:
    with serving() as server:
        yield server


@settings(max_examples=40, deadline=None)
@given(
    faults=FAULTS,
    flips=st.lists(st.integers(0, SIZE - 1), max_size=2),
    known=st.booleans(),
    size=st.booleans(),
)
def test_whatever_a_server_does_the_file_is_right_or_not_there(
    one_server: FileServer,
    tmp_path_factory: pytest.TempPathFactory,
    faults: dict[str, Any],
    flips: list[int],
    known: bool,
    size: bool,
) -> None:
    base = BasePath(tmp_path_factory.mktemp("base"))
    server = one_server
    server.asked.clear()
    with pytest.MonkeyPatch.context() as patch:
        without_sync(patch)
        # Without a process of its own each time.
        patch.setattr(pulling, "_misshapen", misshapen)
        served = server.files["/m.gguf"] = Served(BODY, **faults)
        # Nobody could tell where there is no digest.
        served.flips.extend(flips if known else [])
        wanted = one(f"{server.url}/m.gguf", SHA if known else None, SIZE if size else None)
        try:
            path = pulled(base, wanted)
        except FetchFailed:
            assert not (base.models / "org").exists()
        else:
            assert path.read_bytes() == BODY
        assert len(server.asked) < 60
        # It is over once the server is well again.
        server.files["/m.gguf"] = Served(BODY)
        assert pulled(base, wanted).read_bytes() == BODY
