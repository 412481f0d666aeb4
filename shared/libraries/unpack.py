"""Takes the libraries out of an archive, and nothing else.

An archive is a stranger's: no path of it leads anywhere, links lead to files beside them only, and
it is given up when it grows beyond what a build can be.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from kronk.shared.models.fetching import CHUNK, Progress, WrongContent

# CUDA's own libraries are the largest there are, two gigabytes together.
MOST_BYTES = 6 * 2**30
MOST_ENTRIES = 20_000

_LIBRARY = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9_.+-]*\.(?:so(?:\.[0-9]+)*|dylib|dll)")
_LICENCE = re.compile(r"(?i)licen[cs]e[A-Za-z0-9_.+-]*")
_MAIN = re.compile(r"(?:lib)?llama\.(?:so|dylib|dll)")
# Where a build tree or an installation keeps its libraries.
_INSIDE = ("", "lib", "bin", "build/bin", "lib64")


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of an archive, or a link."""

    path: PurePosixPath
    # What a link leads to; None for a file.
    link: str | None
    open: Callable[[], IO[bytes]]


def unpack(archive: Path, into: Path, progress: Progress, *, needs_main: bool = True) -> list[str]:
    """The names of the libraries that are in `into` now. With `needs_main` they are those beside
    libllama; `WrongContent` says what is wrong with the archive."""
    try:
        with _opened(archive) as entries:
            return _take(archive.name, entries, into, progress, needs_main=needs_main)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError) as e:
        raise WrongContent(f"{archive.name}: it is damaged: {e or type(e).__name__}") from e
    except OSError as error:
        if error.errno is not None:
            raise
        # What gzip and lzma say of wrong bytes.
        raise WrongContent(f"{archive.name}: it is damaged: {error}") from error


def gather(folder: Path, into: Path, progress: Progress) -> list[str]:
    """The same from a folder of this machine."""
    for inside in _INSIDE:
        base = folder / inside
        if base.is_dir() and any(_MAIN.fullmatch(name) for name in os.listdir(base)):
            return _take(str(folder), list(_files(base)), into, progress, needs_main=True)
    raise WrongContent(f"{folder}: there is no libllama in it")


def _files(folder: Path) -> Iterator[Entry]:
    for path in sorted(folder.iterdir()):
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            yield Entry(PurePosixPath(path.name), os.readlink(path), partial(_reader, path))
        elif stat.S_ISREG(mode):
            yield Entry(PurePosixPath(path.name), None, partial(_reader, path))


def _reader(path: Path) -> IO[bytes]:
    return path.open("rb")


@contextmanager
def _opened(archive: Path) -> Iterator[list[Entry]]:
    if tarfile.is_tarfile(archive):
        with tarfile.open(archive) as tar:
            yield _of_tar(archive.name, tar)
            # To the end, where the checksum is.
            while tar.fileobj is not None and tar.fileobj.read(CHUNK):
                pass
    elif zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            yield _of_zip(zipped)
    else:
        raise WrongContent(f"{archive.name}: it is neither a tar archive nor a zip")


def _of_tar(name: str, tar: tarfile.TarFile) -> list[Entry]:
    entries = []
    for count, member in enumerate(tar):
        if count >= MOST_ENTRIES:
            raise WrongContent(f"{name}: it has more than {MOST_ENTRIES} entries")
        path = _inside(name, member.name)
        if member.isdir():
            continue
        if not (member.isreg() or member.issym()):
            raise WrongContent(f"{name}: {member.name!r:.200} is neither a file nor a link to one")

        def opened(member: tarfile.TarInfo = member) -> IO[bytes]:
            file = tar.extractfile(member)
            assert file is not None
            return file

        entries.append(Entry(path, member.linkname if member.issym() else None, opened))
    return entries


def _of_zip(zipped: zipfile.ZipFile) -> list[Entry]:
    name = Path(zipped.filename or "archive").name
    infos = zipped.infolist()
    if len(infos) > MOST_ENTRIES:
        raise WrongContent(f"{name}: it has more than {MOST_ENTRIES} entries")
    entries = []
    for info in infos:
        path, mode = _inside(name, info.filename), info.external_attr >> 16
        if info.is_dir():
            continue
        if mode and not (stat.S_ISREG(mode) or stat.S_ISLNK(mode) or not stat.S_IFMT(mode)):
            raise WrongContent(f"{name}: {info.filename!r:.200} is neither a file nor a link")
        link = None
        if stat.S_ISLNK(mode):
            if info.file_size > 255:
                raise WrongContent(f"{name}: {info.filename!r:.200} links to too long a name")
            link = zipped.read(info).decode("utf-8", "replace")

        def opened(info: zipfile.ZipInfo = info) -> IO[bytes]:
            return zipped.open(info)

        entries.append(Entry(path, link, opened))
    return entries


def _inside(archive: str, name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name or ":" in name:
        raise WrongContent(f"{archive}: {name!r:.200} leads out of the archive; nothing was taken")
    return path


def _take(
    name: str, entries: Sequence[Entry], into: Path, progress: Progress, *, needs_main: bool
) -> list[str]:
    chosen = _chosen(name, entries, needs_main=needs_main)
    files = {path: entry for path, entry in chosen.items() if entry.link is None}
    links = {path: entry.link for path, entry in chosen.items() if entry.link is not None}
    done = 0
    for file, entry in files.items():
        done = _write(name, entry, into / file, done, progress)
    for link, target in links.items():
        _check_link(name, link, links, files.keys())
        (into / link).symlink_to(target)
    return sorted(path for path in chosen if _LIBRARY.fullmatch(path))


def _chosen(name: str, entries: Sequence[Entry], *, needs_main: bool) -> dict[str, Entry]:
    mains = {entry.path.parent for entry in entries if _MAIN.fullmatch(entry.path.name)}
    if needs_main and len(mains) != 1:
        raise WrongContent(f"{name}: it has {len(mains) or 'no'} libllama, expected one")
    chosen: dict[str, Entry] = {}
    for entry in entries:
        if needs_main and entry.path.parent not in mains:
            continue
        if not (_LIBRARY.fullmatch(entry.path.name) or _LICENCE.fullmatch(entry.path.name)):
            continue
        if entry.path.name in chosen:
            raise WrongContent(f"{name}: it has {entry.path.name!r} twice")
        chosen[entry.path.name] = entry
    return chosen


def _check_link(name: str, link: str, links: Mapping[str, str], files: Collection[str]) -> None:
    """A link leads, over other links maybe, to a file beside it."""
    seen, at = {link}, links[link]
    while at in links and at not in seen:
        seen.add(at)
        at = links[at]
    if at not in files:
        raise WrongContent(
            f"{name}: {link!r} links to {links[link]!r:.200}, which is no file beside it"
        )


def _write(name: str, entry: Entry, target: Path, done: int, progress: Progress) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with entry.open() as source, os.fdopen(os.open(target, flags, 0o644), "wb") as file:
        while data := source.read(CHUNK):
            done += len(data)
            if done > MOST_BYTES:
                raise WrongContent(f"{name}: what is in it is larger than {MOST_BYTES} bytes")
            file.write(data)
            progress("extract", done, None)
        file.flush()
        os.fsync(file.fileno())
    return done


def delete(folder: Path) -> None:
    """A folder that was being filled, or a build."""
    if folder.exists():
        shutil.rmtree(folder)
