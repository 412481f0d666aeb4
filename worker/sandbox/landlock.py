"""Landlock's rights over files, as numbers, and which of them a kernel knows.

Rights a layer handles are refused wherever no grant of that layer gives them. Layers only ever
take away: a thread has what all its layers grant. What was open before stays open.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntFlag
from pathlib import Path

# The newest version of the interface whose rights are listed here; newer kernels know them too.
KNOWN_ABI = 7


class Right(IntFlag):
    """linux/landlock.h, LANDLOCK_ACCESS_FS_*."""

    EXECUTE = 1 << 0
    WRITE_FILE = 1 << 1
    READ_FILE = 1 << 2
    READ_DIR = 1 << 3
    REMOVE_DIR = 1 << 4
    REMOVE_FILE = 1 << 5
    MAKE_CHAR = 1 << 6
    MAKE_DIR = 1 << 7
    MAKE_REG = 1 << 8
    MAKE_SOCK = 1 << 9
    MAKE_FIFO = 1 << 10
    MAKE_BLOCK = 1 << 11
    MAKE_SYM = 1 << 12
    REFER = 1 << 13
    TRUNCATE = 1 << 14
    IOCTL_DEV = 1 << 15


READ = Right.READ_FILE | Right.READ_DIR
# A folder of files that come, change their names and go.
KEEP = (
    READ
    | Right.WRITE_FILE
    | Right.REMOVE_DIR
    | Right.REMOVE_FILE
    | Right.MAKE_DIR
    | Right.MAKE_REG
    | Right.REFER
    | Right.TRUNCATE
)
# A device's node, or a folder of them.
DEVICE = READ | Right.WRITE_FILE | Right.IOCTL_DEV
# The kernel refuses a grant over one file that speaks of folders.
_OF_FILES = Right.EXECUTE | Right.WRITE_FILE | Right.READ_FILE | Right.TRUNCATE | Right.IOCTL_DEV
_SINCE = ((2, Right.REFER), (3, Right.TRUNCATE), (5, Right.IOCTL_DEV))


@dataclass(frozen=True, slots=True)
class Grant:
    """These rights over this file, or over all that is below this folder."""

    path: Path
    rights: Right


Layer = tuple[Grant, ...]


def handled(abi: int) -> Right:
    """All rights that a kernel of this version can refuse."""
    missing = (right for since, right in _SINCE if abi < since)
    rights = Right((1 << 16) - 1)
    for right in missing:
        rights &= ~right
    return rights


def usable(grant: Grant, abi: int, *, is_folder: bool) -> Right:
    """What of a grant this kernel takes, for a path of that kind."""
    rights = grant.rights & handled(abi)
    return rights if is_folder else rights & _OF_FILES


def reading(paths: Iterable[Path]) -> Layer:
    """Read all of these."""
    return tuple(Grant(path, READ) for path in paths)
