"""Models between two Kronks: uploads and downloads that may break anywhere, and what is refused."""

from __future__ import annotations

import hashlib
import random
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes.gateway_house import House
from fakes.hub_api import witness
from harness.gguf_bytes import entry, string
from kronk.gateway.blobs import Span, Unsatisfiable, parse_content_range, parse_range
from kronk.shared.errors import Conflict, InvalidArgument, KronkError, NotFound
from kronk.shared.jobs.kinds import KINDS
from kronk.shared.models import facts, fetching
from kronk.shared.models.fetching import FetchFailed, NoRoom
from kronk.shared.models.patience import Patience
from kronk.shared.models.pull import pull
from kronk.shared.models.writers import only_writer
from kronk.shared.moving import pull_job, push_job, receiving, target
from kronk.shared.moving.peer import Peer, fetched
from kronk.shared.moving.receiving import Incoming, Upload
from kronk.shared.moving.target import HostTarget, HubTarget
from kronk.shared.paths import BasePath
from kronk.shared.settings import Settings, resolve

TINY = Path(__file__).parents[1] / "models/tiny-chat-q8_0.gguf"
PROJECTOR = TINY.with_name("tiny-mmproj-f16.gguf")
BODY = TINY.read_bytes()
SHA = hashlib.sha256(BODY).hexdigest()
SIZE = len(BODY)
NOW = Patience(pause=lambda seconds: None)


def quiet(phase: str, done: int, total: int | None) -> None:
    """Nobody looks."""


@pytest.fixture
def base(tmp_path: Path) -> BasePath:
    return BasePath(tmp_path / "base")


def upload(relative: str = "o/r/m.gguf", sha256: str = SHA, size: int = SIZE) -> Upload:
    return Upload(relative, sha256, size)


# One file, taken in


def take(base: BasePath, wanted: Upload, data: bytes) -> int:
    incoming = Incoming(base, wanted)
    try:
        incoming.add(data)
        if incoming.is_whole:
            incoming.finish()
        return incoming.offset
    finally:
        incoming.close()


def left(base: BasePath) -> list[str]:
    return [path.name for path in base.downloads.iterdir() if path.suffix != ".lock"]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cuts=st.lists(st.integers(0, 5000), max_size=5), damage=st.none() | st.integers(0, 4999))
def test_an_upload_that_breaks_off_anywhere_is_gone_on_with(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], damage: int | None
) -> None:
    base = BasePath(tmp_path_factory.mktemp("b"))
    body = BODY[:5000]
    wanted = upload(sha256=hashlib.sha256(body).hexdigest(), size=len(body))
    for cut in sorted(cuts):
        at = receiving.standing(base, wanted).offset
        if cut >= len(body) or cut <= at:
            continue
        assert take(base, wanted, body[at:cut]) == cut
        assert not (base.models / "o").exists()
    part = next(base.downloads.glob("*.part"), None)
    if part is not None and damage is not None and damage < part.stat().st_size:
        # The disk turns a byte over: what follows is not believed.
        data = bytearray(part.read_bytes())
        data[damage] ^= 1
        part.write_bytes(data)
    incoming = Incoming(base, wanted)
    incoming.add(body[incoming.offset :])
    incoming.finish()
    incoming.close()
    target_file = base.models / "o/r/m.gguf"
    assert target_file.read_bytes() == body
    row = facts.load(base.models)["o/r/m.gguf"]
    assert facts.holds(row, target_file) and row.sha256 == wanted.sha256
    assert left(base) == []
    assert receiving.standing(base, wanted) == receiving.Standing(len(body), True)


def test_a_wrong_digest_leaves_nothing(base: BasePath) -> None:
    with pytest.raises(InvalidArgument, match=f"has the sha256 {SHA}, announced was 1111"):
        take(base, upload(sha256="1" * 64), BODY)
    assert left(base) == [] and not (base.models / "o").exists()


