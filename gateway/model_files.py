"""What the headers of model files say, read once for each state of a file."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path

from kronk.shared.errors import KronkError
from kronk.shared.gguf import Header, other_shards
from kronk.shared.models.headers import Answer, Headers
from kronk.shared.models.index import ModelEntry

from .dialects.ollama.details import Details, details

# Each is three short fields; a models folder may have 10,000 files.
_MOST_REMEMBERED = 10_000


class ModelDetails:
    """The details of models, remembered; for use by several threads."""

    def __init__(self, headers: Headers) -> None:
        self._headers = headers
        self._known: dict[tuple[Path, int, int], Details | None] = {}

    def of(self, entries: Iterable[ModelEntry]) -> list[tuple[ModelEntry, Details | None]]:
        """Each with its details; None when its file is not what its first bytes promise."""
        asked = list(entries)
        known = {entry.id: self._known[_state(entry)] for entry in asked if self._has(entry)}
        new = [entry for entry in asked if entry.id not in known]
        answers = self._headers.read_all(entry.path for entry in new)
        for entry, (_, answer) in zip(new, answers, strict=True):
            known[entry.id] = self._details(entry.path, answer)
            self._keep(entry, known[entry.id])
        return [(entry, known[entry.id]) for entry in asked]

    def _has(self, entry: ModelEntry) -> bool:
        return _state(entry) in self._known

    def _keep(self, entry: ModelEntry, found: Details | None) -> None:
        if len(self._known) >= _MOST_REMEMBERED:
            self._known.clear()
        self._known[_state(entry)] = found

    def _details(self, path: Path, first: Answer) -> Details | None:
        if not isinstance(first, Header):
            return None
        try:
            others = [self._headers.read(other) for other in other_shards(path, first)]
        except KronkError:
            return None
        return details([first, *others])


def _state(entry: ModelEntry) -> tuple[Path, int, int]:
    return entry.path, entry.size_bytes, entry.modified


@functools.lru_cache(8)
def details_with(headers: Headers) -> ModelDetails:
    """The details of those models; one object for the whole process."""
    return ModelDetails(headers)
