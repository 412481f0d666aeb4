"""Saying that something takes its time, without a word too many in a log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

Say = Callable[[str], None]


@contextmanager
def waiting(what: str) -> Iterator[Say]:
    """A moving line on a terminal, one plain line elsewhere; both on stderr. What is given says
    something else instead from then on."""
    console = Console(stderr=True, highlight=False)
    if console.is_terminal:
        with console.status(f"{what} ...", spinner="dots") as status:
            yield lambda words: status.update(f"{words} ...")
        return

    said = ""

    def say(words: str) -> None:
        nonlocal said
        if words != said:
            console.print(f"{words} ...", markup=False, soft_wrap=True)
        said = words

    say(what)
    yield say
