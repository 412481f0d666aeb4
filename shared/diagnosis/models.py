"""Models on disk, and what of their settings somebody has chosen."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterable, Mapping
from typing import Any

from kronk.shared.errors import KronkError
from kronk.shared.model_config import Configs
from kronk.shared.models import details
from kronk.shared.models.listing import listing
from kronk.shared.paths import BasePath
from kronk.shared.units import format_bytes

# Headers are read of so many at most.
_MOST_MODELS = 50
# A longer text, such as a prompt, is told by its length.
_LONGEST_TEXT = 120
_REQUIREMENT = re.compile(r"^[A-Za-z0-9._-]+")


def files(base: BasePath, configs: Configs) -> list[dict[str, Any]]:
    """A row per model, whether it can be loaded or not."""
    found = listing(base, configs)
    return [
        {
            "id": entry.id,
            "size": format_bytes(entry.size_bytes),
            "files": len(entry.files),
            **(_file(base, configs, entry.id) if number < _MOST_MODELS else {}),
            "integrity": entry.integrity,
            "problem": entry.reason or entry.note,
        }
        for number, entry in enumerate(found)
    ]


def chosen(models: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row per setting of a model that is not the default, with where it is from. `models` is as
    `config_shown.shown` has it, and the API."""
    return [
        {
            "model": row["id"],
            "setting": key,
            "value": _value(row["configuration"], key),
            "from": origin,
        }
        for row in models
        for key, origin in row["origins"].items()
        if origin != "default"
    ]


def packages() -> dict[str, str]:
    """Versions of what Kronk needs, and is installed with."""
    names = [
        match[0]
        for line in importlib.metadata.requires("kronk") or ()
        if "extra ==" not in line and (match := _REQUIREMENT.match(line))
    ]
    return {name: _version(name) for name in sorted(names)}


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _file(base: BasePath, configs: Configs, model: str) -> dict[str, Any]:
    try:
        known = details.describe(base, configs, model)["file"] or {}
    except KronkError as error:
        return {"architecture": None, "problem": error.message}
    names = ("architecture", "quantization", "parameter_size", "context_length")
    return {name: known.get(name) for name in names}


def _value(configuration: Mapping[str, Any], key: str) -> Any:
    """Of a key such as `sampling_parameters.temperature`, too."""
    found: Any = configuration
    for part in key.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    if isinstance(found, str) and (len(found) > _LONGEST_TEXT or "\n" in found):
        return f"(a text of {len(found)} characters)"
    return found
