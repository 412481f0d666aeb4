"""The measures of models as their files' headers say them. Read in the thread that looks names up.

A file is read again only when its size or its time of change is another.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from kronk.shared.errors import KronkError
from kronk.shared.sizing.facts import ModelFiles
from kronk.shared.sizing.look import Read, look
from kronk.shared.wire.loading import LoadSpec

# Models whose measures are kept; read again beyond that.
MOST_MODELS = 1000


@dataclass(frozen=True, slots=True)
class Sized:
    """The measures of a model, and what its files were then."""

    files: ModelFiles
    identity: str


class Sizes:
    """`look` belongs to one thread; `of` may be asked by another at the same time. `read` gives the
    header of a file."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._known: dict[tuple[str, ...], Sized] = {}

    def look(self, spec: LoadSpec) -> None:
        """Read what is not known yet. What cannot be read has no size, and the worker will say
        what is wrong with it."""
        names = _files(spec)
        try:
            identity = _identity(names)
            known = self._known.get(names)
            if known is not None and known.identity == identity:
                return
            found = Sized(look(spec, self._read), identity)
        except (KronkError, OSError):
            self._known.pop(names, None)
            return
        if len(self._known) >= MOST_MODELS:
            self._known = {}
        self._known[names] = found

    def of(self, spec: LoadSpec) -> Sized | None:
        """What was read for this load; None where nothing could be."""
        return self._known.get(_files(spec))


def _files(spec: LoadSpec) -> tuple[str, ...]:
    """Those a load reads; an empty name for one that it has not."""
    beside = (spec.speculation.draft_path or "", spec.projector or "")
    return (spec.path, *beside, *(one.path for one in spec.adapters))


def _identity(names: tuple[str, ...]) -> str:
    digest = hashlib.sha256()
    for name in names:
        if name:
            facts = Path(name).stat()
            digest.update(f"{name}\0{facts.st_size}\0{facts.st_mtime_ns}\0".encode())
    return digest.hexdigest()[:24]
