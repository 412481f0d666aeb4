"""States on disk: whole or absent, whatever happens to the files and to the processes."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kronk.worker.cache import disk
from kronk.worker.cache.disk import PENDING_LIMIT, DiskStore
from kronk.worker.cache.match import Source, Tokens
from kronk.worker.cache.memory import State

ONE, TWO = "01" * 16, "02" * 16
PATIENCE = 60.0
MANY = 10**9


def tokens(*values: int) -> Tokens:
    return np.array(values, np.int32)


def state(of: Tokens, floor: int = 0, size: int = 1000) -> State:
    """Bytes that only these tokens have."""
    dice = np.random.default_rng(list(of))
    return State(dice.integers(0, 256, size).astype(np.uint8), of.size, floor)


A, B, C = tokens(1, 2, 3), tokens(1, 9, 9, 9), tokens(5)
OpenStore = Callable[..., DiskStore]


@pytest.fixture
def open_store(tmp_path: Path) -> Iterator[OpenStore]:
    opened: list[DiskStore] = []

    def start(fingerprint: str = ONE, capacity: int = MANY) -> DiskStore:
        store = DiskStore(tmp_path / "cache", fingerprint, capacity)
        store.open()
        opened.append(store)
        return store

    yield start
    for store in opened:
        store.close(PATIENCE)


def write(store: DiskStore, *all_of_them: Tokens, floor: int = 0) -> None:
    for of in all_of_them:
        assert store.put(of, state(of, floor))
        assert store.flush(PATIENCE)


def held(store: DiskStore) -> dict[tuple[int, ...], int]:
    """Keys of what a store offers, by tokens."""
    return {tuple(map(int, one.tokens)): one.key for one in store.candidates()}


def load(store: DiskStore, of: Tokens) -> State | None:
    return store.load(held(store)[tuple(map(int, of))])


def assert_same(found: State | None, expected: State) -> None:
    assert found is not None
    assert (found.length, found.floor) == (expected.length, expected.floor)
    assert found.data.tobytes() == expected.data.tobytes()


def files(base: Path) -> list[Path]:
    return sorted(path for path in base.rglob("*") if path.is_file())


def test_a_state_comes_back_as_it_was_after_a_restart(open_store: OpenStore) -> None:
    first = open_store()
    write(first, A, B, floor=2)
    assert_same(load(first, A), state(A, floor=2))
    first.close(PATIENCE)
    second = open_store()
    assert set(held(second)) == {(1, 2, 3), (1, 9, 9, 9)}
    assert {(one.source, one.floor) for one in second.candidates()} == {(Source.DISK, 2)}
    assert_same(load(second, A), state(A, floor=2))
    assert_same(load(second, B), state(B, floor=2))


def test_another_fingerprint_sees_nothing(open_store: OpenStore) -> None:
    write(open_store(ONE), A)
    assert held(open_store(TWO)) == {}


def test_files_are_their_owners_alone(open_store: OpenStore, tmp_path: Path) -> None:
    write(open_store(), A)
    (file,) = files(tmp_path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.parent.parent.stat().st_mode) == 0o700


def test_a_longer_state_replaces_its_prefixes(open_store: OpenStore, tmp_path: Path) -> None:
    store = open_store()
    write(store, tokens(1, 2), A)
    assert set(held(store)) == {(1, 2, 3)}
    assert len(files(tmp_path)) == 1
    assert not store.put(tokens(1), state(tokens(1))), "covered"
    write(store, tokens(1, 2, 3, 4), floor=4)
    assert set(held(store)) == {(1, 2, 3), (1, 2, 3, 4)}


def damage(change: Callable[[bytearray], object]) -> Callable[[Path], object]:
    def apply(path: Path) -> None:
        data = bytearray(path.read_bytes())
        change(data)
        path.write_bytes(data)

    return apply


# What happens to a file, and whether its head shows it.
ACCIDENTS = [
    pytest.param(damage(lambda data: data.clear()), True, id="empty"),
    pytest.param(damage(lambda data: data.__delitem__(slice(20, None))), True, id="in its head"),
    pytest.param(damage(lambda data: data.__delitem__(slice(90, None))), True, id="in its tokens"),
    pytest.param(damage(lambda data: data.pop()), True, id="its last byte"),
    pytest.param(damage(lambda data: data.append(0)), True, id="a byte more"),
    pytest.param(damage(lambda data: data.__setitem__(0, 0)), True, id="the magic"),
    pytest.param(damage(lambda data: data.__setitem__(8, 99)), True, id="another version"),
    pytest.param(damage(lambda data: data.__setitem__(15, 255)), True, id="a huge token count"),
    pytest.param(damage(lambda data: data.__setitem__(80, 77)), True, id="a token"),
    pytest.param(damage(lambda data: data.__setitem__(-1, data[-1] ^ 1)), False, id="a bit"),
    pytest.param(lambda path: path.rename(path.with_stem("0" * 40)), True, id="another name"),
]


@pytest.mark.parametrize(("accident", "shows"), ACCIDENTS)
def test_a_damaged_file_is_removed_and_counted(
    open_store: OpenStore, tmp_path: Path, accident: Callable[[Path], object], shows: bool
) -> None:
    first = open_store()
    write(first, A, B)
    first.close(PATIENCE)
    accident(next(path for path in files(tmp_path) if path.name == disk._name(A)))
    store = open_store()
    assert (tuple(A) in held(store)) is not shows
    if not shows:
        assert load(store, A) is None
        assert store.load(0) is None or store.load(1) is None
    assert store.stats().damaged == 1
    assert set(held(store)) == {(1, 9, 9, 9)}
    assert [path.name for path in files(tmp_path)] == [disk._name(B)]
    assert_same(load(store, B), state(B))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(data=st.data())
def test_no_changed_byte_is_ever_taken_for_a_state(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "cache" / ONE / disk._name(A)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not (source := tmp_path / "whole").exists():
        store = DiskStore(tmp_path / "cache", ONE, MANY)
        store.open()
        write(store, A)
        store.close(PATIENCE)
        source.write_bytes(path.read_bytes())
    content = bytearray(source.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    store = DiskStore(tmp_path / "cache", ONE, MANY)
    store.open()
    assert all(store.load(key) is None for key in held(store).values())
    store.close(PATIENCE)


def test_a_file_of_another_model_is_removed(open_store: OpenStore, tmp_path: Path) -> None:
    other = open_store(TWO)
    write(other, A)
    target = tmp_path / "cache" / ONE
    target.mkdir()
    (tmp_path / "cache" / TWO / disk._name(A)).rename(target / disk._name(A))
    store = open_store(ONE)
    assert held(store) == {}
    assert store.stats().damaged == 1
    assert files(tmp_path) == []
    assert load(other, A) is None, "gone, and nobody minds"


def test_two_processes_on_one_folder_do_not_break_each_other(
    open_store: OpenStore, tmp_path: Path
) -> None:
    mine, yours = open_store(), open_store()
    write(mine, A, B)
    write(yours, A)
    assert_same(load(mine, A), state(A))
    assert_same(load(yours, A), state(A))
    # Mine makes room; yours finds its file gone.
    mine.capacity = 1300
    write(mine, C)
    assert load(yours, A) is None
    assert held(yours) == {}
    write(yours, A)
    assert_same(load(yours, A), state(A))
    assert mine.stats().damaged == yours.stats().damaged == 0


def test_the_cap_holds_for_all_fingerprints_and_the_least_recently_used_goes(
    open_store: OpenStore, tmp_path: Path
) -> None:
    old = open_store(TWO, capacity=3500)
    write(old, A)
    store = open_store(ONE, capacity=3500)
    write(store, A, B)
    first = tmp_path / "cache" / TWO / disk._name(A)
    for age, path in enumerate([first, *files(tmp_path / "cache" / ONE)]):
        os.utime(path, (1000 + age, 1000 + age))
    assert_same(load(store, A), state(A))
    write(store, C)
    assert not first.parent.exists(), "the oldest, and its folder"
    assert set(held(store)) == {tuple(A), tuple(B), tuple(C)}
    write(store, tokens(7))
    assert set(held(store)) == {tuple(A), tuple(C), (7,)}, "use keeps"
    assert store.stats().evicted == 2
    assert sum(path.stat().st_size for path in files(tmp_path)) <= 3500


def test_a_cap_that_became_smaller_holds_from_the_start(open_store: OpenStore) -> None:
    first = open_store()
    write(first, A, B, C)
    first.close(PATIENCE)
    assert len(held(open_store(capacity=1500))) == 1


def test_a_state_larger_than_the_cap_is_not_written(open_store: OpenStore) -> None:
    store = open_store(capacity=999)
    assert not store.put(A, state(A))
    assert store.stats().pending == 0


class Gate:
    """Writing stops here until it is opened."""

    def __init__(self) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate, whole = Gate(), disk._write_whole

    def wait(path: Path, head: bytes, of: State) -> None:
        gate.reached.set()
        assert gate.opened.wait(PATIENCE)
        whole(path, head, of)

    monkeypatch.setattr(disk, "_write_whole", wait)
    yield gate
    gate.opened.set()


def test_a_full_queue_drops_its_oldest(open_store: OpenStore, gate: Gate) -> None:
    store = open_store()
    assert store.put(tokens(0), state(tokens(0)))
    assert gate.reached.wait(PATIENCE)
    for value in range(1, PENDING_LIMIT + 3):
        assert store.put(tokens(value), state(tokens(value)))
    assert store.stats().pending == PENDING_LIMIT + 1
    assert not store.put(tokens(0), state(tokens(0))), "it is being written"
    assert not store.put(tokens(5), state(tokens(5))), "it waits already"
    gate.opened.set()
    assert store.flush(PATIENCE)
    assert set(held(store)) == {(0,), *((value,) for value in range(3, PENDING_LIMIT + 3))}
    stats = store.stats()
    assert (stats.dropped, stats.written, stats.pending) == (2, PENDING_LIMIT + 1, 0)


def test_closing_writes_what_is_pending_while_there_is_time(
    open_store: OpenStore, gate: Gate
) -> None:
    store = open_store()
    store.put(A, state(A))
    store.put(B, state(B))
    assert gate.reached.wait(PATIENCE)
    assert store.close(0.0) == 2
    gate.opened.set()
    patient = open_store(TWO)
    patient.put(A, state(A))
    assert patient.close(PATIENCE) == 0
    assert len(held(open_store(TWO))) == 1


def test_a_disk_that_cannot_be_written_costs_only_the_cache(
    open_store: OpenStore, tmp_path: Path
) -> None:
    store = open_store()
    folder = tmp_path / "cache" / ONE
    folder.rmdir()
    folder.write_text("in the way")
    assert store.put(A, state(A))
    assert store.flush(PATIENCE)
    assert (store.stats().failed, store.stats().written) == (1, 0)
    folder.unlink()
    write(store, A)
    assert_same(load(store, A), state(A))


def test_what_a_crash_left_half_written_is_removed_when_it_is_old(
    open_store: OpenStore, tmp_path: Path
) -> None:
    folder = tmp_path / "cache" / ONE
    folder.mkdir(parents=True)
    old, new = folder / ".old.tmp", folder / ".new.tmp"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (1000, 1000))
    open_store()
    assert files(tmp_path) == [new], "another process may be at it"


WRITER = """
import sys
from pathlib import Path
import numpy as np
from kronk.worker.cache.disk import DiskStore
from kronk.worker.cache.memory import State

