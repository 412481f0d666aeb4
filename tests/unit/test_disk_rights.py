"""Files that this user may not read are said to be so, and end nothing."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kronk.gateway import mending
from kronk.shared import worker_hosts
from kronk.shared.database import Database
from kronk.shared.errors import InvalidArgument, ServerError
from kronk.shared.models import facts, indexing
from kronk.shared.models.header_cache import HeaderCache, key_of
from kronk.shared.models.listing import listing
from kronk.shared.paths import BasePath
from kronk.supervisor import keeper
from kronk.supervisor.boot import CannotStart, Census, Lock

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
NOBODY = 65534


@contextmanager
def as_nobody() -> Iterator[None]:
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def base(tmp_path: Path) -> BasePath:
    """Folders that anybody may write, and files that only root may read."""
    # Those of pytest's own; what they are in is everybody's.
    shared = Path(tempfile.gettempdir())
    for folder in (tmp_path, *(path for path in tmp_path.parents if shared in path.parents)):
        folder.chmod(0o755)
    base = BasePath(tmp_path / "base")
    names = {
        "models/Locked.gguf": b"GGUF\x03\0\0\0" + bytes(16),
        "models/.index.yaml": b"files: {}\n",
        "models/.index.lock": b"",
        "db/load-times.json": b"{}",
        "run/kronk.pid": b"",
        "run/children.json": b"[]",
        "keys/workers.key": b"x" * 40,
        "workers.yaml": b"workers: {}\n",
    }
    for name, data in names.items():
        path = base.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(0)
    for folder in (base.root, *(path for path in base.root.rglob("*") if path.is_dir())):
        folder.chmod(0o777)
    return base


def test_a_model_that_cannot_be_read_is_listed_with_the_reason(base: BasePath) -> None:
    with as_nobody():
        [entry] = listing(base, {})
    assert (entry.validated, entry.reason) == (False, "it cannot be read: Permission denied")


def test_an_index_that_cannot_be_read_is_said(base: BasePath) -> None:
    with as_nobody():
        rows, problem = facts.look(base.models)
        # Its lock is not ours either: nothing is written, and that is an error that is told.
        with pytest.raises(OSError, match="Permission denied"):
            indexing.refresh(base)
    assert rows == {}
    assert "cannot be read and is ignored: Permission denied" in str(problem)


def test_an_index_is_made_anew_where_only_it_is_unreadable(base: BasePath) -> None:
    (base.models / ".index.lock").chmod(0o666)
    with as_nobody():
        indexing.refresh(base)
        assert facts.look(base.models) == ({}, None)


def test_caches_and_measurements_are_gone_without_a_word_too_many(base: BasePath) -> None:
    base.headers.mkdir(parents=True)
    base.headers.chmod(0)
    key = key_of(base.models / "Locked.gguf")
    assert key is not None
    with as_nobody():
        assert keeper.read(base.load_times) == b""
        assert Census(base).sweep() == []
        cache = HeaderCache(base.headers)
        cache.keep(key, InvalidArgument("a.gguf: broken"))
        assert cache.verdict(key) == (False, None)


@pytest.mark.parametrize(
    ("use", "kind", "words"),
    [
        (lambda base: Lock(base.pid_file), CannotStart, "kronk.pid: permission denied"),
        (worker_hosts.server_secret, InvalidArgument, "workers.key cannot be read"),
        (worker_hosts.load, InvalidArgument, "workers.yaml"),
    ],
)
def test_what_cannot_be_done_without_is_named(
    base: BasePath, use: Callable[[BasePath], object], kind: type[Exception], words: str
) -> None:
    with as_nobody(), pytest.raises(kind, match=words):
        use(base)


def test_a_database_of_somebody_else_is_no_broken_one(base: BasePath) -> None:
    Database(base.db).close()
    (base.db / "data.mdb").chmod(0o600)
    with as_nobody():
        mending.mend(base.db, base.files)
        with pytest.raises(ServerError, match="Permission denied"):
            Database(base.db)
    assert not list(base.root.glob("*.broken-*"))
