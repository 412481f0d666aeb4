"""`kronk diagnose`: a report for a bug ticket."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer

import kronk
from kronk.shared.diagnosis import page, redaction
from kronk.shared.diagnosis.origins import settings_or_nearest
from kronk.shared.diagnosis.report import Section, looked
from kronk.shared.errors import InvalidArgument
from kronk.shared.files import write_atomically

from .diagnose_looks import looks, redactor
from .local import AsJson
from .options import ApiHost, BasePathOption

diagnose_app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@diagnose_app.command()
def diagnose(
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write it there.", show_default=False),
    ] = None,
    no_bench: Annotated[
        bool, typer.Option("--no-bench", help="Without a benchmark of a few seconds.")
    ] = False,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Write a report for a bug ticket: machine, settings, models, failures; without secrets.

    Works without a server too, and says of what cannot be looked at why."""
    if output is not None and not output.absolute().parent.is_dir():
        raise InvalidArgument(f"--output: there is no folder {output.parent}", param="output")
    flags = {"api_host": api_host, "base_path": base_path}
    settings, wrong = settings_or_nearest(flags, os.environ)
    without_secrets = redactor(settings)
    sections: list[Section] = []
    before = _children()
    for look in looks(settings, wrong, flags, with_bench=not no_bench):
        print(f"looking at: {look.title}", file=sys.stderr)
        sections.append(looked(look, without_secrets))
    for child in _children() - before:
        # What a look had started when its time was over.
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
    when = time.strftime("%Y-%m-%d %H:%M:%S %z")
    text = _json(sections, when) if as_json else page.markdown(sections, when)
    if output is None:
        print(text, end="")
    else:
        write_atomically(output, text.encode(errors="replace"), 0o600)
        print(f"written to {output}")


def _json(sections: list[Section], when: str) -> str:
    document: dict[str, Any] = {
        "object": "diagnosis",
        "made": when,
        "kronk": kronk.__version__,
        "policy": redaction.POLICY,
        "sections": [dataclasses.asdict(section) for section in sections],
    }
    return json.dumps(document, indent=2, default=str) + "\n"


def _children() -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=True))
