"""Rows of text in aligned columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

_GAP = "   "


def aligned(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The heading and each row as one line; never cut, so that scripts can read it."""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    for row in (heads, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield _GAP.join(cells).rstrip()
