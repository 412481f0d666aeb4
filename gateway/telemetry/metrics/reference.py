"""The table of all series in docs/observability.md, which a test holds to the catalog.

`python -m kronk.gateway.telemetry.metrics.reference` writes it anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from .catalog import SECTIONS, SPREADS, Section, Series

BEGIN = "<!-- series: written by kronk.gateway.telemetry.metrics.reference -->"
END = "<!-- end of series -->"


def lines() -> Iterator[str]:
    """Between the marks."""
    for section in SECTIONS:
        yield f"**{section.title}**"
        yield ""
        yield "| Series | Type | Labels | Meaning |"
        yield "| --- | --- | --- | --- |"
        yield from _rows(section)
        yield ""


def document(text: str) -> str:
    """The text, with the table as it should be."""
    before, rest = text.split(f"{BEGIN}\n")
    _, after = rest.split(f"{END}\n")
    return f"{before}{BEGIN}\n\n" + "\n".join(lines()) + f"\n{END}\n{after}"


def _rows(section: Section) -> Iterator[str]:
    for _, group in groupby(section.series, key=_base):
        several = list(group)
        one = several[0]
        names = f"`{one.name}`"
        meaning = one.meaning
        if len(several) > 1:
            names += ", " + ", ".join(f"`_{which}`" for which in SPREADS[1:])
            meaning = meaning.replace(f" ({SPREADS[0]})", "")
        kind = "untyped" if one.kind == "unknown" else one.kind
        labels = ", ".join(f"`{label}`" for label in one.labels)
        yield f"| {names} | {kind} | {labels} | {meaning} |"


def _base(one: Series) -> str:
    for which in SPREADS:
        if one.name.endswith(f"_{which}"):
            return one.name.removesuffix(which)
    return one.name


if __name__ == "__main__":
    from pathlib import Path

    path = Path("docs/observability.md")
    path.write_text(document(path.read_text()))