def test_what_is_no_model_is_refused_with_its_first_bytes(base: BasePath) -> None:
    incoming = Incoming(base, upload())
    incoming.add(b"PK\x03\x04")
    with pytest.raises(InvalidArgument, match="it is not a GGUF file"):
        incoming.add(b"zip!")
    incoming.close()
    assert left(base) == []


def test_more_than_was_announced_is_refused(base: BasePath) -> None:
    with pytest.raises(InvalidArgument, match=f"more came than the {SIZE} bytes"):
        take(base, upload(), BODY + b"x")


def test_one_name_has_one_writer(base: BasePath) -> None:
    incoming = Incoming(base, upload())
    incoming.add(BODY[:1000])
    for other in (upload(), upload(sha256="2" * 64)):
        with pytest.raises(Conflict, match="another process is writing") as caught:
            Incoming(base, other)
        assert caught.value.retry_after is not None
        with pytest.raises(Conflict, match="another process is writing"):
            receiving.standing(base, other)
    incoming.close()
    # To ask about another file takes nothing away from this one.
    assert receiving.standing(base, upload(sha256="2" * 64)).offset == 0
    assert receiving.standing(base, upload()).offset == 1000
    with only_writer(base, ["o/r/m.gguf"]), pytest.raises(Conflict):
        Incoming(base, upload())


def test_another_file_is_never_overwritten(base: BasePath) -> None:
    there = base.models / "o/r/m.gguf"
    there.parent.mkdir(parents=True)
    for body in (b"mine", BODY[:-1] + b"?"):
        there.write_bytes(body)
        with pytest.raises(Conflict, match="exists and is another file") as caught:
            receiving.standing(base, upload())
        assert caught.value.retry_after is None
    there.unlink()
    incoming = Incoming(base, upload())
    incoming.add(BODY)
    there.write_bytes(b"mine")
    with pytest.raises(Conflict, match="exists and is another file"):
        incoming.finish()
    incoming.close()
    assert there.read_bytes() == b"mine"


def test_a_full_disk_is_noticed_before_the_first_byte(
    base: BasePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = SimpleNamespace(free=2**26)
    monkeypatch.setattr(fetching.shutil, "disk_usage", lambda folder: full)
    for ask in (receiving.standing, Incoming):
        with pytest.raises(NoRoom, match="not enough space"):
            ask(base, upload())


BAD_NAMES = (
    "../m.gguf",
    "o/../../m.gguf",
    "/etc/m.gguf",
    "o//m.gguf",
    "./m.gguf",
    ".downloads/m.gguf",
    "o/.m.gguf",
    "o/m.txt",
    ".index.yaml",
    "o\\m.gguf",
    "o/m\0.gguf",
    "o/m\n.gguf",
    "",
)


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_leads_elsewhere_is_refused(base: BasePath, name: str) -> None:
    for ask in (receiving.standing, Incoming):
        with pytest.raises(InvalidArgument) as caught:
            ask(base, upload(name))
        assert caught.value.param == "path"
    assert not base.models.exists()


def test_a_link_that_leads_out_of_the_models_folder_is_not_followed(
    base: BasePath, tmp_path: Path
) -> None:
    (tmp_path / "else").mkdir()
    base.models.mkdir(parents=True)
    (base.models / "o").symlink_to(tmp_path / "else")
    with pytest.raises(InvalidArgument, match="leads out of the models folder"):
        receiving.standing(base, upload("o/m.gguf"))


# What headers say


@pytest.mark.parametrize(
    ("header", "span"),
    [
        (None, None),
        ("bytes=0-", Span(0, 10)),
        ("bytes=3-5", Span(3, 6)),
        ("bytes=3-99", Span(3, 10)),
        ("bytes=-4", Span(6, 10)),
        ("bytes=-40", Span(0, 10)),
        ("bytes=5-3", None),
        ("bytes=0-1,3-4", None),
        ("lines=0-1", None),
        ("bytes=", None),
        ("bytes=a-b", None),
        ("bytes=\u0663-", None),
    ],
)
def test_a_range_is_read(header: str | None, span: Span | None) -> None:
    assert parse_range(header, 10) == span


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=99-100", "bytes=-0"])
def test_a_range_behind_the_end_is_not_satisfied(header: str) -> None:
    with pytest.raises(Unsatisfiable):
        parse_range(header, 10)


@pytest.mark.parametrize(
    ("header", "span"),
    [
        (None, Span(0, 10)),
        ("bytes 0-9/10", Span(0, 10)),
        ("bytes 4-9/10", Span(4, 10)),
        ("bytes 4-4/10", Span(4, 5)),
        ("bytes */10", Span(10, 10)),
    ],
)
def test_a_content_range_is_read(header: str | None, span: Span) -> None:
    assert parse_content_range(header, 10) == span


@pytest.mark.parametrize(
    "header", ["", "bytes 0-9/11", "bytes 0-10/10", "bytes 5-4/10", "bytes 0-9/*", "bytes=0-9/10"]
)
def test_a_content_range_that_does_not_fit_is_refused(header: str) -> None:
    with pytest.raises(InvalidArgument, match="Content-Range: expected"):
        parse_content_range(header, 10)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("hf:o/r", HubTarget("o", "r", "")),
        ("hf:o/r/a/b/", HubTarget("o", "r", "a/b")),
        ("https://Host.example", HostTarget("https://host.example")),
        ("http://10.0.0.7:8080/", HostTarget("http://10.0.0.7:8080")),
        ("http://[::1]:8080", HostTarget("http://[::1]:8080")),
    ],
)
def test_a_target_is_read(text: str, meant: target.Target) -> None:
    assert target.parse(text) == meant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "host:8080",
        "ftp://host",
        "http://",
        "http://host/path",
        "http://host?x=1",
        "http://ho st",
        "http://host:x",
        "http://a:secret@host",
        "https://host\n",
        "hf:o",
        "hf:o/",
        "hf:-o/r",
        "hf:o/..",
        "hf:o/r/../x",
        "hf:o/r//x",
    ],
)
def test_a_target_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        target.parse(text)
    assert caught.value.param == "target" and "secret" not in caught.value.message


