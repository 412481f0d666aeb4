"""Files on disk and in the database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from kronk.gateway.batches.files import Draft, Files, StoredFile
from kronk.gateway.batches.names import FILE, new_name
from kronk.gateway.batches.requests import BatchRequest
from kronk.gateway.batches.results import Results
from kronk.gateway.batches.store import Batches
from kronk.shared.database import Database
from kronk.shared.errors import InvalidArgument, NotFound
from kronk.shared.security.identity import OPEN

NOW = 1000.0
NOTHING: dict[str, str] = {}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "db")
    yield database
    database.close()


@pytest.fixture
def files(tmp_path: Path, database: Database) -> Files:
    return Files(tmp_path / "files", database.table("files"))


def written(files: Files, content: bytes = b"hello") -> Draft:
    draft = files.draft()
    draft.write(content)
    draft.sync()
    return draft


def stored(files: Files, expires_at: int | None = None, purpose: str = "batch") -> StoredFile:
    draft = written(files)
    file = StoredFile(draft.id, draft.size, 900, "a.jsonl", purpose, expires_at)
    files.add(file)
    draft.close()
    return file


def test_a_stored_file_can_be_read_by_its_owner_only(files: Files, tmp_path: Path) -> None:
    file = stored(files)
    assert files.get(file.id, NOW, OPEN) == file
    with files.open(file.id) as content:
        assert content.read() == b"hello"
    assert files.path(file.id).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "files").stat().st_mode & 0o777 == 0o700


def test_a_deleted_file_is_gone(files: Files) -> None:
    file = stored(files)
    files.delete(file.id)
    files.delete(file.id)
    with pytest.raises(NotFound, match=file.id):
        files.get(file.id, NOW, OPEN)
    with pytest.raises(NotFound):
        files.open(file.id)


@pytest.mark.parametrize("name", ["file-1", "../../etc/passwd", "", "x" * 1000, "file-\ud800"])
def test_a_name_that_is_none_is_not_found(files: Files, name: str) -> None:
    with pytest.raises(NotFound):
        files.get(name, NOW, OPEN)


def test_a_file_is_kept_until_it_expires(files: Files) -> None:
    file = stored(files, expires_at=1001)
    assert files.all(1000.9, OPEN) == [file]
    assert files.all(1001.0, OPEN) == []
    with pytest.raises(NotFound):
        files.get(file.id, 1001.0, OPEN)


def test_a_dropped_draft_leaves_nothing(files: Files, tmp_path: Path) -> None:
    written(files).drop()
    assert list((tmp_path / "files").iterdir()) == []


def test_a_sweep_takes_what_is_expired_and_what_a_crash_left(files: Files) -> None:
    kept, expired = stored(files), stored(files, expires_at=999)
    crashed = written(files)
    # As the kernel does with a dead process's.
    crashed.close()
    being_written = written(files)
    assert files.sweep(NOW, dict) == 2
    assert files.path(kept.id).exists()
    assert not files.path(expired.id).exists()
    assert not files.path(crashed.id).exists()
    files.add(StoredFile(being_written.id, being_written.size, 900, "b", "batch"))
    being_written.close()
    with files.open(being_written.id) as content:
        assert content.read() == b"hello"
    assert files.sweep(NOW, dict) == 0


def test_a_sweep_leaves_what_a_batch_uses(files: Files) -> None:
    expired_input = stored(files, expires_at=999)
    output, errors = new_name(FILE), new_name(FILE)
    Results("batch_1", files.path(output), files.path(errors)).close()
    assert files.sweep(NOW, lambda: {expired_input.id, output}) == 1
    assert files.path(expired_input.id).exists()
    assert files.path(output).exists()
    assert not files.path(errors).exists()


def test_a_sweep_leaves_results_that_are_being_written(files: Files, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    output, errors = new_name(FILE), new_name(FILE)
    results = Results("batch_1", files.path(output), files.path(errors))
    assert files.sweep(NOW, dict) == 0
    results.close()
    assert files.sweep(NOW, dict) == 2


def test_nothing_but_files_of_ours_is_swept(files: Files, tmp_path: Path) -> None:
    stored(files)
    for name in (".lock", "file-notes.txt", "README"):
        (tmp_path / "files" / name).touch()
    assert files.sweep(NOW, dict) == 0


# Batches.


def test_a_batch_needs_a_file_for_batches(files: Files, database: Database) -> None:
    async def create(file: str) -> str:
        asked = BatchRequest(file, "/v1/embeddings", "24h", 86400, None, None)
        batches = Batches(database.table("batches"), files)
        batch = await batches.create(asked, OPEN)
        assert batches.changed.is_set()
        assert batches.users_of_files()[file] == batch
        assert await batches.get(batch.id, OPEN) == batch
        return batch.id

    asyncio.run(create(stored(files).id))
    with pytest.raises(NotFound) as missing:
        asyncio.run(create(new_name(FILE)))
    assert missing.value.param == "input_file_id"
    with pytest.raises(InvalidArgument, match="purpose 'user_data'") as refused:
        asyncio.run(create(stored(files, purpose="user_data").id))
    assert refused.value.param == "input_file_id"
