"""Bytes of a file elsewhere, whatever brings them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol


class Beyond(Exception):
    """The file ends before the first byte that was asked for. `total` is its size, if said."""

    def __init__(self, total: int | None) -> None:
        super().__init__("the partial download does not fit the file any more")
        self.total = total


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    # Where in the file the first byte belongs: as asked, or 0 when all of it comes.
    start: int
    # Of the whole file.
    total: int | None
    # Which of the file's bytes is the first that this answer does not bring.
    end: int | None
    # What `If-Range` accepts: a strong ETag, else the date of change.
    version: str | None
    chunks: Iterator[bytes]


class Remote(Protocol):
    """A file that can be read from any byte on."""

    def opened(
        self, start: int, version: str | None = None, end: int | None = None
    ) -> AbstractContextManager[Answer]:
        """Its bytes from `start` on, before `end`; all of it if it is another `version`.

        Opening and reading raise `Again` and httpx's `TransportError` for what may pass, `Beyond`,
        and `KronkError`s for what will not."""
