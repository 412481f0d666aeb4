"""An upload from its connection to the disk: whatever goes wrong, nothing of it is left."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request

from harness.subjects import ANN
from kronk.gateway.batches import files as files_module
from kronk.gateway.batches import shares, upload
from kronk.gateway.batches.files import DiskFull, Draft, Files, StoredFile
from kronk.gateway.run import ClientGone
from kronk.shared.database import Database
from kronk.shared.errors import InvalidArgument, TooLarge
from kronk.shared.security.identity import OPEN, Identity

HEAD = (
    b'--X\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nuser_data\r\n'
    b'--X\r\ncontent-disposition: form-data; name="file"; filename="a.bin"\r\n\r\n'
)
END = b"\r\n--X--\r\n"
BLOCK = b"x" * 100_000


class Client:
    """Sends these parts; after the last it is silent, or gone."""

    def __init__(self, *parts: bytes, is_whole: bool = True, announced: int | None = None) -> None:
        self._parts = self._messages(parts, is_whole)
        head = [(b"content-type", b"multipart/form-data; boundary=X")]
        if announced is not None:
            head.append((b"content-length", b"%d" % announced))
        scope = {"type": "http", "method": "POST", "path": "/v1/files", "headers": head}
        self.request = Request(scope, self._receive)
        self.sent = 0

    async def _messages(self, parts: tuple[bytes, ...], is_whole: bool) -> AsyncIterator[Any]:
        for at, part in enumerate(parts, start=1):
            self.sent += len(part)
            more = at < len(parts) or not is_whole
            yield {"type": "http.request", "body": part, "more_body": more}
        yield {"type": "http.disconnect"}

    async def _receive(self) -> Any:
        return await anext(self._parts)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "db")
    yield database
    database.close()


@pytest.fixture
def files(tmp_path: Path, database: Database) -> Files:
    return Files(tmp_path / "files", database.table("files"))


def receive(files: Files, client: Client, identity: Identity = OPEN) -> StoredFile:
    return asyncio.run(upload.receive(client.request, files, identity))


def left(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "files"
    return list(folder.iterdir()) if folder.exists() else []


def test_an_upload_is_stored_as_it_was_sent(files: Files) -> None:
    file = receive(files, Client(HEAD, *[BLOCK] * 30, END))
    assert (file.filename, file.purpose, file.bytes) == ("a.bin", "user_data", 3_000_000)
    with files.open(file.id) as content:
        assert content.read() == BLOCK * 30
    assert files.get(file.id, 0.0, OPEN) == file


def test_a_client_that_leaves_leaves_nothing(files: Files, tmp_path: Path) -> None:
    with pytest.raises(ClientGone):
        receive(files, Client(HEAD, *[BLOCK] * 30, is_whole=False))
    assert left(tmp_path) == []


def test_a_body_that_ends_too_early_leaves_nothing(files: Files, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="closing boundary"):
        receive(files, Client(HEAD, BLOCK))
    assert left(tmp_path) == []


def test_a_file_that_is_too_large_ends_where_it_is_known(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "MOST_BYTES", 2_000_000)
    announced = Client(HEAD, END, announced=3_000_000)
    with pytest.raises(TooLarge, match="2000000 bytes"):
        receive(files, announced)
    assert announced.sent == 0
    silent = Client(HEAD, *[BLOCK] * 100, END)
    with pytest.raises(TooLarge, match="2000000 bytes"):
        receive(files, silent)
    assert silent.sent < 3_000_000
    assert left(tmp_path) == []
    receive(files, Client(HEAD, *[BLOCK] * 20, END))


def test_a_disk_without_room_is_told_at_once(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files_module, "_RESERVE_BYTES", 2**60)
    client = Client(HEAD, BLOCK, END, announced=200_000)
    with pytest.raises(DiskFull, match="no room for 200000 bytes"):
        receive(files, client)
    assert client.sent == 0
    assert left(tmp_path) == []


def full(*_: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def failing(*_: Any) -> None:
    raise OSError(errno.EIO, "Input/output error")


@pytest.mark.parametrize(
    ("broken", "error"), [(full, DiskFull), (failing, OSError)], ids=["full", "broken"]
)
@pytest.mark.parametrize("where", ["fsync", "add"])
def test_a_disk_that_fails_keeps_nothing(
    files: Files,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    broken: Callable[..., None],
    error: type[Exception],
    where: str,
) -> None:
    if where == "fsync":
        monkeypatch.setattr(files_module.os, "fsync", broken)
    else:
        monkeypatch.setattr(files, "add", broken)
        error = OSError
    with pytest.raises(error):
        receive(files, Client(HEAD, BLOCK, END))
    monkeypatch.undo()
    assert left(tmp_path) == []
    assert files.all(0.0, OPEN) == []


def test_a_server_that_stops_in_an_upload_leaves_nothing(files: Files, tmp_path: Path) -> None:
    async def cut_off() -> None:
        arrived = asyncio.Event()

        async def silent() -> Any:
            if arrived.is_set():
                await asyncio.Event().wait()
            arrived.set()
            return {"type": "http.request", "body": HEAD + BLOCK * 10, "more_body": True}

        client = Client()
        receiving = asyncio.create_task(
            upload.receive(Request(client.request.scope, silent), files, OPEN)
        )
        await arrived.wait()
        receiving.cancel()
        await asyncio.gather(receiving, return_exceptions=True)
        assert receiving.cancelled()

    asyncio.run(cut_off())
    assert left(tmp_path) == []


def test_a_draft_that_was_swept_before_it_was_locked_is_begun_anew(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, swept = files_module.fcntl.flock, []

    def flock(handle: Any, operation: int) -> None:
        usual(handle, operation)
        if not swept:
            (path,) = (tmp_path / "files").iterdir()
            swept.append(path)
            path.unlink()

    monkeypatch.setattr(files_module.fcntl, "flock", flock)
    draft: Draft = files.draft()
    assert files.path(draft.id).exists()
    assert draft.id != swept[0].name
    draft.close()


def test_an_upload_beyond_ones_share_leaves_nothing(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shares, "MOST_BYTES", 2_500_000)
    announced = Client(HEAD, END, announced=3_000_000)
    with pytest.raises(TooLarge, match="may have 2500000"):
        receive(files, announced, ANN)
    assert announced.sent == 0
    silent = Client(HEAD, *[BLOCK] * 100, END)
    with pytest.raises(TooLarge, match="may have 2500000"):
        receive(files, silent, ANN)
    assert silent.sent < 4_000_000
    assert left(tmp_path) == []
    assert receive(files, Client(HEAD, *[BLOCK] * 20, END), ANN).owner == ANN.subject
    with pytest.raises(TooLarge):
        receive(files, Client(HEAD, *[BLOCK] * 20, END), ANN)
    assert len(left(tmp_path)) == 1
    receive(files, Client(HEAD, *[BLOCK] * 30, END))
