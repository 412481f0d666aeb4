"""The names of llama.cpp's releases."""

from __future__ import annotations

import re

from kronk.shared.errors import InvalidArgument

# The release of the very commit (0c1e57098) that llama-cpp-python 0.3.36 was made for. Its
# functions and structures are what the binding calls; of other releases that is to be shown first.
MATCHING = "b11312"
LATEST = "latest"

_VERSION = re.compile(r"b[1-9]\d{0,8}")


def check_version(version: str) -> None:
    """`InvalidArgument` for what is no release's name."""
    if version != LATEST and not _VERSION.fullmatch(version):
        raise InvalidArgument(
            f"lib_version: expected a release of llama.cpp such as {MATCHING}, or {LATEST},"
            f" got {version!r:.100}",
            param="lib_version",
        )


def number(version: str) -> int:
    """For comparing versions; 0 for those that are no release's."""
    return int(version[1:]) if _VERSION.fullmatch(version) else 0
