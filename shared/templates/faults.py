"""What is wrong with the text of a chat template, in the words that everybody uses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

# Go's text/template: fields begin with a dot, and blocks end in `end`.
_GO = re.compile(
    r"\{\{-?\s*(?:\.[A-Za-z]|\$|(?:if|range|with|template|block|define|else|end)\b[^}]*\}\})"
)
_QUOTED = re.compile(r"'([^']+)'")
_OPENING = re.compile(r"\{[{%#]")
_LONGEST_LINE = 120


@dataclass(frozen=True, slots=True)
class TemplateFault:
    """Why a text is no template that can be used."""

    kind: Literal["go", "syntax"]
    # From 1; the column is None where nothing of the line stands out.
    line: int
    column: int | None
    # Of that line, or the part of it where the column is.
    text: str
    message: str

    @property
    def words(self) -> str:
        """To be put behind what the template is called."""
        column = f", column {self.column}" if self.column is not None else ""
        where = f"line {self.line}{column}: `{self.text}`"
        if self.kind == "go":
            return (
                f"is a Go template, as Ollama has them, and not Jinja ({where}); name a Jinja"
                " template of the model's makers with chat_template_file or chat_template"
            )
        return f"is not valid Jinja, {where}: {self.message}"


def fault_of(source: str, line: int, message: str) -> TemplateFault:
    """From what Jinja says of it, which knows no columns."""
    lines = source.splitlines() or [""]
    at = min(max(line, 1), len(lines))
    whole = lines[at - 1]
    column = _column(whole, message)
    return TemplateFault(
        "go" if looks_like_go(source) else "syntax", at, column, _shown(whole, column), message
    )


def looks_like_go(source: str) -> bool:
    """Whether a text is one of Go's templates. Some of these are valid Jinja, which means nothing:
    what is certain is that Go knows no `{%`, and no chat template of Jinja's does without."""
    return "{%" not in source and _GO.search(source) is not None


def first_go_line(source: str) -> int:
    """Where a text begins to be one of Go's."""
    found = _GO.search(source)
    return source.count("\n", 0, found.start()) + 1 if found else 1


def _column(line: str, message: str) -> int | None:
    """Where the thing is that the message names, else where the line's first tag begins."""
    for found in _QUOTED.findall(message):
        at = line.find(found)
        if at >= 0:
            return at + 1
    opening = _OPENING.search(line)
    return opening.start() + 1 if opening else None


def _shown(line: str, column: int | None) -> str:
    start = max((column or 1) - _LONGEST_LINE // 2, 0) if len(line) > _LONGEST_LINE else 0
    part = line[start : start + _LONGEST_LINE].strip()
    return "".join(c if c.isprintable() else " " for c in part)
