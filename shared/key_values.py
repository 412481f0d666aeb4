"""How values of `model-config.yaml` are read: each function takes what YAML made of the text.

A value that is not acceptable raises `ValueError` with what was expected; the caller adds where it
stood and what it was. Beside each function stands the same as JSON Schema, for editors.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .units import parse_duration, parse_size
from .wire.loading import AdapterSpec, TensorPlace

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Read:
    """A way to read values, and what it accepts. JSON Schema knows no difference between 2 and 2.0,
    and YAML's `on` is a text to some editors: else the two accept the same."""

    read: Callable[[Any], Any]
    schema: Schema

    def __call__(self, value: Any) -> Any:
        """The value; `ValueError` says what was expected."""
        return self.read(value)


def _accepts(*schemas: Schema) -> Callable[[Callable[[Any], Any]], Read]:
    schema = schemas[0] if len(schemas) == 1 else {"anyOf": list(schemas)}
    return lambda read: Read(read, schema)


_NAME: Schema = {"type": "string", "pattern": r"\S"}
_PATH: Schema = {"type": "string", "pattern": r"^[^\u0000]*[^\s\u0000][^\u0000]*$"}
_DURATION: Schema = {
    "type": "string",
    "pattern": r"^(0|([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+)$",
}


def whole(least: int, most: int) -> Read:
    """A whole number in a range."""

    @_accepts({"type": "integer", "minimum": least, "maximum": most})
    def read(value: Any) -> int:
        if type(value) is not int or not least <= value <= most:
            raise ValueError(f"expected a whole number from {least} to {most}")
        return value

    return read


def number(least: float, most: float) -> Read:
    """A finite number in a range."""

    @_accepts({"type": "number", "minimum": least, "maximum": most})
    def read(value: Any) -> float:
        if type(value) not in (int, float) or not least <= value <= most:
            raise ValueError(f"expected a number from {least:g} to {most:g}")
        return float(value)

    return read


@_accepts({"type": "boolean"})
def switch(value: Any) -> bool:
    """YAML's `true` and `false`."""
    if type(value) is not bool:
        raise ValueError("expected true or false")
    return value


def one_of(*names: str, on: str | None = None, off: str | None = None) -> Read:
    """One of the names; `on` and `off` are what YAML's true and false stand for."""
    # YAML reads on, off, yes and no as booleans; newer YAML does not.
    switches = {
        value: name for value, name in (("on", on), ("off", off)) if name and value not in names
    }
    plain = [value == "on" for value in switches]

    @_accepts({"enum": [*names, *switches, *plain]})
    def read(value: Any) -> str:
        written = ("on" if value else "off") if isinstance(value, bool) else value
        name = switches.get(written, written) if isinstance(written, str) else None
        if name not in names:
            raise ValueError(f"expected one of {', '.join(names)}")
        return str(name)

    return read


@_accepts(_NAME)
def text(value: Any) -> str:
    """Text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("expected a text")
    return value


@_accepts(_NAME, {"type": "array", "items": _NAME, "minItems": 1})
def names(value: Any) -> tuple[str, ...]:
    """A name, or a list of names."""
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list) or not found:
        raise ValueError("expected a name or a list of names")
    return tuple(text(item) for item in found)


@_accepts({"type": "object"})
def mapping(value: Any) -> dict[Any, Any]:
    """A map, whose keys are read elsewhere."""
    if not isinstance(value, dict):
        raise ValueError("expected a map")
    return value


@_accepts(
    {"type": "integer", "minimum": 0},
    {"type": "string", "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*([kKmMgGtT][iI]?)?[bB]?\s*$"},
    {"enum": ["off", False]},
)
def size(value: Any) -> int:
    """Bytes: a number, or a text such as 512MB or 2GiB; `off` is none."""
    if value is False or value == "off":
        return 0
    if type(value) is int and value >= 0:
        return value
    if isinstance(value, str):
        return parse_size(value)
    raise ValueError("expected bytes, as a number or such as 512MB or 2GiB, or off")


@_accepts({"type": "number", "minimum": 0}, _DURATION)
def seconds(value: Any) -> float:
    """Seconds: a number, or a duration such as 30s."""
    if type(value) in (int, float) and 0 <= value < math.inf:
        return float(value)
    if isinstance(value, str):
        return parse_duration(value)
    raise ValueError("expected seconds, or a duration such as 30s or 2m")


@_accepts({"type": "number"}, _DURATION, {"const": "forever"})
def lifetime(value: Any) -> float:
    """Seconds that something unused stays: a number, a duration such as 30m, or `forever`, which is
    infinity and may be written as a negative number too."""
    if value == "forever":
        return math.inf
    if type(value) in (int, float) and -math.inf < value < math.inf:
        return float(value) if value >= 0 else math.inf
    if isinstance(value, str):
        return parse_duration(value)
    raise ValueError("expected seconds, a duration such as 30m, or forever")


# No longer than what is quoted of a name that a request has.
LONGEST_NAME = 100
_EXPECTED_NAMES = f"expected a list of names of up to {LONGEST_NAME} printable characters"


_ALIAS: Schema = {
    "type": "string",
    "maxLength": LONGEST_NAME,
    "pattern": r"^[^\s\u0000-\u001f]([^\u0000-\u001f]*[^\s\u0000-\u001f])?$",
}


@_accepts(_ALIAS, {"type": "array", "items": _ALIAS})
def aliases(value: Any) -> tuple[str, ...]:
    """Names for a model: a list, which may be empty, or one of them."""
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list) or not all(_is_name(name) for name in found):
        raise ValueError(_EXPECTED_NAMES)
    return tuple(dict.fromkeys(found))


def _is_name(name: object) -> bool:
    if not isinstance(name, str) or not name.isprintable():
        return False
    return name == name.strip() and 0 < len(name) <= LONGEST_NAME


@_accepts({"type": "integer", "minimum": -1, "maximum": 10_000}, {"enum": ["all", "none"]})
def layers(value: Any) -> int:
    """Layers on the GPU, in the manual's way: 0 or `all` for all of them, -1 or `none` for none."""
    if value in ("all", "none"):
        return 0 if value == "all" else -1
    if type(value) is int and -1 <= value <= 10_000:
        return value
    raise ValueError("expected all (or 0), none (or -1), or a number of layers up to 10000")


