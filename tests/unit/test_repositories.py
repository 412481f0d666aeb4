"""Fetching a small repository: with git, as an archive, as one file; and what must not be."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from harness.file_server import FileServer, answer, moved
from kronk.cli.catalog_update import WHEN
from kronk.shared.jobs.kinds import Cancelled
from kronk.shared.repositories import folder, git, limits, web
from kronk.shared.repositories.fetch import Fetched, fetch
from kronk.shared.repositories.limits import RepositoryFailed, Texts
from kronk.shared.repositories.url import parse
from kronk.shared.settings import resolve

YAML = (".yaml", ".yml")


def got(url: str, scratch: Path) -> Fetched:
    scratch.mkdir(exist_ok=True)
    return fetch(parse(url), YAML, scratch, lambda *_: None)


# Where it may be


@pytest.mark.parametrize(
    ("text", "kind", "reference"),
    [
        ("https://github.com/me/catalog", "git", None),
        ("https://github.com/me/catalog.git#v1.2", "git", "v1.2"),
        ("https://host:8443/x/c.tar.gz", "archive", None),
        ("https://host/x/C.ZIP", "archive", None),
        ("https://host/x/c.yaml", "file", None),
        ("http://127.0.0.1:8000/c.yaml", "file", None),
        ("http://[::1]:8000/c.tgz", "archive", None),
        ("ssh://git@host:22/me/c.git", "git", None),
        ("git@github.com:me/catalog.git#main", "git", "main"),
        ("file:///srv/catalog.git", "git", None),
    ],
)
def test_a_url_says_how_it_is_fetched(text: str, kind: str, reference: str | None) -> None:
    found = parse(text)
    assert (found.kind, found.reference, str(found)) == (kind, reference, text)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "expected https://"),
        ("catalog", "expected https://"),
        ("--upload-pack=/bin/sh", "expected https://"),
        ("ext::sh -c id", "expected https://"),
        ("ext::https://host/x", "expected https://"),
        ("-x@host:path", "expected https://"),
        ("git@-oProxyCommand=id:path", "expected https://"),
        ("git@host:-path", "expected https://"),
        ("git@host::path", "expected https://"),
        ("ssh://-oProxyCommand=id/x", "expected a URL with a host"),
        ("ssh://-l@host/x", "none of ssh's options"),
        ("http://example.org/x", "use https"),
        ("https://me:secret@host/x", "without a user name"),
        ("https://token@host/x", "without a user name"),
        ("https://host/x.zip?key=1", "without a query"),
        ("https:///x", "expected a URL with a host"),
        ("https://host:port/x", "Port could not be cast"),
        ("https://host/a b", "expected https://"),
        ("https://host/\n", "expected https://"),
        ("file://host/path", "expected file:///"),
        ("git://host/path", "expected https://"),
        ("https://host/x#--upload-pack", "name of a branch"),
        ("https://host/x#a..b", "name of a branch"),
        ("https://host/x.zip#main", "only a git repository"),
    ],
)
def test_what_is_no_place_to_fetch_from_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse(text)


# With git

needs_git = pytest.mark.skipif(not git.is_there(), reason="needs git")


def run(*command: str, at: Path) -> str:
    identity = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    for role in ("AUTHOR", "COMMITTER"):
        identity |= {f"GIT_{role}_NAME": "t", f"GIT_{role}_EMAIL": "t@example.org"}
    done = subprocess.run(
        command, cwd=at, env=os.environ | identity, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bare one with a branch and a tag; links, hidden files and a hook in it too."""
    work = tmp_path_factory.mktemp("work")
    run("git", "init", "-q", "-b", "main", at=work)
    (work / "catalogs").mkdir()
    (work / "catalogs" / "a.yaml").write_text("models: []\n")
    (work / "README.md").write_text("words\n")
    (work / ".github").mkdir()
    (work / ".github" / "ci.yaml").write_text("on: push\n")
    os.symlink("/etc/passwd", work / "link.yaml")
    (work / ".gitattributes").write_text("*.yaml filter=evil\n")
    run("git", "add", "-A", at=work)
    run("git", "commit", "-qm", "one", at=work)
    run("git", "branch", "other", at=work)
    (work / "catalogs" / "b.yaml").write_text("models: [b]\n")
    run("git", "add", "-A", at=work)
    run("git", "commit", "-qm", "two", at=work)
    bare = tmp_path_factory.mktemp("bare") / "c.git"
    run("git", "clone", "-q", "--bare", str(work), str(bare), at=work)
    return bare


