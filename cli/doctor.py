"""`kronk doctor`: checks this machine and says what to do."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from kronk.shared.libraries import listing
from kronk.shared.settings import Settings, resolve
from kronk.shared.trial import Ended

from . import canary, checks, key_check
from .checks import Finding, Grade
from .options import ApiHost, BasePathOption
from .progress import waiting

doctor_app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

_COLOURS = {Grade.OK: "green", Grade.WARN: "yellow", Grade.FAIL: "red"}


@doctor_app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="A JSON list, for scripts.")] = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Check this machine and say what to do; exits with 1 when something fails."""
    settings = resolve({"api_host": api_host, "base_path": base_path}, os.environ)
    console = Console(highlight=False, soft_wrap=True)
    findings: list[Finding] = []
    for finding in found(settings):
        findings.append(finding)
        if not as_json:
            _show(console, finding)
    if as_json:
        print(json.dumps([dataclasses.asdict(finding) for finding in findings], indent=2))
    if any(finding.grade is Grade.FAIL for finding in findings):
        raise typer.Exit(1)


def found(settings: Settings) -> Iterator[Finding]:
    """All checks, one after the other."""
    base = settings.base
    yield checks.python(sys.version_info[:3])
    yield from _of_llama()
    yield checks.builds(listing.describe(settings))
    yield checks.containment(_probed() if settings.sandbox else None)
    yield checks.models_folder(base.models)
    yield key_check.keys(base.keys)
    yield checks.port(settings.api_host, base)
    yield checks.memory(*checks.available_memory())
    yield checks.cores(checks.usable_cores())
    yield checks.sockets(base)
    yield checks.open_files()


def _of_llama() -> Iterator[Finding]:
    with waiting("Loading llama.cpp"):
        loaded = canary.import_library()
    yield checks.library(loaded)
    if loaded.code != 0:
        return
    with waiting("Decoding with a tiny model"):
        fast = canary.tiny_decode(extra_buffers=True)
        # Only a death tells of a wrong build; anything else would fail the same way again.
        plain = canary.tiny_decode(extra_buffers=False) if fast.signal else None
    yield checks.decode(fast, plain)
    yield checks.devices(fast, plain)


def _probed() -> Ended:
    with waiting("Trying to leave the sandbox"):
        return canary.probe()


def _show(console: Console, finding: Finding) -> None:
    line = Text(f"{finding.grade:<5}", _COLOURS[finding.grade])
    line.append(f"{finding.name:<11}{finding.said}", "default")
    console.print(line)
    if finding.advice:
        console.print(Text(f"     → {finding.advice}", "bold"))
