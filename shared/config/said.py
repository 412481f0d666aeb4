"""What one source says of one model: keys and values by name, each with its place."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kronk.shared.errors import InvalidArgument
from kronk.shared.model_keys import ALIASES, KEYS
from kronk.shared.sampling_params import parameter_name, parse_value
from kronk.shared.wire.loading import AdapterSpec
from kronk.shared.wire.values import Sampling

from .marks import Item, Marked
from .problems import Place, Problem, Report

# A key of the manual's that a reader must not believe in: nothing of a request is ever logged.
_NOT_OURS = {"insecure_logging": "this version never logs what requests and answers say"}
# Names are one model's own: a map that is merged into several must not give them all the same.
_NEVER_MERGED = frozenset({"aliases"})
_LONGEST_SHOWN = 100

# What `projector` says for a model that is to have none.
NO_PROJECTOR = "none"


@dataclass(frozen=True, slots=True)
class Said:
    """`values` has no None: null is as good as leaving the key out. `places` has sampling
    parameters too, as `sampling_parameters.temperature`."""

    values: Mapping[str, Any] = field(default_factory=dict)
    places: Mapping[str, Place] = field(default_factory=dict)
    # Where the model itself stands.
    place: Place | None = None

    def without(self, names: frozenset[str]) -> Said:
        """The same but for these keys."""
        return replace(
            self, values={key: value for key, value in self.values.items() if key not in names}
        )


def read(keys: Marked, where: str, folder: Path, report: Report) -> Said:
    """One model's map of keys; `where` leads to it, relative paths start at `folder`. What cannot
    be had is reported and left out."""
    if keys.value is None:
        return Said()
    if keys.items is None:
        message = f"expected a map of keys, got {_shown(keys.value)}"
        report(Problem(where, message, keys.place))
        return Said()
    found: dict[str, Item] = {}
    for item in keys.items:
        name = _known(item, where, report)
        if name is None or (item.is_merged and name in _NEVER_MERGED):
            continue
        if name in found and not found[name].is_merged:
            report(Problem(f"{where}.{item.key}", f"{name} is given twice", item.place, item.key))
        else:
            found[name] = item
    return _values(found, where, folder, report)


def _known(item: Item, where: str, report: Report) -> str | None:
    name = item.key.replace("-", "_")
    name = ALIASES.get(name, name)
    if name in KEYS:
        return name
    message = _NOT_OURS.get(name)
    if message is None:
        close = difflib.get_close_matches(name, [*KEYS, *ALIASES], 1)
        hint = f"; did you mean {ALIASES.get(close[0], close[0])}?" if close else ""
        message = f"no such key{hint}"
    report(Problem(f"{where}.{item.key}", message, item.place, item.key))
    return None


def _values(found: Mapping[str, Item], where: str, folder: Path, report: Report) -> Said:
    values: dict[str, Any] = {}
    places: dict[str, Place] = {}
    for name, item in found.items():
        below = f"{where}.{item.key}"
        if item.value.value is None:
            continue
        try:
            read = KEYS[name].read(item.value.value)
        except ValueError as error:
            message = f"{error}, got {_shown(item.value.value)}"
            report(Problem(below, message, item.value.place, item.key))
            continue
        if item.place is not None:
            places[name] = item.place
        if name == "sampling_parameters":
            parameters = dict(_parameters(item.value, below, report))
            values[name] = Sampling(**{key: value for key, (value, _) in parameters.items()})
            places |= {f"{name}.{key}": at for key, (_, at) in parameters.items() if at is not None}
        else:
            values[name] = _anchored(name, read, folder)
    return Said(values, places)


def _parameters(
    value: Marked, where: str, report: Report
) -> Iterator[tuple[str, tuple[Any, Place | None]]]:
    seen: set[str] = set()
    for item in value.items or ():
        try:
            name = parameter_name(item.key, where)
            if name in seen:
                raise InvalidArgument(f"{where}.{item.key}: {name} is given twice")
            seen.add(name)
            given = item.value.value
            if given is not None:
                yield name, (parse_value(name, given, f"{where}.{item.key}"), item.place)
        except InvalidArgument as error:
            at, message = error.message.split(": ", 1)
            report(Problem(at, message, item.place, item.key))


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= _LONGEST_SHOWN else f"{shown[: _LONGEST_SHOWN - 3]}..."


def _anchored(name: str, value: Any, folder: Path) -> Any:
    """Paths that are relative to the file, as paths."""
    match name:
        case "chat_template_file":
            return folder / value
        case "adapters":
            return tuple(AdapterSpec(str(folder / each.path), each.scale) for each in value)
        case "projector" if value != NO_PROJECTOR:
            return str(folder / Path(value).expanduser())
        case "draft_model" if is_path(value):
            return str(folder / Path(value).expanduser())
        case _:
            return value


def is_path(draft_model: str) -> bool:
    """Whether a `draft_model` is a file's path rather than a model's id, which may have slashes."""
    return draft_model.startswith(("/", "./", "../", "~"))
