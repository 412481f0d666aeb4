"""What servers of a base path measured, for those who only read it."""

from __future__ import annotations

from pathlib import Path

from kronk.shared.wire.loading import LoadSpec

from .identity import load_of
from .learned import Learned
from .promise import Bytes
from .trial import Expect


def learned(path: Path) -> Learned:
    """The book in that file; what is not there or damaged is left out."""
    found = Learned()
    try:
        text = path.read_bytes()
    except OSError:
        return found
    found.read(text)
    return found


def expectation(book: Learned, files: str) -> Expect:
    """What loads of these files are expected to take; `files` is their identity."""

    def expect(spec: LoadSpec, predicted: Bytes) -> Bytes:
        return book.expect(load_of(files, spec), predicted)

    return expect


def measured(book: Learned, files: str, spec: LoadSpec) -> Bytes | None:
    """What exactly this load took the last time; None where it never ran here."""
    return book.taken(load_of(files, spec))
