"""Names of files below the models folder: which ones may be believed, and how any is shown."""

from __future__ import annotations

import re

from kronk.shared.errors import InvalidArgument

# Of one part of a path, as file systems have it, and of a whole path.
_LONGEST_PART, _LONGEST = 255, 1024
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")


def is_relative(name: object) -> bool:
    """Whether it names something below a folder, and can be printed: no `..`, no leading slash,
    no hidden file, no control characters."""
    if not isinstance(name, str) or not name.isprintable() or len(name) > _LONGEST:
        return False
    return all(
        part and not part.startswith(".") and len(part.encode()) <= _LONGEST_PART
        for part in name.split("/")
    )


def shown(name: str) -> str:
    """A name as it may be printed, whatever somebody has put in it."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in name)


def folder(text: str, param: str) -> str:
    """`ORG/FAMILY`, which is where a model's files lie; `InvalidArgument` for anything else."""
    parts = text.split("/")
    if len(parts) != 2 or not all(_PART.fullmatch(part) and len(part) <= 100 for part in parts):
        raise InvalidArgument(
            f"{param}: expected ORGANISATION/FAMILY of letters, digits and _ . + -, "
            f"got {text[:100]!a}",
            param=param,
        )
    return text
