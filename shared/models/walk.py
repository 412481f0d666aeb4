"""Finds the GGUF files below a folder and looks at no more than their first bytes."""

from __future__ import annotations

import logging
import os
import re
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .names import shown

log = logging.getLogger(__name__)

# A folder of models is a few levels deep; these stop a mistaken base path such as `/`.
MAX_DEPTH = 12
MAX_FILES = 10_000
# Files of one split model.
MOST_SHARDS = 1000

_HEADER = struct.Struct("<4sI")
# magic, version, tensor count, metadata count
_SMALLEST_FILE = 24
# What projectors have in their names, as llama.cpp's converter and everybody else calls them.
PROJECTOR = re.compile(r"(?:^|[-_.])mmproj(?=[-_.]|$)", re.IGNORECASE)
_SHARD = re.compile(r"(.+)-(\d{5})-of-(\d{5})", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Found:
    """One GGUF file, or one shard of a split model. `reason` is why it cannot be loaded."""

    path: Path
    # Below the models folder, with `/`, without `.gguf` and without a shard's suffix.
    relative: str
    size_bytes: int
    modified_ns: int
    reason: str | None
    shard: int | None = None
    shards: int | None = None

    @property
    def modified(self) -> int:
        """Unix seconds."""
        return self.modified_ns // 10**9

    @property
    def name(self) -> str:
        """The file itself, below the models folder."""
        return self.full_relative + self.path.suffix

    @property
    def full_relative(self) -> str:
        """`relative` with the shard's suffix kept."""
        if self.shard is None:
            return self.relative
        return f"{self.relative}-{self.shard:05d}-of-{self.shards:05d}"


def find(models: Path) -> list[Found]:
    """Every model file below the folder, sorted; an absent folder has none."""
    return [file for file in find_all(models) if is_model_name(file.path.name)]


def find_all(models: Path) -> list[Found]:
    """The same with the projectors, which belong to models."""
    found: list[Found] = []
    for path in _walk(models, 0, set()):
        if len(found) >= MAX_FILES:
            log.warning("%s holds more than %d GGUF files; the rest is ignored", models, MAX_FILES)
            break
        found.append(_look(models, path))
    return sorted(found, key=lambda file: file.full_relative)


def _walk(folder: Path, depth: int, seen: set[tuple[int, int]]) -> Iterator[Path]:
    try:
        facts = folder.stat()
        if (facts.st_dev, facts.st_ino) in seen or depth > MAX_DEPTH:
            return
        # Folders may be links to another disk, and links may go round in a circle.
        seen.add((facts.st_dev, facts.st_ino))
        with os.scandir(folder) as entries:
            names = sorted((entry.name, _is_folder(entry)) for entry in entries)
    except OSError as error:
        if depth or not isinstance(error, FileNotFoundError):
            log.warning("cannot list %s: %s", folder, error.strerror)
        return
    for name, is_folder in names:
        if name.startswith("."):
            continue
        path = folder / name
        if is_folder:
            below = list(_walk(path, depth + 1, seen))
            yield from below
            if below:
                continue
        # An empty folder of a model's name is there in the place of its file.
        if name.lower().endswith(".gguf"):
            yield path


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        # A link that points to itself; its name alone decides what is said about it.
        return False


def is_model_name(name: str) -> bool:
    """A GGUF file by its name, and no projector: that one belongs to a model beside it."""
    return name.lower().endswith(".gguf") and not PROJECTOR.search(name[:-5])


def _look(models: Path, path: Path) -> Found:
    relative = path.relative_to(models).as_posix()[:-5]
    if not relative.isprintable():
        # Such a name cannot go into JSON or a terminal, so neither may the path.
        relative, path = shown(relative), Path(shown(str(path)))
        reason: str | None = "its file name has bytes that are not UTF-8 or control characters"
        return Found(path, relative, 0, 0, reason)
    size, modified, reason = _facts(path)
    folder, slash, name = relative.rpartition("/")
    stem, shard, shards = split_name(name)
    return Found(path, folder + slash + stem, size, modified, reason, shard, shards)


def split_name(stem: str) -> tuple[str, int | None, int | None]:
    """The model's name, and which shard of how many a file is that is named so."""
    split = _SHARD.fullmatch(stem)
    if split is None:
        return stem, None, None
    name, shard, shards = split.groups()
    return name, int(shard), int(shards)


def _facts(path: Path) -> tuple[int, int, str | None]:
    """Size, time of change in ns, and why the file is no usable GGUF file."""
    try:
        facts = path.stat()
        # Opening a pipe of that name would block for ever.
        if not stat.S_ISREG(facts.st_mode):
            kind = "a folder" if stat.S_ISDIR(facts.st_mode) else "not a regular file"
            return 0, facts.st_mtime_ns, f"it is {kind}"
        with path.open("rb") as file:
            head = file.read(_HEADER.size)
    except OSError as error:
        return 0, 0, f"it cannot be read: {error.strerror}"
    return facts.st_size, facts.st_mtime_ns, header_fault(head, facts.st_size)


def header_fault(head: bytes, size: int) -> str | None:
    """Why a file of that size with those first 8 bytes is no usable GGUF file, or None."""
    if not size:
        return "the file is empty"
    if head[:4] != b"GGUF":
        return f"it is not a GGUF file: it starts with {head[:4]!r}"
    if size < _SMALLEST_FILE or len(head) < _HEADER.size:
        return f"the file is cut off: {size} bytes are less than a GGUF header"
    version = _HEADER.unpack(head)[1]
    if version in (2, 3):
        return None
    if int.from_bytes(head[4:], "big") in (2, 3):
        return "it is a GGUF file for big-endian machines"
    return f"GGUF version {version} is not supported; versions 2 and 3 are"
