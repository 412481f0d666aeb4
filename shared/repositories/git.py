"""Clones a repository with `git`, which may ask nobody, run nothing of it, and not take long."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from kronk.shared.jobs.kinds import Progress
from kronk.shared.settings import without_secrets
from kronk.shared.units import format_bytes

from .limits import LARGEST_DOWNLOAD, RepositoryFailed, Texts
from .url import RepositoryUrl

_SECONDS = 300.0
_LOOK_EVERY = 0.2
# Of git's own variables, those that say how to reach a host; others could send it elsewhere.
_KEPT = ("GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "GIT_CONFIG_GLOBAL")
_CONFIG = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    # Links are written as files with the target in them.
    "core.symlinks=false",
    "core.autocrlf=false",
    "core.attributesFile=/dev/null",
    "filter.lfs.smudge=",
    "filter.lfs.process=",
    "filter.lfs.required=false",
    "submodule.recurse=false",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=30",
    "gc.auto=0",
)


def is_there() -> bool:
    """Whether this machine has it."""
    return shutil.which("git") is not None


def fetch(where: RepositoryUrl, texts: Texts, into: Path, progress: Progress) -> str | None:
    """Put the files that are wanted into `texts`; the commit they are of. `into` is an empty
    folder, which is filled."""
    clone = into / "clone"
    try:
        _run(_command(where, clone), _environment(where), into, progress)
    except RepositoryFailed as error:
        raise RepositoryFailed(f"{where}: {error.message}") from error
    for path in sorted(clone.rglob("*")):
        name = path.relative_to(clone).as_posix()
        if texts.wants(name) and path.is_file() and not path.is_symlink():
            texts.add(name, path.read_bytes())
    return _commit(clone)


def _command(where: RepositoryUrl, clone: Path) -> list[str]:
    settings = [word for pair in _CONFIG for word in ("-c", pair)]
    branch = ["--branch", where.reference] if where.reference else []
    return [
        *("git", *settings, "clone", "--quiet", "--depth=1", "--single-branch", "--no-tags"),
        *("--template=", *branch, "--", where.url, str(clone)),
    ]


def _environment(where: RepositoryUrl) -> dict[str, str]:
    own = without_secrets(os.environ)
    kept = {name: text for name, text in own.items() if not name.startswith("GIT_")}
    kept |= {name: own[name] for name in _KEPT if name in own}
    return {
        "GIT_SSH_COMMAND": "ssh -o BatchMode=yes",
        **kept,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        "SSH_ASKPASS": "true",
        "SSH_ASKPASS_REQUIRE": "never",
        "GIT_ALLOW_PROTOCOL": where.scheme,
        "GIT_LFS_SKIP_SMUDGE": "1",
        "LC_ALL": "C",
    }


def _run(command: list[str], env: Mapping[str, str], into: Path, progress: Progress) -> None:
    said = into / "said"
    with said.open("wb") as words:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=words,
            env=env,
        )
        try:
            _wait(process, into, progress)
        finally:
            _end(process)
    if process.returncode:
        raise RepositoryFailed(f"git: {_words(said)}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """With what it has started itself, which would go on without it."""
    if process.poll() is None:
        started = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.wait()
        for child in started:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        # None of them writes any more where the caller is about to delete. Where nobody reaps
        # them they stay zombies, which write nothing either.
        psutil.wait_procs(started, timeout=0.5)


def _wait(process: subprocess.Popen[bytes], into: Path, progress: Progress) -> None:
    end = time.monotonic() + _SECONDS
    while True:
        try:
            process.wait(_LOOK_EVERY)
            return
        except subprocess.TimeoutExpired:
            pass
        size = _size(into)
        progress("fetch", size, None)
        if size > LARGEST_DOWNLOAD:
            raise RepositoryFailed(f"has more than {format_bytes(LARGEST_DOWNLOAD)}")
        if time.monotonic() > end:
            raise RepositoryFailed(f"took longer than {_SECONDS:.0f} seconds")


def _size(folder: Path) -> int:
    total = 0
    for at, _, names in os.walk(folder):
        for name in names:
            # Git renames and deletes while we look.
            with contextlib.suppress(OSError):
                total += Path(at, name).lstat().st_size
    return total


def _words(said: Path) -> str:
    """The last that it said, which is why it ended."""
    text = said.read_bytes()[-4096:].decode(errors="replace")
    lines = ["".join(c for c in line if c.isprintable()).strip() for line in text.splitlines()]
    fatal = [line.removeprefix("fatal: ") for line in lines if line.startswith("fatal: ")]
    words = (fatal or [line for line in lines if line])[-2:]
    if any(
        "terminal prompts disabled" in line or "could not read Username" in line for line in lines
    ):
        words.append("no such repository, or it asks for a login that no credential helper knows")
    return "; ".join(words)[:500] or "failed without a word"


def _commit(clone: Path) -> str | None:
    try:
        head = (clone / ".git" / "HEAD").read_text("ascii").strip()
        if head.startswith("ref: "):
            head = (clone / ".git" / head.removeprefix("ref: ")).read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return head if head and all(c in "0123456789abcdef" for c in head) else None
