"""A build is fetched, checked, tried in a child process, and only then there; with real libraries
where the point is that they load."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fakes.hub import FileServer, Served, serving
from harness import own_builds
from kronk.shared.errors import Conflict, InvalidArgument, KronkError, ModelFailed, NotFound
from kronk.shared.libraries import builds, install, listing, proof, selection
from kronk.shared.libraries.install import order_of, removed
from kronk.shared.models.fetching import WrongContent
from kronk.shared.models.patience import Patience
from kronk.shared.settings import Settings, resolve
from kronk.shared.trial import Ended

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="the archives are named for this machine"
)
needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc makes the wrong builds")
IMPATIENT = Patience(pause=lambda seconds: None, chance=lambda: 0.0)
WORKS = Ended(0, "", "", {"ok": True, "commit": "0c1e570", "devices": [{"name": "CPU"}]})


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The binding's own libraries, as a release of llama.cpp."""
    folder = tmp_path_factory.mktemp("release")
    packed = own_builds.packed(own_builds.copy(folder / "bin"), folder / "a.tar.gz")
    return packed.read_bytes()


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving() as server:
        yield server


@pytest.fixture
def settings(tmp_path: Path, server: FileServer) -> Settings:
    return resolve(
        {"base_path": str(tmp_path / "base"), "lib_releases": f"{server.url}/releases"}, {}
    )


