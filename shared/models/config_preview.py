"""What a text for the model-config file is worth, before anybody stores it: its mistakes, what it
says, and what it would change."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Set
from pathlib import Path
from typing import Any

from kronk.shared.config.layers import SAMPLING
from kronk.shared.config.written import written
from kronk.shared.errors import InvalidArgument, KronkError
from kronk.shared.load_spec import is_same_load
from kronk.shared.model_config import Configs, Problem, examine
from kronk.shared.paths import BasePath
from kronk.shared.wire.loading import LoadSpec

from . import index
from .config_check import warnings
from .config_shown import shown
from .configured import recommended
from .resolve import resolve


def preview(
    base: BasePath,
    text: str,
    path: Path,
    in_force: Configs,
    loaded: Set[str],
    model: str | None = None,
) -> dict[str, Any]:
    """JSON: whether a server would take the text (`valid`), `problems` with their places, `models`
    with what the text says and comes to, the `changes` to what is `in_force`, which of the models
    that are `loaded` would be loaded anew, and what a worker would be told to load of `model`.
    Mistakes are left out of what it comes to."""
    configs, problems = examine(text, path)
    new = configs.over(recommended(base))
    clash = _clash(base, new)
    noted = [] if clash is not None else warnings(base, new)
    rows = [_row("error", each) for each in (*problems, *([clash] if clash else []))]
    before, after = _by_model(base, in_force), _by_model(base, new)
    said = written(text)
    return {
        "valid": not rows,
        "problems": rows + [_row("warning", each) for each in noted],
        "models": [row | {"written": said.get(row["id"], {})} for row in after.values()],
        "changes": [*_changes(before, after)],
        "reloaded": [
            name for name in sorted(loaded) if not _loads_alike(base, in_force, new, name)
        ],
        "load": None if model is None else _load(base, new, model),
    }


def _clash(base: BasePath, configs: Configs) -> Problem | None:
    try:
        index.check_names(base.models, configs)
    except InvalidArgument as error:
        return Problem("models", error.message.removeprefix("model config: "), None, "aliases")
    return None


def _by_model(base: BasePath, configs: Configs) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in shown(base, configs)}


def _changes(
    before: Mapping[str, dict[str, Any]], after: Mapping[str, dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    for model in sorted(before.keys() | after.keys()):
        old, new = _values(before.get(model)), _values(after.get(model))
        for key in dict.fromkeys((*old, *new)):
            if old.get(key) != new.get(key):
                yield {"model": model, "key": key, "before": old.get(key), "after": new.get(key)}


def _values(row: Mapping[str, Any] | None) -> dict[str, Any]:
    """By key, and sampling parameters one by one."""
    if row is None:
        return {}
    values = dict(row["configuration"])
    sampling = values.pop(SAMPLING, None) or {}
    return values | {f"{SAMPLING}.{name}": value for name, value in sampling.items()}


def _loads_alike(base: BasePath, old: Configs, new: Configs, model: str) -> bool:
    """Whether a reload leaves the model's process alone."""
    try:
        was = resolve(base, old, model)
    except KronkError:
        # It goes on with what it was loaded from.
        return True
    try:
        return is_same_load(was, resolve(base, new, model))
    except KronkError:
        return False


def _load(base: BasePath, configs: Configs, model: str) -> dict[str, Any]:
    try:
        spec: LoadSpec | None = resolve(base, configs, model)
        problem = None
    except KronkError as error:
        spec, problem = None, error.message
    told = None if spec is None else _plain(dataclasses.asdict(spec))
    return {"model": model, "spec": told, "problem": problem}


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list() | tuple() | frozenset():
            return [_plain(item) for item in value]
        case float() if not math.isfinite(value):
            return str(value)
        case None | bool() | int() | float() | str():
            return value
        case _:
            return str(value)


def _row(severity: str, problem: Problem) -> dict[str, Any]:
    place = problem.place
    return {
        "severity": severity,
        "line": place.line if place is not None else None,
        "column": place.column if place is not None else None,
        "model": problem.model,
        "key": problem.key,
        "where": problem.where,
        "message": problem.text,
    }
