"""What becomes of the index when files were renamed, moved or deleted behind its back. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from .facts import Facts, Rows, state_of

# Size and time of change of a file by its path below the models folder.
Present = Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Settled:
    """The rows that are to be kept, and what was done to those that were there."""

    rows: Rows
    # Old name to new one.
    moved: Mapping[str, str]
    # Rows of files that are gone.
    forgotten: tuple[str, ...]
    # Files that are no longer what was verified.
    changed: tuple[str, ...]


def settle(rows: Rows, present: Present) -> Settled:
    """A file keeps its row under another name when its size and time of change say which row that
    is, and only then."""
    lost = {name: row for name, row in rows.items() if name not in present}
    new = {name: now for name, now in present.items() if name not in rows}
    moved = _pairs({name: _state_of(row) for name, row in lost.items()}, new)
    kept = {name: row for name, row in rows.items() if name in present}
    kept |= {name: lost[old] for old, name in moved.items()}
    return Settled(
        rows=kept,
        moved=moved,
        forgotten=tuple(name for name in lost if name not in moved),
        changed=tuple(
            name for name, row in kept.items() if state_of(row, *present[name]) == "changed"
        ),
    )


def _pairs(lost: Present, new: Present) -> dict[str, str]:
    """Those that are one of a kind on either side; of several alike, those of one file name."""
    olds, news = _by_mark(lost), _by_mark(new)
    pairs: dict[str, str] = {}
    for mark, names in olds.items():
        others = news.get(mark, [])
        if len(names) == len(others) == 1:
            pairs[names[0]] = others[0]
            continue
        for name in names:
            same = [other for other in others if _file_name(other) == _file_name(name)]
            alike = [other for other in names if _file_name(other) == _file_name(name)]
            if len(same) == len(alike) == 1:
                pairs[name] = same[0]
    return pairs


def _by_mark(marks: Present) -> dict[tuple[int, int], list[str]]:
    by_mark: dict[tuple[int, int], list[str]] = defaultdict(list)
    for name, mark in marks.items():
        by_mark[mark].append(name)
    return by_mark


def _state_of(row: Facts) -> tuple[int, int]:
    return row.size_bytes, row.modified_ns


def _file_name(relative: str) -> str:
    return relative.rpartition("/")[2]