@pytest.fixture
def untried(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Nothing is executed; the folders that would have been tried."""
    tried: list[Path] = []

    def attempt(folder: Path) -> Ended:
        tried.append(folder)
        return WORKS

    monkeypatch.setattr(proof, "try_build", attempt)
    return tried


def quiet(phase: str, done: int, total: int | None) -> None:
    """Nobody watches."""


def run(settings: Settings, **params: Any) -> dict[str, Any]:
    order = order_of(settings, {"processor": "cpu"} | params)
    build, shown = install.install(settings, order, quiet, IMPATIENT)
    return {"build": build, "proof": shown}


def left(settings: Settings) -> list[str]:
    """What is below the libraries folder and is no download or lock."""
    root = settings.libraries
    return sorted(
        str(path.relative_to(root)) for path in root.rglob("*") if not path.name.startswith(".")
    )


def test_a_release_is_installed_proven_used_and_removed(
    settings: Settings, server: FileServer, archive: bytes
) -> None:
    own_builds.released(server, archive)
    phases: list[str] = []
    done = install.run(
        settings, {"processor": "cpu"}, lambda phase, done, total: phases.append(phase)
    )
    folder = settings.libraries / "linux/amd64/cpu/b11312"
    assert done == {
        "processor": "cpu",
        "version": "b11312",
        "path": str(folder),
        "proven": True,
        "devices": [],
    }
    assert list(dict.fromkeys(phases)) == ["download", "extract"]
    assert os.readlink(folder / "libllama.so") == "libllama.so.0"
    note = json.loads((folder / "build.json").read_text())
    assert note["sha256"] == hashlib.sha256(archive).hexdigest()
    # What was tried is that copy, in the sandbox, and it said what it is.
    record = proof.recorded(folder)
    assert record is not None and record.facts["commit"].startswith("0c1e570")

    assert selection.spec_for(settings, None).folder == str(folder)
    assert selection.spec_for(settings, "bundled").folder is None
    other = selection.spec_for(settings, "cuda")
    assert other.name == "b11312 cpu"
    assert "no cuda build is installed" in (other.reason or "")
    shown = listing.describe(settings)
    assert (shown["used"], shown["reason"]) == ("b11312 cpu", None)
    assert [(row["version"], row["works"], row["used"]) for row in shown["data"]] == [
        ("b11312", True, True)
    ]

    assert removed(settings, "cpu", "b11312")["deleted"] is True
    assert left(settings) == ["linux", "linux/amd64", "linux/amd64/cpu"]
    assert selection.spec_for(settings, "cpu").folder is None
    with pytest.raises(NotFound, match=r"there: none"):
        removed(settings, "cpu", "b11312")


@needs_gcc
@pytest.mark.parametrize(
    ("make", "words"),
    [
        # Another llama.cpp: a function is missing.
        (
            lambda at: own_builds.compiled(
                at, "int llama_max_devices(void) { return 1; }", beside_real=False
            ),
            r"undefined symbol: \w+",
        ),
        # The same functions, and a structure that has grown.
        (
            lambda at: own_builds.compiled(
                at,
                """typedef struct { char bytes[168]; } params;
                params llama_context_default_params(void) { params p = {{0}}; return p; }""",
                beside_real=True,
            ),
            "llama_context_default_params: the structure has 168 bytes, expected 160",
        ),
    ],
    ids=["function", "structure"],
)
def test_another_abi_is_refused_and_the_right_version_named(
    settings: Settings, tmp_path: Path, make: Callable[[Path], Path], words: str
) -> None:
    folder = make(tmp_path / "own")
    with pytest.raises(ModelFailed, match=words) as caught:
        run(settings, source=str(folder))
    assert "the right one is release b11312 of llama.cpp" in caught.value.message
    assert left(settings) == []


def test_a_build_that_ends_its_process_is_refused(settings: Settings, tmp_path: Path) -> None:
    folder = own_builds.copy(tmp_path / "own")
    os.truncate(folder / "libllama.so.0", 100_000)
    with pytest.raises(ModelFailed, match="it does not decode here: killed by SIGBUS"):
        run(settings, source=str(folder))
    assert left(settings) == []


def test_a_download_that_broke_off_is_gone_on_from(
    settings: Settings, server: FileServer, archive: bytes, untried: list[Path]
) -> None:
    served = own_builds.released(server, archive)
    served.cuts = deque([1_000_000])
    run(settings)
    path = next(name for name, one in server.files.items() if one is served)
    assert server.ranges(path) == [None, "bytes=1000000-"]
    assert len(untried) == 1
    # It is there: neither fetched nor tried again.
    run(settings)
    assert len(server.ranges(path)) == 2
    assert len(untried) == 1
    assert not list((settings.libraries / ".downloads").glob("*.part"))


def test_wrong_bytes_are_deleted(settings: Settings, server: FileServer, archive: bytes) -> None:
    served = own_builds.released(server, archive)
    served.always_flipped = 5000
    with pytest.raises(KronkError, match="sha256"):
        run(settings)
    assert left(settings) == []
    assert not list((settings.libraries / ".downloads").glob("*.part"))


@pytest.mark.parametrize("kind", ["file", "url"])
def test_an_archive_of_ones_own_is_what_its_digest_says(
    settings: Settings,
    server: FileServer,
    archive: bytes,
    tmp_path: Path,
    untried: list[Path],
    kind: str,
) -> None:
    name = "llama-b11000-bin-mine.tar.gz"
    server.files[f"/{name}"] = Served(archive)
    (tmp_path / name).write_bytes(archive)
    source = str(tmp_path / name) if kind == "file" else f"{server.url}/{name}"
    with pytest.raises(WrongContent, match="sha256"):
        run(settings, source=source, sha256="0" * 64)
    right = hashlib.sha256(archive).hexdigest()
    found = run(settings, source=source, sha256=right.upper())
    assert found["build"].version == "b11000"
    assert found["build"].note()["sha256"] == right


def test_an_upgrade_removes_the_others_once_it_works(
    settings: Settings, server: FileServer, archive: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = WORKS
    monkeypatch.setattr(proof, "try_build", lambda folder: outcome)
    for version in ("b11312", "b11400"):
        own_builds.released(server, archive, version)
    run(settings)
    outcome = Ended(-4, "", "")
    with pytest.raises(ModelFailed, match="killed by SIGILL"):
        run(settings, version="b11400", replace=True)
    assert [one.version for one in builds.installed(settings.libraries)] == ["b11312"]
    outcome = WORKS
    # By the name that it has, not by `latest`.
    assert run(settings, version="latest", replace=True)["build"].version == "b11400"
    assert [one.version for one in builds.installed(settings.libraries)] == ["b11400"]


def test_without_allow_upgrade_a_processor_keeps_its_build(
    settings: Settings, server: FileServer, archive: bytes, untried: list[Path]
) -> None:
    for version in ("b11312", "b11400"):
        own_builds.released(server, archive, version)
    run(settings, allow_upgrade=False)
    for version in ("b11400", "latest"):
        with pytest.raises(Conflict, match="the cpu build b11312 is installed"):
            run(settings, version=version, allow_upgrade=False)
    run(settings, allow_upgrade=False)
    assert run(settings, version="b11400")["build"].version == "b11400"
    assert len(builds.installed(settings.libraries)) == 2


def test_for_another_machine_it_is_installed_and_never_executed(
    settings: Settings, archive: bytes, tmp_path: Path, untried: list[Path]
) -> None:
    (tmp_path / "a.tar.gz").write_bytes(archive)
    flags = {"base_path": str(settings.base_path), "arch": "arm64"}
    elsewhere = resolve(flags, {})
    found = run(elsewhere, source=str(tmp_path / "a.tar.gz"), version="mine")
    assert found["proof"] is None
    assert found["build"].folder == settings.libraries / "linux/arm64/cpu/mine"
    assert selection.spec_for(settings, "cpu").folder is None
    assert untried == []


@pytest.mark.parametrize(("name", "value"), [("arch", "arm64"), ("os", "darwin")])
def test_a_job_names_another_machine_for_itself(settings: Settings, name: str, value: str) -> None:
    there = install.elsewhere(settings, {name: value, "processor": "cpu"})
    assert getattr(there, name) == value and getattr(settings, name) is None
    assert install.elsewhere(settings, {}) == settings
    with pytest.raises(InvalidArgument) as caught:
        install.check(settings, {name: "vax"})
    assert caught.value.param == name


def test_what_a_killed_installation_has_left_is_swept(
    settings: Settings, server: FileServer, archive: bytes, untried: list[Path]
) -> None:
    stale = settings.libraries / ".staging-abc"
    stale.mkdir(parents=True)
    (stale / "libllama.so").write_bytes(b"half")
    own_builds.released(server, archive)
    run(settings)
    assert not stale.exists()


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"processor": "gpu"}, "processor: expected one of cpu, cuda"),
        ({"version": "../x"}, "lib_version: expected a release"),
        ({"source": "/x", "version": "../x"}, "lib_version: expected a name"),
        ({"source": "/nowhere/x.tar.gz"}, "--from: expected a URL"),
        ({"source": "http://mirror.example/x.tar.gz"}, "--from: expected an https"),
        ({"source": "ftp://mirror.example/x.tar.gz"}, "--from: expected an https"),
        ({"source": "/", "sha256": "abc"}, "sha256: expected 64"),
        ({"source": "/", "sha256": "0" * 64}, "sha256: a folder has none"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    settings: Settings, params: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidArgument, match=words):
        run(settings, **params)
    assert left(settings) == []


def tried(folder: Path, ended: Ended = WORKS) -> proof.Proof:
    return proof.prove(folder, lambda path: ended)


def test_a_proof_holds_until_something_it_depends_on_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "build"
    folder.mkdir()
    library = folder / "libllama.so"
    library.write_bytes(b"llama")
    assert proof.recorded(folder) is None
    assert tried(folder) == proof.recorded(folder)
    # A note is no library.
    builds.write_note(folder, {"source": "x"})
    assert proof.recorded(folder) is not None

    library.write_bytes(b"LLAMA")
    os.utime(library, ns=(1, 1))
    assert proof.recorded(folder) is None
    tried(folder)
    monkeypatch.setattr(proof, "binding", lambda: "0.4.0")
    assert proof.recorded(folder) is None
    tried(folder)
    (folder / "proof.json").write_text('{"ok": true}')
    assert proof.recorded(folder) is None


def test_a_failure_is_remembered_too(tmp_path: Path) -> None:
    bad = Ended(1, "", "", {"ok": False, "stage": "load", "error": "GLIBC_2.38 not found"})
    shown = tried(tmp_path, bad)
    assert (shown.ok, shown.reason) == (False, "it does not load: GLIBC_2.38 not found")
    assert proof.proven(tmp_path, lambda path: WORKS) == shown


def test_a_build_for_a_gpu_that_finds_none_is_not_used(
    settings: Settings, archive: bytes, tmp_path: Path, untried: list[Path]
) -> None:
    (tmp_path / "a.tar.gz").write_bytes(archive)
    build = run(settings, processor="vulkan", source=str(tmp_path / "a.tar.gz"))["build"]
    assert selection.fault(build) == "it finds no GPU here"
    tried(build.folder, Ended(0, "", "", {"ok": True, "devices": [{"name": "V0", "gpu": True}]}))
    assert selection.fault(build) is None