# Two of them


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with House(tmp_path_factory.mktemp("there")) as house:
        yield house


@pytest.fixture
def there(house: House) -> BasePath:
    return BasePath(house.base)


@pytest.fixture
def here(tmp_path: Path) -> Settings:
    chosen = resolve({"base_path": str(tmp_path / "here")}, {})
    folder = chosen.base.models / "tiny/chat"
    folder.mkdir(parents=True)
    (folder / "Moved.gguf").hardlink_to(TINY)
    (folder / "mmproj-F16.gguf").hardlink_to(PROJECTOR)
    return chosen


def test_a_model_is_pushed_with_its_projector_and_pulled_back(
    house: House, there: BasePath, here: Settings, tmp_path: Path
) -> None:
    steps: list[tuple[str, int, int | None]] = []
    params = {"model": "Moved", "target": house.url}
    push_job.check(here, params)
    done = push_job.run(here, params, lambda *step: steps.append(step))
    total = SIZE + PROJECTOR.stat().st_size
    assert done == {"model": "Moved", "target": house.url, "files": 2, "size_bytes": total}
    assert steps[-1] == ("upload", total, total)
    assert {step[0] for step in steps} == {"verify", "upload"}
    for name, original in (("Moved", TINY), ("mmproj-F16", PROJECTOR)):
        assert (there.models / f"tiny/chat/{name}.gguf").read_bytes() == original.read_bytes()
    # Again: it is there, and no byte goes.
    uploaded = [step for step in _steps(here, params) if step[0] == "upload"]
    assert uploaded[0][1] > 0 and uploaded[-1] == ("upload", total, total)

    elsewhere = resolve({"base_path": str(tmp_path / "elsewhere")}, {})
    found = pull_job.run(elsewhere, {"model": "Moved", "host": house.url}, quiet)
    assert found["model"] == "Moved"
    assert Path(found["path"]).read_bytes() == BODY
    assert (elsewhere.base.models / "tiny/chat/mmproj-F16.gguf").is_file()
    row = facts.load(elsewhere.base.models)["tiny/chat/Moved.gguf"]
    assert row.source == f"{house.url}/v1/kronk/blobs/tiny/chat/Moved.gguf"