@needs_git
def test_git_brings_the_texts_and_the_commit(repository: Path, tmp_path: Path) -> None:
    found = got(f"file://{repository}", tmp_path / "s")
    assert found.files.pop("link.yaml") == b"/etc/passwd", "a link is a text, and not followed"
    assert found.files == {"catalogs/a.yaml": b"models: []\n", "catalogs/b.yaml": b"models: [b]\n"}
    assert found.revision == run("git", "rev-parse", "main", at=repository)


@needs_git
def test_a_branch_can_be_named(repository: Path, tmp_path: Path) -> None:
    found = got(f"file://{repository}#other", tmp_path / "s")
    assert "catalogs/b.yaml" not in found.files
    assert found.revision == run("git", "rev-parse", "other", at=repository)
    with pytest.raises(RepositoryFailed, match="Remote branch nope not found"):
        got(f"file://{repository}#nope", tmp_path / "t")


@needs_git
def test_what_is_no_repository_is_told_in_gits_words(tmp_path: Path) -> None:
    with pytest.raises(
        RepositoryFailed, match=r"nothing: git: .*does not exist|nothing: git: .*not appear"
    ):
        got(f"file://{tmp_path}/nothing", tmp_path / "s")


@needs_git
def test_git_asks_nobody_and_knows_no_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that stands for git tells what it was given."""
    tool = tmp_path / "bin" / "git"
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\nenv > {tmp_path}/env\necho "$@" > {tmp_path}/arguments\nexit 3\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("KRONK_HF_TOKEN", "hf_secret")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("GIT_DIR", "/elsewhere")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    with pytest.raises(RepositoryFailed, match="failed without a word"):
        got("https://example.org/x", tmp_path / "s")
    env = (tmp_path / "env").read_text()
    assert "hf_secret" not in env and "GIT_DIR" not in env and "GIT_CONFIG_COUNT" not in env
    assert "GIT_TERMINAL_PROMPT=0" in env and "GIT_ALLOW_PROTOCOL=https\n" in env
    arguments = (tmp_path / "arguments").read_text()
    assert "core.hooksPath=/dev/null" in arguments
    assert arguments.rstrip().endswith(f"-- https://example.org/x {tmp_path}/s/clone")


@needs_git
def test_a_repository_that_is_too_much_is_given_up_and_git_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "bin" / "git"
    tool.parent.mkdir()
    tool.write_text(f"#!/bin/sh\nhead -c 5000 /dev/zero > {tmp_path}/s/pack\nsleep 60 & wait\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(git, "LARGEST_DOWNLOAD", 4096)
    with pytest.raises(RepositoryFailed, match=r"has more than 4\.0 KiB"):
        got("https://example.org/x", tmp_path / "s")


@needs_git
def test_a_cancelled_job_leaves_no_git_and_no_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "bin" / "git"
    tool.parent.mkdir()
    tool.write_text(f"#!/bin/sh\nsleep 60 &\necho $$ $! > {tmp_path}/pids\nwait\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    asked = iter([None])

    def cancelling(phase: str, done: int, total: int | None) -> None:
        # Once before git is there; then, when it is.
        if next(asked, Cancelled) is Cancelled and (tmp_path / "pids").exists():
            raise Cancelled

    with pytest.raises(Cancelled), folder.changing(tmp_path / "catalog") as change:
        fetch(parse("https://example.org/x"), YAML, change.scratch, cancelling)
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert len(pids) == 2
    assert not any(psutil.pid_exists(pid) and _is_alive(pid) for pid in pids)
    assert os.listdir(tmp_path / "catalog") == [".lock"]


def _is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_without_git_githubs_own_archive_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git, "is_there", lambda: False)
    asked = []
    monkeypatch.setattr(web, "fetch", lambda where, *_: asked.append(where))
    for url in ("https://github.com/me/catalog.git", "https://github.com/me/catalog#v2"):
        got(url, tmp_path)
    assert [(one.url, one.kind) for one in asked] == [
        ("https://codeload.github.com/me/catalog/tar.gz/HEAD", "archive"),
        ("https://codeload.github.com/me/catalog/tar.gz/v2", "archive"),
    ]
    with pytest.raises(RepositoryFailed, match="no git; install it"):
        got("https://example.org/me/catalog", tmp_path)


# Archives and files


@pytest.fixture
def server() -> Iterator[FileServer]:
    with FileServer() as running:
        yield running


def tarred(*members: tuple[tarfile.TarInfo | str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name) if isinstance(name, str) else name
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def test_an_archive_loses_the_folder_that_all_of_it_is_in(
    server: FileServer, tmp_path: Path
) -> None:
    body = tarred(("c-1/catalogs/a.yaml", b"A"), ("c-1/b.yml", b"B"), ("c-1/.ci/x.yaml", b"X"))
    server.answers["/c.tar.gz"] = answer(body, 'ETag: "v7"')
    server.answers["/c.zip"] = answer(zipped(**{"c-1/a.yaml": b"A", "c-1/x.py": b"X"}))
    found = got(f"{server.url}/c.tar.gz", tmp_path / "s")
    assert (found.files, found.revision) == ({"catalogs/a.yaml": b"A", "b.yml": b"B"}, "v7")
    found = got(f"{server.url}/c.zip", tmp_path / "t")
    assert (found.files, found.revision) == ({"a.yaml": b"A"}, None)


def test_links_and_devices_of_an_archive_are_nothing(server: FileServer, tmp_path: Path) -> None:
    body = tarred(
        (special("c/s.yaml", tarfile.SYMTYPE, "/etc/passwd"), b""),
        (special("c/h.yaml", tarfile.LNKTYPE, "/etc/passwd"), b""),
        (special("c/f.yaml", tarfile.FIFOTYPE), b""),
        (special("c/d.yaml", tarfile.DIRTYPE), b""),
        ("c/a.yaml", b"A"),
    )
    link = zipfile.ZipInfo("c/s.yaml")
    link.external_attr = 0o120777 << 16
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(link, "/etc/passwd")
        archive.writestr("c/a.yaml", b"A")
    server.answers |= {"/c.tgz": answer(body), "/c.zip": answer(out.getvalue())}
    for name in ("c.tgz", "c.zip"):
        assert got(f"{server.url}/{name}", tmp_path / name).files == {"a.yaml": b"A"}


@pytest.mark.parametrize("name", ["../x.yaml", "c/../../x.yaml", "/etc/x.yaml", "c\\..\\x.yaml"])
def test_a_file_that_leads_outside_is_refused(
    server: FileServer, tmp_path: Path, name: str
) -> None:
    server.answers |= {
        "/c.tgz": answer(tarred((name, b"x"))),
        "/c.zip": answer(zipped(**{name.replace("\\", "/"): b"x"})),
    }
    for archive in ("c.tgz", "c.zip"):
        if archive == "c.zip" and "\\" in name:
            continue
        with pytest.raises(RepositoryFailed, match="which leads outside"):
            got(f"{server.url}/{archive}", tmp_path / archive)


@pytest.mark.parametrize("name", ["c.tgz", "c.zip"])
@pytest.mark.parametrize("body", [b"", b"nothing of the kind", b"\x1f\x8b\x08\0broken"])
def test_what_is_no_archive_is_told(
    server: FileServer, tmp_path: Path, name: str, body: bytes
) -> None:
    server.answers[f"/{name}"] = answer(body)
    with pytest.raises(RepositoryFailed, match="not an archive that can be read"):
        got(f"{server.url}/{name}", tmp_path / "s")


def test_bombs_are_given_up(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zeros = bytes(3 * 2**20)
    server.answers |= {
        "/c.tgz": answer(tarred(("c/skipped.bin", zeros), ("c/a.yaml", b"A"))),
        "/c.zip": answer(zipped(**{"c/a.yaml": bytes(limits.LARGEST_FILE + 1)})),
        "/many.zip": answer(zipped(**{f"c/{n}.yaml": b"" for n in range(12)})),
    }
    monkeypatch.setattr(web, "LARGEST_UNPACKED", 2**20)
    monkeypatch.setattr(web, "MOST_MEMBERS", 10)
    for name, complaint in {
        "c.tgz": "holds more than",
        "c.zip": "is larger than",
        "many.zip": "more than 10 files",
    }.items():
        with pytest.raises(RepositoryFailed, match=complaint):
            got(f"{server.url}/{name}", tmp_path / name)


def test_a_download_that_is_too_much_is_given_up(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answers |= {"/c.yaml": answer(b"x" * (limits.LARGEST_FILE + 1))}
    with pytest.raises(RepositoryFailed, match="is larger than"):
        got(f"{server.url}/c.yaml", tmp_path / "s")
    monkeypatch.setattr(web, "LARGEST_DOWNLOAD", 10)
    server.answers |= {"/c.zip": answer(zipped(**{"c/a.yaml": b"A" * 100}))}
    with pytest.raises(RepositoryFailed, match="is larger than"):
        got(f"{server.url}/c.zip", tmp_path / "t")


def test_one_file_is_a_repository_too(server: FileServer, tmp_path: Path) -> None:
    server.answers["/x/c.yaml"] = answer(b"models: []")
    assert got(f"{server.url}/x/c.yaml", tmp_path / "s").files == {"c.yaml": b"models: []"}


def test_a_redirect_is_followed_but_not_to_where_nothing_is_encrypted(
    server: FileServer, tmp_path: Path
) -> None:
    server.answers |= {
        "/a.yaml": moved("/b.yaml?key=1"),
        "/b.yaml?key=1": answer(b"here"),
        "/c.yaml": moved("http://example.org/c.yaml"),
        "/d.yaml": moved("file:///etc/passwd"),
    }
    assert got(f"{server.url}/a.yaml", tmp_path / "s").files == {"a.yaml": b"here"}
    for name in ("c.yaml", "d.yaml"):
        with pytest.raises(RepositoryFailed):
            got(f"{server.url}/{name}", tmp_path / name)


def test_what_the_server_refuses_is_told(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(RepositoryFailed, match="the server answered 404 Not Found"):
        got(f"{server.url}/c.yaml", tmp_path / "s")
    with pytest.raises(RepositoryFailed, match=r"127\.0\.0\.1:9/c\.yaml: "):
        got("http://127.0.0.1:9/c.yaml", tmp_path / "t")


@pytest.mark.parametrize("name", ["a.yaml", "x/y-1/b.YML", "sp ace/c (1).yaml", "+x/d,e=f@g.yaml"])
def test_files_of_usual_names_are_wanted(name: str) -> None:
    assert Texts("here", YAML).wants(name)


@pytest.mark.parametrize(
    "name", ["a.txt", ".a.yaml", "x/.y/a.yaml", "a\nb.yaml", "", "/a.yaml", "x//a.yaml", "a.yaml/"]
)
def test_files_of_other_names_are_not(name: str) -> None:
    assert not Texts("here", YAML).wants(name)


def test_too_many_texts_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LARGEST_TOTAL", 10)
    texts = Texts("here", YAML)
    texts.add("a.yaml", b"123456")
    with pytest.raises(RepositoryFailed, match="here: has more than"):
        texts.add("b.yaml", b"123456")


# The command


def kronk(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "kronk.cli.main", *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


MODEL = """\
models:
  - id: theirs-Q8_0
    category: Embedding
    endpoint: embeddings
    licence: MIT
    description: One of theirs.
    files: [{source: hf:o/r/theirs-Q8_0.gguf}]
