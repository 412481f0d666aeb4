"""How much a repository may be: a few hundred small texts, and nothing else of it is read."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kronk.shared.errors import ServerError
from kronk.shared.units import format_bytes

MOST_FILES = 1000
LARGEST_FILE = 4 * 2**20
LARGEST_TOTAL = 32 * 2**20
# What a clone or an archive may take on the way, packed or not.
LARGEST_DOWNLOAD = 128 * 2**20
LARGEST_UNPACKED = 512 * 2**20
MOST_MEMBERS = 50_000

_PART = re.compile(r"[A-Za-z0-9_+@(),= -][A-Za-z0-9_.+@(),= -]{0,199}")


class RepositoryFailed(ServerError):
    """The repository could not be had; what was there before is there still."""

    code = "fetch_failed"
    status = 502


class Texts:
    """The files that are wanted of a repository, within the limits."""

    def __init__(self, where: str, suffixes: Sequence[str]) -> None:
        self.files: dict[str, bytes] = {}
        self._where = where
        self._suffixes = tuple(suffixes)
        self._total = 0

    def wants(self, name: str) -> bool:
        """Whether a file of that name is one of them; hidden files and folders are not."""
        parts = name.split("/")
        return name.lower().endswith(self._suffixes) and all(_PART.fullmatch(p) for p in parts)

    def add(self, name: str, data: bytes) -> None:
        """`RepositoryFailed` where it is too much."""
        self._total += len(data)
        if len(data) > LARGEST_FILE:
            raise RepositoryFailed(
                f"{self._where}: {name} is larger than {format_bytes(LARGEST_FILE)}"
            )
        if len(self.files) >= MOST_FILES or self._total > LARGEST_TOTAL:
            raise RepositoryFailed(
                f"{self._where}: has more than {MOST_FILES} files or "
                f"{format_bytes(LARGEST_TOTAL)} of them"
            )
        self.files[name] = data
