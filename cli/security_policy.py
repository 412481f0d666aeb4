"""`kronk security policy`: policies of somebody's own, tried before a server uses them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from kronk.shared import exits
from kronk.shared.errors import Internal, InvalidArgument
from kronk.shared.trial import run

from .columns import aligned
from .local import AsJson

policy_app = typer.Typer(
    help="Try policies of your own.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_HEADS = ("CLASS", "CALLER", "SHIPPED", "FOLDER", "MODES")


@policy_app.command("check")
def check(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder of Rego policies, as for --policy-dir.")
    ],
    as_json: AsJson = False,
) -> None:
    """Compile policies, ask them about every mode, class of routes and kind of caller, and show
    where they decide otherwise than those that Kronk comes with."""
    # The engine is not ours: a policy that ends it ends only the child.
    ended = run("-m", "kronk.gateway.access.policy.check", str(folder.absolute()))
    if "differs" not in ended.facts:
        raise Internal(f"the policies could not be tried: {ended.cause}")
    if as_json:
        print(json.dumps(ended.facts))
    if ended.facts["error"] is not None:
        if as_json:
            raise typer.Exit(exits.USAGE)
        raise InvalidArgument(ended.facts["error"])
    if not as_json:
        print("\n".join(page(ended.facts)))


def page(report: dict[str, Any]) -> Iterator[str]:
    """For people."""
    yield f"policies {report['policy']}: {', '.join(report['files'])}"
    differs = report["differs"]
    if not differs:
        yield f"they decide all {report['asked']} questions as the shipped ones do"
        return
    yield f"they decide {len(differs)} of {report['asked']} questions otherwise:"
    yield ""
    # What is the same in several modes is one line.
    modes: dict[tuple[str, ...], list[str]] = {}
    for one in differs:
        modes.setdefault(_row(one), []).append(one["mode"])
    yield from aligned(_HEADS, [(*row, ", ".join(found)) for row, found in modes.items()])


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    kind = f"{one['class']} {one['endpoint'] or ''}".strip()
    return (kind, one["caller"], _said(one["shipped"]), _said(one["folder"]))


def _said(decision: dict[str, Any]) -> str:
    return "yes" if decision["allow"] else f"no: {decision['reason']}"
