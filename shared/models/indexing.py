"""Brings the index in line with the models folder, and has every header read once.

Run when the server starts and by `kronk model index`. Files are only looked at; they are read whole
where somebody asks for that.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from kronk.shared.errors import InvalidArgument, ServerError
from kronk.shared.jobs.kinds import Progress
from kronk.shared.paths import BasePath
from kronk.shared.settings import Settings

from . import facts, verifying, walk, writers
from .configured import configured_if_valid
from .facts import Facts, Rows
from .hashing import Tally
from .headers import Headers, headers_of
from .listing import listing
from .settling import Settled, settle
from .walk import Found

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What was found, and done, when the index was compared with the folder."""

    files: int
    rows: int
    moved: Mapping[str, str]
    forgotten: tuple[str, ...]
    changed: tuple[str, ...]
    # What was wrong with the index itself.
    problem: str | None


def run(settings: Settings, params: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Rebuild the index; with `params["verify"]` read every file whole. Tells what was done, and
    each model that cannot be loaded with its reason."""
    verify = params.get("verify", False)
    if not isinstance(verify, bool):
        raise InvalidArgument(f"verify: expected true or false, got {verify!r}", param="verify")
    base = settings.base
    configs = configured_if_valid(settings)
    damaged: list[str] = []
    if verify:
        verdicts = verifying.verify(base, walk.find_all(base.models), progress, verifying.judged)
        damaged = [one.file for one in verdicts if one.result == "damaged"]
    try:
        done = refresh(base)
    except OSError as error:
        raise ServerError(
            f"the index of {base.models} cannot be written: {error.strerror}"
        ) from error
    read_headers(headers_of(base), walk.find_all(base.models), progress)
    entries = listing(base, configs)
    broken = {entry.id: entry.reason for entry in entries if not entry.validated}
    return {**asdict(done), "models": len(entries), "broken": broken, "damaged": damaged}


def refresh(base: BasePath) -> Refreshed:
    """Have the index say what is there; `OSError` when it cannot be written."""
    writers.sweep(base)
    present = {file.name: (file.size_bytes, file.modified_ns) for file in _usable(base.models)}
    _, problem = facts.look(base.models)
    done: list[Settled] = []

    def changed(rows: dict[str, Facts]) -> Rows:
        done.append(settle(rows, present))
        return _inherited(done[-1].rows, rows)

    facts.change(base.models, changed)
    settled = done[-1]
    return Refreshed(
        len(present),
        len(settled.rows),
        settled.moved,
        settled.forgotten,
        settled.changed,
        problem,
    )


def read_headers(headers: Headers, files: Sequence[Found], progress: Progress) -> None:
    """Read the headers that nobody has read yet, so that lists know which are broken."""
    sizes = {
        file.path: file.size_bytes
        for file in files
        if file.reason is None and not headers.is_known(file.path)
    }
    tally = Tally("headers", sum(sizes.values()), progress)
    for path, _ in headers.read_all(sizes):
        tally.add(sizes[path])


def _usable(models: Path) -> list[Found]:
    return [file for file in walk.find_all(models) if file.size_bytes]


def _inherited(kept: Rows, before: Rows) -> Rows:
    """A file that was only hashed has the bytes of one that is known: where that came from, and
    under which licence, holds for this one too."""
    origins = {row.sha256: row for row in before.values() if row.source}
    return {
        name: replace(row, source=origin.source, licence=origin.licence, revision=origin.revision)
        if not row.source and (origin := origins.get(row.sha256)) is not None
        else row
        for name, row in kept.items()
    }
