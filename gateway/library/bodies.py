"""What the bodies of these routes have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from kronk.gateway.dialects.fields import first_error, unrecognized, wrong
from kronk.gateway.dialects.schemas import COUNT, TEXT, Schema, array, closed, nullable
from kronk.shared.errors import InvalidArgument, KronkError

EXPORT_VERSION = 1
MOST_IMPORTED = 1000
_LONGEST_SHOWN = 200

F = TypeVar("F", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Refusal:
    """One of those that were to be imported and was not."""

    # Its place in the import.
    index: int
    # What it is called there, where that can be told.
    title: str | None
    message: str
    param: str | None


REFUSED: Schema = array(
    closed({"index": COUNT, "title": nullable(TEXT), "message": TEXT, "param": nullable(TEXT)})
)


def refusal(index: int, item: object, name: str, error: KronkError) -> Refusal:
    """Why that item is not imported; `name` is the field it is called by."""
    title = item.get(name) if isinstance(item, dict) else None
    shown = title[:_LONGEST_SHOWN] if isinstance(title, str) else None
    return Refusal(index, shown, error.message, error.param)


def refused(refusals: list[Refusal]) -> list[dict[str, Any]]:
    """As clients are told it, in the order of the import."""
    return [asdict(one) for one in sorted(refusals, key=lambda one: one.index)]


def validated(kind: type[F], value: object) -> F:
    """The fields in `value`; `InvalidArgument` names the first that is not acceptable."""
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise first_error(error) from error


def line(text: str | None, where: str) -> str | None:
    """A text of one line that says something; None stays None."""
    if text is None:
        return None
    joined = " ".join(text.split())
    if not joined:
        raise wrong(where, "a text of 1 character at least", "")
    return joined


def items_of(
    value: Mapping[str, Any], name: str, kind: str, also: tuple[str, ...] = ()
) -> list[Any]:
    """The things that an export of that kind has under `name`."""
    for key in value:
        if key not in ("object", "version", name, *also):
            raise unrecognized(key[:100])
    if value.get("object", kind) != kind:
        raise InvalidArgument(f"Invalid value for 'object': expected {kind}", param="object")
    version = value.get("version", EXPORT_VERSION)
    if version != EXPORT_VERSION or isinstance(version, bool):
        raise InvalidArgument(
            f"Invalid value for 'version': expected {EXPORT_VERSION}; later exports are for later"
            " versions of Kronk",
            param="version",
        )
    items = value.get(name, [])
    if not isinstance(items, list):
        raise wrong(name, "an array", items)
    if len(items) > MOST_IMPORTED:
        raise InvalidArgument(
            f"'{name}': at most {MOST_IMPORTED} at a time, got {len(items)}", param=name
        )
    return items
