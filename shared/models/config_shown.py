"""What the settings of models come to, for `kronk config show` and the API."""

from __future__ import annotations

from typing import Any

from kronk.shared.model_config import Configs, Effective
from kronk.shared.paths import BasePath

from . import index
from .details import key_values
from .index import ModelEntry
from .listing import listing


def shown(base: BasePath, configs: Configs, name: str | None = None) -> list[dict[str, Any]]:
    """JSON: each model that is on disk or in the file, or the one of that name, with its settings
    and their origins. `NotFound` for a name that means none."""
    known = listing(base, configs)
    if name is not None and name not in configs:
        known = [index.locate(known, name)]
    rows = {entry.id: _row(entry.id, index.effective_of(entry, configs), entry) for entry in known}
    absent = [model for model in index.unused(known, configs) if name in (None, model)]
    rows |= {model: _row(model, configs.effective([model], ""), None) for model in absent}
    if name is not None and name in configs:
        by_name = {other: entry.id for entry in known for other in index.names_of(entry)}
        wanted = by_name.get(name, name)
        rows = {wanted: rows[wanted]}
    return [rows[model] for model in sorted(rows)]


def _row(model: str, settings: Effective, entry: ModelEntry | None) -> dict[str, Any]:
    return {
        "id": model,
        "on_disk": entry is not None,
        "configuration": key_values(settings.config),
        "origins": dict(settings.origins),
    }
