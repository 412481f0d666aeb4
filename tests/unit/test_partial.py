"""Partial files: what is there counts only if it is right, whatever a crash left behind."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.pulling import without_sync
from kronk.shared.models import partial as partial_file
from kronk.shared.models.fetching import FetchFailed, NoRoom
from kronk.shared.models.partial import Partial

DATA = hashlib.shake_256(b"data").digest(10_000)
BLOCK = 1000


@pytest.fixture(autouse=True, scope="module")
def small_blocks() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partial_file, "BLOCK", BLOCK)
        without_sync(patch)
        yield


@pytest.fixture
def partial(tmp_path: Path) -> Partial:
    return Partial(tmp_path / "m.part")


def quiet(phase: str, done: int, total: int | None) -> None:
    """Nobody looks."""


def there(partial: Partial, identity: str = "x") -> int:
    """How much is right; the bytes and the digest agree with it."""
    with partial.opened(identity, quiet) as writer:
        assert partial.path.read_bytes() == DATA[: writer.done]
        assert writer.sha256.hexdigest() == hashlib.sha256(DATA[: writer.done]).hexdigest()
        return writer.done


def write(partial: Partial, data: bytes) -> None:
    with partial.opened("x", quiet) as writer:
        writer.restart(None, len(DATA))
        writer.append(data)


def test_what_was_written_is_there_to_the_last_byte(partial: Partial) -> None:
    write(partial, DATA[:4321])
    assert there(partial) == 4321


def test_a_kill_costs_a_block_at_most(partial: Partial) -> None:
    with partial.opened("x", quiet) as writer:
        writer.restart(None, None)
        writer.append(DATA[:4321])
        # As it is on the disk now.
        files = {path.name: path.read_bytes() for path in partial.path.parent.iterdir()}
    for name, content in files.items():
        (partial.path.parent / name).write_bytes(content)
    assert len(files["m.part"]) == 4321
    assert there(partial) == 4000


@pytest.mark.parametrize(("at", "kept"), [(0, 0), (999, 0), (1000, 1000), (3500, 3000)])
def test_a_flipped_byte_cuts_off_its_block_and_what_follows(
    partial: Partial, at: int, kept: int
) -> None:
    write(partial, DATA[:4321])
    flip(partial.path, at)
    assert there(partial) == kept
    # And the digests before it still hold after more was added.
    with partial.opened("x", quiet) as writer:
        writer.append(DATA[kept:])
    assert there(partial) == len(DATA)


def test_bytes_of_another_file_are_forgotten(partial: Partial) -> None:
    write(partial, DATA)
    assert there(partial, "y") == 0


def test_what_is_checked_is_told(partial: Partial) -> None:
    write(partial, DATA[:2500])
    told: list[tuple[str, int, int | None]] = []
    with partial.opened("x", lambda *step: told.append(step)):
        pass
    assert told == [("verify", 1000, 2500), ("verify", 2000, 2500), ("verify", 2500, 2500)]


def test_a_complete_file_is_known_until_it_changes(partial: Partial) -> None:
    assert partial.complete() is None
    write(partial, DATA)
    assert partial.complete() is None
    partial.mark_complete("digest")
    assert partial.complete() == "digest"
    os.utime(partial.path, ns=(1, 1))
    assert partial.complete() is None
    assert there(partial) == len(DATA)


@pytest.mark.parametrize("edge", [0, 1, 999, 1000, 1500, 4000])
def test_a_disk_that_gets_full_keeps_what_came(
    partial: Partial, monkeypatch: pytest.MonkeyPatch, edge: int
) -> None:
    real = os.pwrite

    def write_until_full(handle: int, data: memoryview, at: int) -> int:
        if at >= edge:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(handle, data[: edge - at], at)

    with monkeypatch.context() as full, pytest.raises(NoRoom, match="what came is kept"):
        full.setattr(partial_file.os, "pwrite", write_until_full)
        with partial.opened("x", quiet) as writer:
            writer.restart(None, None)
            for at in range(0, len(DATA), 250):
                writer.append(DATA[at : at + 250])
    assert there(partial) == edge // 250 * 250


def test_a_disk_that_takes_no_sync_says_so(
    partial: Partial, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(handle: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with partial.opened("x", quiet) as writer:
        writer.restart(None, None)
        writer.append(DATA[:1500])
    with monkeypatch.context() as broken, pytest.raises(FetchFailed, match="Input/output error"):
        broken.setattr(partial_file.os, "fsync", fail)
        with partial.opened("x", quiet) as writer:
            writer.append(DATA[1500:])
    assert there(partial) == 1500


def test_a_link_in_its_place_is_not_written_through(partial: Partial, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"mine")
    partial.path.symlink_to(other)
    with pytest.raises(FetchFailed), partial.opened("x", quiet):
        pass
    assert other.read_bytes() == b"mine"


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    if content:
        content[at % len(content)] ^= 0x04
    path.write_bytes(content)


def hole(path: Path, at: int) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:at] + bytes(len(content[at : at + 700])) + content[at + 700 :])


def cut(path: Path, at: int) -> None:
    path.write_bytes(path.read_bytes()[:at])


def add(path: Path, at: int) -> None:
    path.write_bytes(path.read_bytes() + DATA[at:])


def remove(path: Path, at: int) -> None:
    path.unlink(missing_ok=True)


DAMAGE: list[Callable[[Path, int], None]] = [flip, hole, cut, add, remove]


@settings(max_examples=50, deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.integers(1, 5000),
            st.sampled_from(["m.part", "m.journal"]),
            st.sampled_from(DAMAGE),
            st.integers(0, len(DATA)),
        ),
        max_size=6,
    )
)
def test_whatever_is_damaged_only_right_bytes_count(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[int, str, Callable[[Path, int], None], int]],
) -> None:
    folder = tmp_path_factory.mktemp("partial")
    partial = Partial(folder / "m.part")
    for more, name, damage, at in steps:
        with partial.opened("x", quiet) as writer:
            writer.append(DATA[writer.done : writer.done + more])
        if (folder / name).exists():
            damage(folder / name, at)
        there(partial)
    with partial.opened("x", quiet) as writer:
        writer.append(DATA[writer.done :])
    assert there(partial) == len(DATA)
