"""What a model-config file says of each model in its own words, for forms that show it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from kronk.shared.model_keys import ALIASES, KEYS
from kronk.shared.sampling_params import ALIASES as PARAMETER_ALIASES
from kronk.shared.sampling_params import PARAMETERS

from . import marks
from .layers import SAMPLING
from .marks import Item, Marked

_MODELS = "models"


def written(text: str) -> dict[str, dict[str, dict[str, Any]]]:
    """JSON: by model and key (`sampling_parameters.temperature`, too) the `value` as it is written,
    its `line`, and whether it is `merged` from another map. Keys that are none are left out."""
    document = marks.read(text, lambda problem: None)
    models = _item(document, _MODELS)
    if models is None or models.items is None:
        return {}
    return {item.key: _keys(item.value) for item in models.items}


def _item(value: Marked | None, key: str) -> Marked | None:
    items = value.items if value is not None else None
    return next((item.value for item in items or () if item.key == key), None)


def _keys(model: Marked) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for item in model.items or ():
        name = _name(item.key, ALIASES)
        if name == SAMPLING:
            for inner in item.value.items or ():
                parameter = _name(inner.key, PARAMETER_ALIASES)
                if parameter in PARAMETERS:
                    found[f"{SAMPLING}.{parameter}"] = _row(inner, item.is_merged)
        elif name in KEYS:
            found[name] = _row(item, item.is_merged)
    return found


def _name(key: str, aliases: Mapping[str, str]) -> str:
    name = key.replace("-", "_")
    return aliases.get(name, name)


def _row(item: Item, is_merged: bool) -> dict[str, Any]:
    line = item.place.line if item.place is not None else None
    return {"value": _json(item.value.value), "line": line, "merged": is_merged or item.is_merged}


def _json(value: object, depth: int = 4) -> Any:
    """What YAML has and JSON has not is as YAML shows it."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if depth > 0 and isinstance(value, list):
        return [_json(each, depth - 1) for each in value]
    if depth > 0 and isinstance(value, dict):
        return {str(key): _json(each, depth - 1) for key, each in value.items()}
    return str(value)[:100]