def _steps(here: Settings, params: dict[str, Any]) -> list[tuple[str, int, int | None]]:
    steps: list[tuple[str, int, int | None]] = []
    push_job.run(here, params, lambda *step: steps.append(step))
    return steps


def shard(number: int, count: int) -> bytes:
    """A part of a split model, with no tensors in it."""
    keys = [
        entry("general.architecture", 8, string("llama")),
        entry("split.no", 2, struct.pack("<H", number)),
        entry("split.count", 2, struct.pack("<H", count)),
    ]
    return b"GGUF" + struct.pack("<IQQ", 3, 0, len(keys)) + b"".join(keys)


def test_of_a_split_model_all_parts_go_and_the_first_comes_last(
    house: House, there: BasePath, here: Settings
) -> None:
    folder = here.base.models / "o/split"
    folder.mkdir(parents=True)
    names = [f"big-0000{number}-of-00003.gguf" for number in (1, 2, 3)]
    for number, name in enumerate(names):
        (folder / name).write_bytes(shard(number, 3))
    (folder / "mmproj-F16.gguf").hardlink_to(PROJECTOR)
    seen: list[int] = []

    def looked(phase: str, done: int, total: int | None) -> None:
        if phase == "upload" and not (there.models / "o/split" / names[0]).exists():
            seen.append(len(list((there.models / "o/split").glob("*.gguf"))))

    assert push_job.run(here, {"model": "big", "target": house.url}, looked)["files"] == 4
    # Until the last one came, the others were there and the first was not.
    assert max(seen) == 3
    assert {path.name for path in (there.models / "o/split").iterdir()} == {
        *names,
        "mmproj-F16.gguf",
    }
    plan = fetched(Peer(house.url), "big", NOW)
    assert [item.role for item in plan.items] == ["model", "shard", "shard", "projector"]
    assert plan.id == "big"


def test_a_push_goes_on_where_the_connection_broke(house: House, there: BasePath) -> None:
    chance = random.Random(6)
    url = f"/v1/kronk/blobs/broken/m.gguf?sha256={SHA}&size={SIZE}"
    at = 0
    for _ in range(4):
        cut = chance.randrange(at + 1, min(at + 900_000, SIZE))
        host, port = house.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as connection:
            head = (
                f"PUT {url} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {SIZE - at}\r\n"
                f"Content-Range: bytes {at}-{SIZE - 1}/{SIZE}\r\n\r\n"
            )
            connection.sendall(head.encode() + BODY[at:cut])
        at = _settled(house, cut)
        assert at == cut
        assert not (there.models / "broken").exists()
    Peer(house.url).send(TINY, "broken/m.gguf", SHA, quiet, NOW)
    assert (there.models / "broken/m.gguf").read_bytes() == BODY


def _settled(house: House, cut: int) -> int:
    """How much the other side has once it noticed that the connection is gone."""
    peer = Peer(house.url)
    for _ in range(2000):
        try:
            return peer.standing("broken/m.gguf", SHA, SIZE).offset
        except Exception as error:
            # It is still being written.
            assert "another process is writing" in str(error)
    raise AssertionError(f"the upload of {cut} bytes does not end")


def test_a_pull_goes_on_where_the_connection_broke(
    house: House, there: BasePath, base: BasePath
) -> None:
    put(there, "ranges/Ranged.gguf")
    plan = fetched(Peer(house.url), "Ranged", NOW)

    class Cut(Exception):
        pass

    def cutting(phase: str, done: int, total: int | None) -> None:
        if phase == "download" and done > SIZE // 2:
            raise Cut

    with pytest.raises(Cut):
        pull(base, plan, cutting)
    starts: list[int] = []
    pull(
        base, plan, lambda phase, done, total: starts.append(done) if phase == "download" else None
    )
    assert starts[0] > SIZE // 2
    assert (base.models / "ranges/Ranged.gguf").read_bytes() == BODY


