"""From what a user typed to the files that it means, before anything is fetched."""

from __future__ import annotations

from kronk.shared.settings import Settings

from . import catalog, sources
from .plan import Item, Plan, Role
from .sources import Source


def plan(settings: Settings, wanted: str) -> Plan:
    """The plan for an id of the catalog or a source. May ask the network what a repository has.

    `NotFound` and `InvalidArgument` say what is wrong with it, `FetchFailed` what is wrong on the
    way."""
    if sources.looks_like_source(wanted):
        files = sources.shards(sources.parse(wanted))
        folder = files[0].folder
        return Plan(
            wanted,
            _stem(files[0]),
            tuple(
                Item(one, f"{folder}/{one.file_name}", role=_role(at))
                for at, one in enumerate(files)
            ),
        )
    entry = catalog.find(catalog.known(settings.base), wanted)
    items = tuple(
        Item(file.source, f"{entry.folder}/{file.name}", file.sha256, file.size_bytes, _role(at))
        for at, file in enumerate(entry.files)
    )
    return Plan(wanted, entry.id, items, entry.licence)


def _role(at: int) -> Role:
    return "shard" if at else "model"


def _stem(source: Source) -> str:
    return source.file_name.removesuffix(".gguf")
