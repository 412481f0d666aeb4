"""What is wrong with a file, and where in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kronk.shared.errors import InvalidArgument


@dataclass(frozen=True, slots=True)
class Place:
    """A character of a file; line and column count from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. `where` leads to it from the top of the document, such as
    `models.Qwen3-8B-Q8_0.n_batch`, and is empty for the document itself."""

    where: str
    message: str
    place: Place | None = None
    # The last part of `where`, and the model whose key that is.
    key: str | None = None
    model: str | None = None

    @property
    def text(self) -> str:
        """What is wrong with what, without the file."""
        return f"{self.where}: {self.message}" if self.where else self.message

    def line(self, file: str, mark: str = "") -> str:
        """One line, as compilers write them: editors make it a link. `mark` leads what is said."""
        place = f":{self.place.line}:{self.place.column}" if self.place is not None else ""
        return f"{file}{place}: {mark}{self.text}"


Report = Callable[[Problem], None]


class BadFile(InvalidArgument):
    """A file with one problem at least; the message has the first and the number of the others."""

    def __init__(self, file: str, problems: Sequence[Problem]) -> None:
        more = len(problems) - 1
        hint = f" (and {more} more: `kronk config check` lists them)" if more else ""
        super().__init__(problems[0].line(file) + hint)
        self.file = file
        self.problems = tuple(problems)
