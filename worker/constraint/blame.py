"""Which part of a schema a grammar cannot be made of."""

from __future__ import annotations

from collections.abc import Callable

from .keywords import Schema
from .schema import Document, Part

# Reasons that concern a part only where something requires it.
_UNSATISFIABLE = "Unsatisfiable"
_MAX_TRIES = 500

# Compiles a schema of a document alone; why it cannot, or nothing.
Try = Callable[[Schema], str]


def blame(document: Document, reason: str, attempt: Try) -> tuple[str, str]:
    """The path of the innermost part that cannot be compiled even alone, and why.

    `reason` is why the document cannot.
    """
    part, tries = document.root, _MAX_TRIES
    seen = {part.path}
    while True:
        inside = [child for child in _inside(document, part) if child.path not in seen]
        seen.update(child.path for child in inside)
        tries -= len(inside)
        if tries < 0:
            break
        faults = [(child, why) for child in inside if (why := attempt(child.schema))]
        if not faults:
            break
        # First those that are at fault whatever is required.
        part, reason = min(faults, key=lambda fault: fault[1].startswith(_UNSATISFIABLE))
    return part.path + _keyword(part, attempt), reason


def _inside(document: Document, part: Part) -> list[Part]:
    if isinstance(part.schema, dict) and "$ref" in part.schema:
        name = part.schema["$ref"].rpartition("/")[2]
        return [*part.children, document.definitions[name]]
    return part.children


def _keyword(part: Part, attempt: Try) -> str:
    """The keyword without which the part would do."""
    if not isinstance(part.schema, dict):
        return ""
    # Without its type next to anything would do.
    for name in sorted(part.schema, key="type".__eq__):
        rest = {key: value for key, value in part.schema.items() if key != name}
        if not attempt(rest):
            return f".{name}"
    return ""
