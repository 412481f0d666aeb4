"""What a file of the models folder should be, by the index or by the catalog."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kronk.shared.errors import KronkError
from kronk.shared.paths import BasePath

from . import catalog


@dataclass(frozen=True, slots=True)
class Known:
    """Of a file that the catalog has."""

    sha256: str | None
    source: str
    licence: str | None


def by_catalog(base: BasePath) -> Mapping[str, Known]:
    """The catalog's files by their paths below the models folder; none where it cannot be read."""
    try:
        entries = catalog.known(base)
    except (KronkError, OSError):
        return {}
    return {
        f"{entry.folder}/{file.name}": Known(file.sha256, str(file.source), entry.licence)
        for entry in entries
        for file in entry.files
    }
