"""The journal beside a partial file: which of its bytes were surely on the disk, block by block.

A checksum and JSON on each line: what file it is the start of, then the blocks, then that it is
complete. A line is written after its block's fsync, so a crash can only lose lines and leave half
of the last. Damage to a line makes its block, and what follows, be fetched again.
"""

from __future__ import annotations

import dataclasses
import json
import os
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kronk.shared.files import write_atomically


@dataclass(frozen=True, slots=True)
class Block:
    """Up to `end` the file was on the disk, and this was the digest of all of it up to there."""

    end: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Complete:
    """The file was whole and right when it had this size and time of change."""

    sha256: str
    size_bytes: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class Notes:
    """What a journal says."""

    # Whose start the bytes are: a digest, else where they come from.
    identity: str
    # What `If-Range` accepts; None where the server gave none.
    version: str | None = None
    # Of the whole file, as the server said.
    total: int | None = None
    blocks: tuple[Block, ...] = ()
    complete: Complete | None = None


class Journal:
    """The file itself, under the lock of its partial."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Notes | None:
        """Up to the first line that is damaged; None where not even the first is usable."""
        try:
            lines = self.path.read_bytes().split(b"\n")[:-1]
        except OSError:
            return None
        notes = _first(_object(lines[0])) if lines else None
        return notes and _followed(notes, map(_object, lines[1:]))

    def write(self, notes: Notes) -> None:
        """Replace what is there."""
        head = {"identity": notes.identity, "version": notes.version, "total": notes.total}
        blocks = [_line(_fields(block)) for block in notes.blocks]
        write_atomically(self.path, b"".join([_line(head), *blocks]))

    def add(self, entry: Block | Complete) -> None:
        """One more line. Without fsync: a line that is lost costs only its block."""
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        try:
            os.write(handle, _line(_fields(entry)))
        finally:
            os.close(handle)

    def forget(self) -> None:
        self.path.unlink(missing_ok=True)


def _fields(entry: Block | Complete) -> dict[str, Any]:
    return dataclasses.asdict(entry)


def _line(fields: dict[str, Any]) -> bytes:
    text = json.dumps(fields).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _object(line: bytes) -> dict[str, Any]:
    check, _, text = line.partition(b" ")
    if check != b"%08x" % zlib.crc32(text):
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _first(fields: dict[str, Any]) -> Notes | None:
    match fields:
        case {"identity": str(identity), "version": str() | None, "total": int() | None}:
            return Notes(identity, fields["version"], fields["total"])
        case _:
            return None


def _followed(notes: Notes, lines: Iterable[dict[str, Any]]) -> Notes:
    """With what the other lines say, up to the first that makes no sense there."""
    blocks: list[Block] = []
    complete = None
    for fields in lines:
        end = blocks[-1].end if blocks else 0
        match fields:
            case {"end": int(at), "sha256": str(sha256)} if at > end and complete is None:
                blocks.append(Block(at, sha256))
            case {"sha256": str(sha256), "size_bytes": int(size), "modified_ns": int(modified)}:
                complete = Complete(sha256, size, modified)
            case _:
                break
    return replace(notes, blocks=tuple(blocks), complete=complete)
