"""The catalog as JSON, as the API and `--json` tell it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .catalog_entry import CatalogEntry, CatalogFile

# What an entry says that came with Kronk.
SHIPPED = "kronk"


def usable(models: Iterable[Mapping[str, Any]]) -> set[str]:
    """Of models on the disk, told as `/v1/kronk/models` tells them: the names of those that can be
    loaded, by id and by the last part of it, which is a path where two folders have the same
    name."""
    ids = {str(model["id"]) for model in models if model["validated"]}
    return ids | {name.rpartition("/")[2] for name in ids}


def row(entry: CatalogEntry, pulled: bool) -> dict[str, Any]:
    """One entry; sizes are bytes, and null where nobody knows them."""
    return {
        "id": entry.id,
        "category": entry.category,
        "endpoint": entry.endpoint,
        "pulled": pulled,
        "size_bytes": entry.about_bytes,
        "size_is_exact": entry.size_bytes is not None,
        "capabilities": list(entry.capabilities),
        "licence": entry.licence,
        "gated": entry.gated,
        "description": entry.description,
        "parameters": entry.parameters,
        "quantisation": entry.quantisation,
        "context": entry.context,
        "web_page": entry.web_page,
        "origin": entry.origin or SHIPPED,
        "folder": entry.folder,
        "files": [_file(file) for file in entry.files],
        "config": dict(entry.config),
    }


def _file(file: CatalogFile) -> dict[str, Any]:
    return {
        "source": str(file.source),
        "role": file.role,
        "sha256": file.sha256,
        "size_bytes": file.size_bytes or file.about_bytes,
        "size_is_exact": file.size_bytes is not None,
    }
