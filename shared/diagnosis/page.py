"""A report as Markdown, for people and their tickets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .redaction import POLICY
from .report import Section

_NONE = "-"
# Of a cell of a table, or the end of a list.
_LONGEST = 400
_MOST_ROWS = 60


def markdown(sections: Sequence[Section], when: str) -> str:
    """The whole report. What it says is redacted already."""
    return "\n".join(_lines(sections, when)) + "\n"


def _lines(sections: Sequence[Section], when: str) -> Iterator[str]:
    yield "# Kronk diagnosis"
    yield ""
    yield f"Made {when}. {POLICY}"
    for section in sections:
        yield ""
        yield f"## {section.title}"
        yield ""
        if section.failure is not None:
            yield f"**Not known:** {_cell(section.failure)}"
        else:
            yield from _content(section.content)


def _content(content: Any) -> Iterator[str]:
    match content:
        case _ if _is_nothing(content):
            yield "nothing"
        case Mapping():
            yield from _facts(content, "")
        case list() if all(isinstance(row, Mapping) for row in content):
            yield from _table(content)
        case list():
            yield from (f"- {_cell(each)}" for each in content[:_MOST_ROWS])
            yield from _rest(len(content))
        case _:
            yield _plain(content)


def _facts(facts: Mapping[str, Any], indent: str) -> Iterator[str]:
    for name, value in facts.items():
        label = f"{indent}- {_cell(name)}:"
        match value:
            case [Mapping(), *_] if not indent:
                yield label
                yield ""
                yield from _table(value)
                yield ""
            case Mapping() if value:
                yield label
                yield from _facts(value, indent + "  ")
            case _:
                yield f"{label} {_cell(value)}"


def _table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    heads = list(dict.fromkeys(name for row in rows for name in row))
    yield f"| {' | '.join(map(_cell, heads))} |"
    yield f"|{' --- |' * len(heads)}"
    for row in rows[:_MOST_ROWS]:
        yield f"| {' | '.join(_cell(row.get(name)) for name in heads)} |"
    yield from _rest(len(rows))


def _rest(count: int) -> Iterator[str]:
    if count > _MOST_ROWS:
        yield ""
        yield f"... and {count - _MOST_ROWS} more; --json has all."


def _cell(value: Any) -> str:
    text = " ".join(_plain(value).split()).replace("|", "\\|").replace("<", "\\<")
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _is_nothing(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, (list, Mapping)) and not value)


def _plain(value: Any) -> str:
    match value:
        case _ if _is_nothing(value):
            return _NONE
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.4g}" if abs(value) < 1e6 else f"{value:.0f}"
        case list():
            return ", ".join(map(_plain, value))
        case Mapping():
            return ", ".join(f"{key}={_plain(below)}" for key, below in value.items())
        case _:
            return str(value)