@_accepts(
    {
        "type": "array",
        "items": {"type": "number", "minimum": 0},
        "minItems": 1,
        "maxItems": 16,
        "contains": {"exclusiveMinimum": 0},
    },
    {"type": "string", "pattern": r"^(?=.*[1-9])[0-9. ]+(,[0-9. ]+){0,15}$"},
)
def shares(value: Any) -> tuple[float, ...]:
    """A share per GPU: a list, or a text such as `3,1`."""
    parts = value.split(",") if isinstance(value, str) else value
    try:
        found = tuple(float(part) for part in parts)
    except (TypeError, ValueError):
        found = ()
    # llama.cpp's own limit is 16 devices.
    usable = 0 < len(found) <= 16 and all(0 <= share < math.inf for share in found)
    if not usable or not any(found) or isinstance(value, dict):
        raise ValueError("expected a list of shares, one for each GPU, such as [3, 1]")
    return found


# C++ compiles a pattern recursively and llama.cpp tries each on each tensor.
MOST_PLACES, LONGEST_PLACE = 1000, 500
_EXPECTED_PLACE = "expected a list of PATTERN=BUFFER such as ['ffn_.*_exps=CPU']"
_PLACE: Schema = {"type": "string", "maxLength": LONGEST_PLACE, "pattern": r"^\s*\S.*=.*\S\s*$"}


@_accepts(
    {"type": "array", "items": _PLACE, "maxItems": MOST_PLACES},
    {"type": "string", "pattern": r"^[^,]*\S=[^,=]*\S[^,=]*(,[^,]*\S=[^,=]*\S[^,=]*)*$"},
)
def tensor_places(value: Any) -> tuple[TensorPlace, ...]:
    """`pattern=buffer` texts: a list, or one text with commas between them."""
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise ValueError(_EXPECTED_PLACE)
    if len(parts) > MOST_PLACES or any(len(part) > LONGEST_PLACE for part in parts):
        raise ValueError(
            f"expected {MOST_PLACES} patterns of {LONGEST_PLACE} characters at the most"
        )
    return tuple(_tensor_place(part) for part in parts)


def _tensor_place(part: str) -> TensorPlace:
    pattern, equals, buffer = part.strip().rpartition("=")
    if not equals or not pattern or not buffer:
        raise ValueError(_EXPECTED_PLACE)
    return TensorPlace(pattern, buffer)


@_accepts(_PATH)
def path(value: Any) -> Path:
    """A file's path, as it was written."""
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise ValueError("expected the path of a file")
    return Path(value).expanduser()


@_accepts(_PATH, {"const": False})
def file_or_none(value: Any) -> str:
    """A file's path, as it was written, or the text `none`."""
    if value is False or value == "none":
        return "none"
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise ValueError("expected the path of a file, or none")
    return value


_EXPECTED_ADAPTER = "expected a list of {path: FILE, scale: NUMBER}"


_ADAPTER: Schema = {
    "anyOf": [
        _PATH,
        {
            "type": "object",
            "properties": {"path": _PATH, "scale": {"type": "number"}},
            "required": ["path"],
            "additionalProperties": False,
        },
    ]
}


@_accepts(_ADAPTER, {"type": "array", "items": _ADAPTER})
def adapters(value: Any) -> tuple[AdapterSpec, ...]:
    """LoRA adapters: a list of paths, or of maps with `path` and `scale`."""
    return tuple(_adapter(item) for item in (value if isinstance(value, list) else [value]))


def _adapter(item: Any) -> AdapterSpec:
    keys = item if isinstance(item, dict) else {"path": item}
    scale = keys.get("scale", 1.0)
    is_number = type(scale) in (int, float) and math.isfinite(scale)
    if not {"path"} <= keys.keys() <= {"path", "scale"} or not is_number:
        raise ValueError(_EXPECTED_ADAPTER)
    return AdapterSpec(str(path(keys["path"])), float(scale))