store = DiskStore(Path(sys.argv[1]), sys.argv[2], 10**9)
store.open()
for number in range(10**6):
    tokens = np.array([number, 1], np.int32)
    store.put(tokens, State(np.full(300_000, number % 256, np.uint8), 2, 0))
    store.flush(60)
    print(number, flush=True)
"""


def test_a_killed_process_leaves_whole_files_only(open_store: OpenStore, tmp_path: Path) -> None:
    for written in (1, 4, 9):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "cache"), ONE],
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            for _ in range(written):
                process.stdout.readline()
            process.send_signal(signal.SIGKILL)
        store = open_store()
        found = held(store)
        assert len(found) >= written
        for (number, _), key in found.items():
            loaded = store.load(key)
            assert loaded is not None
            assert set(loaded.data) == {number % 256}
        assert store.stats().damaged == 0


def test_an_entry_that_is_of_no_use_is_dropped_with_its_file(
    open_store: OpenStore, tmp_path: Path
) -> None:
    store = open_store()
    write(store, A, B)
    store.drop(held(store)[tuple(map(int, A))])
    assert list(held(store)) == [tuple(map(int, B))]
    assert len(files(tmp_path)) == 1
    assert store.stats().damaged == 1
    # It may be gone by now.
    store.drop(10**6)
