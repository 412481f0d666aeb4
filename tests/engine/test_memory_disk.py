"""A sequence that was saved to disk goes on in another process's context as one computed anew."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from harness import random_gguf
from harness.memory_lab import MORE, Lab, distance, load, text
from harness.random_gguf import KINDS, Kind
from kronk.worker.cache.disk import DiskStore
from kronk.worker.cache.fingerprint import Dependencies, fingerprint
from kronk.worker.cache.match import Source, Tokens, choose_source

LENGTH = 300
PATIENCE = 60.0
MANY = 10**9
OpenDisk = Callable[..., DiskStore]


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


@pytest.fixture(scope="module")
def path(kind: Kind, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("random") / "model.gguf"
    random_gguf.write(path, kind)
    return path


@pytest.fixture
def open_one(path: Path, tmp_path: Path) -> Iterator[OpenDisk]:
    base = Dependencies(path, "f16", "f16", "enabled", True, 1, {}, (), None, "template")
    opened = []

    def start(**changes: object) -> DiskStore:
        of = fingerprint(dataclasses.replace(base, **changes))
        store = DiskStore(tmp_path / "cache", of, MANY)
        store.open()
        opened.append(store)
        return store

    yield start
    for store in opened:
        store.close(PATIENCE)


@pytest.fixture
def make_lab(kind: Kind, path: Path) -> Iterator[Callable[[], Lab]]:
    made: list[Lab] = []

    def make() -> Lab:
        made.append(Lab(load(path), kind))
        return made[-1]

    yield make
    for lab in made:
        lab.close()


def as_tokens(values: list[int]) -> Tokens:
    return np.array(values, np.int32)


def test_what_is_on_disk_goes_on_in_a_context_of_another_process(
    kind: Kind, make_lab: Callable[[], Lab], open_one: OpenDisk
) -> None:
    lab, disk = make_lab(), open_one()
    first = text(lab.model, LENGTH, 1)
    lab.anew(0, first)
    state = lab.memory.save(0)
    assert state is not None
    assert disk.put(as_tokens(first), state)
    assert disk.close(PATIENCE) == 0

    # The next life: its own weights, context and list of files.
    later, disk = make_lab(), open_one()
    prompt = first + text(later.model, MORE, 2)
    match = choose_source(as_tokens(prompt), disk.candidates(), 100)
    assert match.candidate is not None
    assert (match.candidate.source, match.length) == (Source.DISK, LENGTH)
    restored = disk.load(match.candidate.key)
    assert restored is not None
    assert later.memory.restore(1, restored)
    assert later.memory.trim(1, match.length)
    found = later.decode(1, prompt[LENGTH:])
    assert distance(found, lab.anew(1, prompt, cuts=(LENGTH,))) <= lab.noise(prompt)


def test_what_a_state_depends_on_keeps_it_from_others(
    make_lab: Callable[[], Lab], open_one: OpenDisk
) -> None:
    lab, disk = make_lab(), open_one()
    first = text(lab.model, LENGTH, 1)
    lab.anew(0, first)
    state = lab.memory.save(0)
    assert state is not None
    assert disk.put(as_tokens(first), state)
    assert disk.flush(PATIENCE)
    assert list(open_one(cache_type_k="q8_0").candidates()) == []
    assert list(open_one(template="another").candidates()) == []
    assert len(list(open_one().candidates())) == 1
