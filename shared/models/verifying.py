"""Reads files whole and compares them with what they should be: by the index, else by the catalog.

What was found is written to the index after each file, so that a job that is stopped has not worked
for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from kronk.shared.errors import InvalidArgument, ServerError
from kronk.shared.jobs.kinds import Progress
from kronk.shared.paths import BasePath
from kronk.shared.settings import Settings

from . import facts, index, walk
from .configured import configured_if_valid
from .expected import Known, by_catalog
from .facts import Facts
from .hashing import Digested, Tally, digest, now
from .walk import Found

# `recorded`: nobody knew what it should be; from now on it is what it was.
Result = Literal["verified", "recorded", "damaged", "accepted", "unreadable"]


Judge = Callable[[str, Facts | None, Known | None, Digested], "tuple[Facts, Verdict]"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one file."""

    file: str
    result: Result
    sha256: str | None
    expected: str | None
    size_bytes: int
    # Why it could not be read.
    reason: str | None = None


def check(settings: Settings, params: Mapping[str, Any]) -> None:
    """What is wrong with the parameters and can be told at once."""
    _asked(settings, params)


def run(settings: Settings, params: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Verify `params["model"]`, or all there are where it is None; with `params["accept"]` files
    are taken as they are. Tells a verdict for each file and how many are damaged."""
    files, judge = _asked(settings, params)
    verdicts = verify(settings.base, files, progress, judge)
    damaged = sum(one.result in ("damaged", "unreadable") for one in verdicts)
    return {
        "model": params.get("model"),
        "files": [asdict(one) for one in verdicts],
        "damaged": damaged,
    }


def verify(
    base: BasePath, files: Sequence[Found], progress: Progress, judge: Judge
) -> list[Verdict]:
    """Read these files, and write down what `judge` makes of each."""
    known = by_catalog(base)
    tally = Tally("verify", sum(file.size_bytes for file in files), progress)
    return [_one(base, file, known.get(file.name), tally, judge) for file in files]


def judged(
    name: str, row: Facts | None, known: Known | None, found: Digested
) -> tuple[Facts, Verdict]:
    """Compare with what is known; what nobody knew before is known from now on."""
    expected = row.sha256 if row is not None else known.sha256 if known is not None else None
    right = expected in (None, found.sha256)
    result: Result = "recorded" if expected is None else "verified" if right else "damaged"
    facts_now = _facts(row, known, found)
    if not right:
        assert expected is not None
        facts_now = replace(facts_now, sha256=expected, found=found.sha256)
    return facts_now, Verdict(name, result, found.sha256, expected, found.size_bytes)


def accepted(
    name: str, row: Facts | None, known: Known | None, found: Digested
) -> tuple[Facts, Verdict]:
    """Take the file as it is: from now on that is what it should be."""
    is_same = row is not None and row.sha256 == found.sha256
    facts_now = _facts(row if is_same else None, known if _is(known, found) else None, found)
    return facts_now, Verdict(
        name, "verified" if is_same else "accepted", found.sha256, None, found.size_bytes
    )


def _is(known: Known | None, found: Digested) -> bool:
    return known is not None and known.sha256 == found.sha256


def _facts(row: Facts | None, known: Known | None, found: Digested) -> Facts:
    source = row.source if row is not None else known.source if known is not None else ""
    licence = known.licence if known is not None else None
    return Facts(
        found.sha256,
        found.size_bytes,
        found.modified_ns,
        source,
        now(),
        licence=row.licence if row is not None and row.licence else licence,
        revision=row.revision if row is not None else None,
    )


def _asked(settings: Settings, params: Mapping[str, Any]) -> tuple[Sequence[Found], Judge]:
    wanted, accept = params.get("model"), params.get("accept", False)
    if not isinstance(wanted, str | None) or not isinstance(accept, bool):
        raise InvalidArgument("model: expected a model's id, and true or false for accept")
    judge = accepted if accept else judged
    if wanted is None:
        return walk.find_all(settings.base.models), judge
    configs = configured_if_valid(settings)
    return index.locate(index.scan(settings.base.models, configs), wanted).files, judge


def _one(base: BasePath, file: Found, known: Known | None, tally: Tally, judge: Judge) -> Verdict:
    try:
        found = digest(file.path, tally)
    except OSError as error:
        return Verdict(file.name, "unreadable", None, None, file.size_bytes, error.strerror)
    verdicts: list[Verdict] = []

    def changed(rows: dict[str, Facts]) -> dict[str, Facts]:
        row, verdict = judge(file.name, rows.get(file.name), known, found)
        verdicts.append(verdict)
        return {**rows, file.name: row}

    try:
        facts.change(base.models, changed)
    except OSError as error:
        raise ServerError(
            f"the index of {base.models} cannot be written: {error.strerror}"
        ) from error
    return verdicts[-1]