def put(there: BasePath, relative: str) -> None:
    path = there.models / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    path.hardlink_to(TINY)


def test_a_file_is_given_in_spans(house: House, there: BasePath) -> None:
    put(there, "spans/Spans.gguf")
    url = f"{house.url}/v1/kronk/blobs/spans/Spans.gguf"
    whole = httpx.get(url)
    assert (whole.status_code, whole.content) == (200, BODY)
    version = whole.headers["etag"]
    head = httpx.head(url)
    assert (head.headers["content-length"], head.headers["etag"]) == (str(SIZE), version)
    part = httpx.get(url, headers={"Range": "bytes=100-199", "If-Range": version})
    assert (part.status_code, part.content) == (206, BODY[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{SIZE}"
    other = httpx.get(url, headers={"Range": "bytes=100-199", "If-Range": '"other"'})
    assert (other.status_code, len(other.content)) == (200, SIZE)
    behind = httpx.get(url, headers={"Range": f"bytes={SIZE}-"})
    assert (behind.status_code, behind.headers["content-range"]) == (416, f"bytes */{SIZE}")
    # Once it was verified, its version is its digest.
    listed = httpx.get(f"{house.url}/v1/kronk/models/Spans/files").json()["files"]
    assert listed[0]["sha256"] is None
    asked = {"digests": "true"}
    listed = httpx.get(f"{house.url}/v1/kronk/models/Spans/files", params=asked).json()["files"]
    assert listed[0]["sha256"] == SHA
    assert httpx.head(url).headers["etag"] == f'"{SHA}"'


@pytest.mark.parametrize("name", ["nope.gguf", "..%2f..%2fetc%2fpasswd", ".index.yaml", "tiny"])
def test_what_is_no_models_file_is_not_given(house: House, name: str) -> None:
    assert httpx.get(f"{house.url}/v1/kronk/blobs/{name}").status_code == 404


WRONG_UPLOADS: dict[str, tuple[dict[str, str], dict[str, str], bytes, int, str]] = {
    "no digest": ({"size": "64"}, {}, b"", 400, "sha256"),
    "a digest that is none": ({"sha256": "x", "size": "64"}, {}, b"", 400, "sha256"),
    "no size": ({"sha256": SHA}, {}, b"", 400, "size"),
    "a size that is none": ({"sha256": SHA, "size": "-1"}, {}, b"", 400, "size"),
    "too small": ({"sha256": SHA, "size": "3"}, {}, b"GGU", 400, "size"),
    "too large for any disk": ({"sha256": SHA, "size": "9" * 18}, {}, b"GGUF", 507, ""),
    "another range": (
        {"sha256": SHA, "size": "64"},
        {"Content-Range": "bytes 0-9/10"},
        b"GGUF",
        400,
        "Content-Range",
    ),
    "a gap": (
        {"sha256": SHA, "size": "64"},
        {"Content-Range": "bytes 10-19/64"},
        bytes(10),
        409,
        "Content-Range",
    ),
    "no model": ({"sha256": SHA, "size": "64"}, {}, b"<html>" + bytes(58), 400, ""),
    "a wrong digest": ({"sha256": SHA, "size": "64"}, {}, BODY[:64], 400, "sha256"),
    "too long": (
        {"sha256": SHA, "size": "64"},
        {"Content-Range": "bytes 0-9/64"},
        BODY[:20],
        400,
        "Content-Range",
    ),
}


@pytest.mark.parametrize(
    ("query", "headers", "body", "status", "param"), WRONG_UPLOADS.values(), ids=WRONG_UPLOADS
)
def test_a_wrong_upload_is_refused(
    house: House,
    there: BasePath,
    query: dict[str, str],
    headers: dict[str, str],
    body: bytes,
    status: int,
    param: str,
) -> None:
    url = f"{house.url}/v1/kronk/blobs/wrong/m.gguf"
    answer = httpx.put(url, params=query, headers=headers, content=body)
    assert answer.status_code == status, answer.text
    assert (answer.json()["error"]["param"] or "") == param
    assert not (there.models / "wrong").exists()


@pytest.mark.parametrize(
    "name", ["%2e%2e/m.gguf", "..%2f..%2fm.gguf", "a/%2e%2e/m.gguf", "a%00.gguf"]
)
def test_an_upload_elsewhere_is_refused(house: House, there: BasePath, name: str) -> None:
    query = {"sha256": SHA, "size": str(SIZE)}
    before = set(house.folder.rglob("*.gguf"))
    for method, path in (("PUT", "blobs"), ("GET", "uploads")):
        url = f"{house.url}/v1/kronk/{path}/{name}"
        answer = httpx.request(method, url, params=query, content=b"GGUF")
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "path")
    assert set(house.folder.rglob("*.gguf")) == before
    assert not (house.folder.parent / "m.gguf").exists()


def test_a_push_says_why_it_cannot(house: House, there: BasePath, here: Settings) -> None:
    path = there.models / "tiny/chat/Moved.gguf"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(b"something else")
    with pytest.raises(Conflict, match=f"^{house.url}: .*exists and is another file"):
        push_job.run(here, {"model": "Moved", "target": house.url}, quiet)
    assert path.read_bytes() == b"something else"
    path.unlink()
    with pytest.raises(NotFound, match="there is no model 'nope'"):
        push_job.check(here, {"model": "nope", "target": house.url})
    with pytest.raises(InvalidArgument, match="target: expected"):
        push_job.check(here, {"model": "Moved", "target": "nowhere"})
    with pytest.raises(NotFound, match="there is no model 'nope'"):
        pull_job.run(here, {"model": "nope", "host": house.url}, quiet)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"[]",
        b'{"files": []}',
        b'{"model": "m", "files": [{"path": "../m.gguf", "sha256": "x", "size_bytes": 1}]}',
    ],
)
def test_another_server_that_is_no_kronk_is_said(answer: bytes) -> None:
    with witness(200, {}, answer) as host, pytest.raises(FetchFailed, match="is it a Kronk"):
        fetched(Peer(host.url), "m", NOW)