"""


def test_the_command_fetches_lists_and_shows(server: FileServer, tmp_path: Path) -> None:
    server.answers["/c.yaml"] = answer(MODEL.encode())
    where = {
        "KRONK_BASE_PATH": str(tmp_path / "base"),
        "KRONK_CATALOG_GITHUB_REPO": f"{server.url}/c.yaml",
    }
    done = kronk("catalog", "update", "--local", **where)
    assert (done.returncode, done.stdout) == (0, f"1 model of {server.url}/c.yaml\n{WHEN}\n"), (
        done.stderr
    )
    listed = kronk("catalog", "list", "--local", "--filter-category=embed", "--wide", **where)
    lines = listed.stdout.splitlines()
    assert lines[0].split() == [
        *("CATALOG", "MODEL", "ID", "PULLED", "ENDPOINT", "SIZE", "CAPABILITIES", "LICENCE")
    ]
    assert any(line.split()[:2] == ["Embedding", "theirs-Q8_0"] for line in lines)
    shown = kronk("catalog", "show", "theirs-q8_0", "--local", **where)
    assert f"{server.url}/c.yaml: c.yaml" in shown.stdout and "One of theirs." in shown.stdout
    # What is wrong changes nothing.
    server.answers["/c.yaml"] = answer(MODEL.replace("MIT", "[MIT]").encode())
    done = kronk("catalog", "update", "--local", **where)
    assert done.returncode == 2
    assert "c.yaml: models[0] (theirs-Q8_0).licence: expected a line of text" in done.stderr
    assert "theirs-Q8_0" in kronk("catalog", "list", "--local", **where).stdout
    (tmp_path / "base" / "catalog" / "bad.yaml").write_text("models: [")
    listed = kronk("catalog", "list", "--local", "--json", **where)
    assert listed.returncode == 0 and listed.stdout.startswith("[{")
    assert listed.stderr.startswith("warning: catalog ") and "bad.yaml: not YAML" in listed.stderr


def test_without_a_repository_the_command_says_what_to_set(tmp_path: Path) -> None:
    done = kronk("catalog", "update", "--local", KRONK_BASE_PATH=str(tmp_path))
    assert done.returncode == 2 and "KRONK_CATALOG_GITHUB_REPO" in done.stderr


def test_the_settings_reach_processes_that_are_started() -> None:
    chosen = resolve({}, {"KRONK_CATALOG_GITHUB_REPO": "git@host:me/c.git#v1"})
    assert str(chosen.catalog_github_repo) == "git@host:me/c.git#v1"
