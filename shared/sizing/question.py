"""What somebody wants to know of a model's size, as JSON says it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kronk.shared.errors import InvalidArgument
from kronk.shared.units import parse_size

from . import overrides

# As many GPUs as llama.cpp can use.
MOST_GPUS = 16
_LEAST_BYTES = 2**20
_MOST_BYTES = 2**50
_LONGEST = 4096
_FIELDS = ("model", "source", "config", "machine")
_EXPECTED_SIZE = "expected bytes, as a number from 1 MiB on or such as 24GiB"


@dataclass(frozen=True, slots=True)
class Question:
    """One model, the settings tried out instead of its own, and the machine it is to run on."""

    # An id of a model here or of the catalog, or a source that says so itself.
    wanted: str
    # By key of the model configuration: `overrides.read` made them.
    config: Mapping[str, Any] = field(default_factory=dict)
    # Bytes instead of this machine's own; None is what there is.
    memory: int | None = None
    gpus: tuple[int, ...] | None = None
    # It is a source, however it is written.
    is_source: bool = False
    # A file of this machine instead of what is wanted; no request can ask for one.
    path: Path | None = None

    @property
    def is_imagined(self) -> bool:
        """Whether it is about another machine than the one at hand."""
        return self.memory is not None or self.gpus is not None


def read(body: object) -> Question:
    """The question of a JSON body; `InvalidArgument` names the field."""
    if not isinstance(body, Mapping):
        raise InvalidArgument("expected a JSON object")
    for key in body:
        if key not in _FIELDS:
            raise InvalidArgument(
                f"{key}: no such field; there are {', '.join(_FIELDS)}", param=str(key)
            )
    given = {key: body[key] for key in ("model", "source") if body.get(key) is not None}
    if len(given) != 1:
        raise InvalidArgument("expected one of the fields model and source", param="model")
    ((key, wanted),) = given.items()
    if not isinstance(wanted, str) or not 0 < len(wanted.strip()) <= _LONGEST:
        raise InvalidArgument(f"{key}: expected a text of 1 to {_LONGEST} characters", param=key)
    machine = _map(body, "machine", ("memory", "gpus"))
    gpus = machine.get("gpus")
    if gpus is not None and (not isinstance(gpus, list) or len(gpus) > MOST_GPUS):
        raise InvalidArgument(
            f"machine.gpus: expected a list of up to {MOST_GPUS} sizes", param="machine.gpus"
        )
    memory = machine.get("memory")
    return Question(
        wanted,
        overrides.read(_map(body, "config", None)),
        memory=None if memory is None else size(memory, "machine.memory"),
        gpus=None
        if gpus is None
        else tuple(size(one, f"machine.gpus[{at}]") for at, one in enumerate(gpus)),
        is_source=key == "source",
    )


def size(value: object, where: str) -> int:
    """Bytes of memory."""
    try:
        found = parse_size(value) if isinstance(value, str) else value
    except ValueError:
        found = None
    if type(found) is not int or not _LEAST_BYTES <= found <= _MOST_BYTES:
        raise InvalidArgument(f"{where}: {_EXPECTED_SIZE}, got {value!r}", param=where)
    return found


def _map(body: Mapping[Any, Any], name: str, keys: tuple[str, ...] | None) -> Mapping[Any, Any]:
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidArgument(f"{name}: expected an object", param=name)
    for key in value:
        if keys is not None and key not in keys:
            raise InvalidArgument(
                f"{name}.{key}: no such field; there are {', '.join(keys)}", param=f"{name}.{key}"
            )
    return value
