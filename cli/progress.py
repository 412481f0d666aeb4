"""Saying that something takes its time, without a word too many in a log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """A moving line on a terminal, one plain line elsewhere; both on stderr."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        console.print(f"{what} ...", markup=False)
        yield
        return
    with console.status(f"{what} ...", spinner="dots"):
        yield
