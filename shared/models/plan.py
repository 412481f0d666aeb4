"""What fetching a model means: which files, from where, to where, and what is known of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .sources import Source

# `model` is what is loaded, `shard` a further part of it; the others come along with it.
Role = Literal["model", "shard", "projector", "draft"]


@dataclass(frozen=True, slots=True)
class Item:
    """One file to have."""

    source: Source
    # Below the models folder, with `/`.
    relative: str
    # None where the source does not say; what it says while the file is fetched counts then.
    sha256: str | None = None
    size_bytes: int | None = None
    role: Role = "model"


@dataclass(frozen=True, slots=True)
class Plan:
    """A model's files, the one that is loaded first. Equal plans are one job."""

    # As it was asked for: an id of the catalog, or a source.
    wanted: str
    # What the model will be called.
    id: str
    items: tuple[Item, ...]
    licence: str | None = None
    # The commit that a branch of a repository stood for when it was looked up.
    revision: str | None = None
    # `auto` or `manual` where the hub gives it only to those who accepted its terms.
    gated: str | None = None

    @property
    def size_bytes(self) -> int | None:
        """Of all files; None where one's is unknown."""
        sizes = [item.size_bytes for item in self.items]
        return None if None in sizes else sum(size for size in sizes if size is not None)
