"""The measures of models as their files' headers say them. Read in the thread that looks names up.

A file is read again only when its size or its time of change is another.
"""

from __future__ import annotations

from dataclasses import dataclass

from kronk.shared.errors import KronkError
from kronk.shared.sizing.facts import ModelFiles
from kronk.shared.sizing.identity import files_of, identity
from kronk.shared.sizing.look import Read, look
from kronk.shared.wire.loading import LoadSpec

# Models whose measures are kept; read again beyond that.
MOST_MODELS = 1000


@dataclass(frozen=True, slots=True)
class Sized:
    """The measures of a model, and what its files were then."""

    files: ModelFiles
    identity: str


# The files, and whether each of their tensors is known.
_Key = tuple[bool, tuple[str, ...]]


class Sizes:
    """`look` belongs to one thread; `of` may be asked by another at the same time. `read` gives the
    header of a file."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._known: dict[_Key, Sized] = {}

    def look(self, spec: LoadSpec) -> None:
        """Read what is not known yet. What cannot be read has no size, and the worker will say
        what is wrong with it."""
        key = _key(spec)
        try:
            now = identity(files_of(spec))
            known = self._known.get(key)
            if known is not None and known.identity == now:
                return
            found = Sized(look(spec, self._read), now)
        except (KronkError, OSError):
            self._known.pop(key, None)
            return
        if len(self._known) >= MOST_MODELS:
            self._known = {}
        self._known[key] = found

    def of(self, spec: LoadSpec) -> Sized | None:
        """What was read for this load; None where nothing could be."""
        return self._known.get(_key(spec))


def _key(spec: LoadSpec) -> _Key:
    return bool(spec.placement.tensor_places), files_of(spec)