def test_a_hostile_server_cannot_name_files_elsewhere(base: BasePath) -> None:
    answer = (
        '{"model": "m", "files": [{"path": "../../m.gguf", "role": "model", "size_bytes": 64, '
        f'"sha256": "{SHA}"}}]}}'
    )
    with witness(200, {}, answer.encode()) as host:
        plan = fetched(Peer(host.url), "m", NOW)
        with pytest.raises(InvalidArgument, match="cannot be stored below"):
            pull(base, plan, quiet)


@pytest.mark.parametrize("status", [302, 307])
def test_the_token_is_told_to_the_host_alone(status: int) -> None:
    with witness(200, {}, b"{}") as elsewhere:
        there = elsewhere.url.replace("127.0.0.1", "localhost")
        with witness(status, {"Location": f"{there}/x"}, b"") as host:
            with pytest.raises(KronkError):
                fetched(Peer(host.url, "sec-ret"), "m", NOW)
            with pytest.raises(KronkError):
                Peer(host.url, "sec-ret").standing("m.gguf", SHA, SIZE)
    assert host.tokens == ["Bearer sec-ret"] * 2 and elsewhere.tokens == []
    assert "sec-ret" not in repr(Peer(host.url, "sec-ret"))


def test_a_refusal_says_what_to_do() -> None:
    with (
        witness(401, {}, b'{"error": {"message": "no", "code": "unauthenticated"}}') as host,
        pytest.raises(FetchFailed, match="no; give its token in KRONK_PEER_TOKEN, or with --token"),
    ):
        fetched(Peer(host.url), "m", NOW)


def test_tokens_of_jobs_are_not_told() -> None:
    params = {"model": "m", "host": "https://a", "token": "sec-ret"}
    KINDS["pull-from"].validate(params)
    assert "sec-ret" not in KINDS["pull-from"].titled(params)
    told, hidden = KINDS["pull-from"].parted(params)
    assert (told, hidden) == ({"model": "m", "host": "https://a"}, {"token": "sec-ret"})
