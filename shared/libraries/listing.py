"""What is installed, what there is to compute on, and what is used: for people and scripts."""

from __future__ import annotations

from typing import Any

from kronk.shared.settings import Settings

from . import builds, proof, selection, versions
from .builds import Build
from .host import PROCESSORS
from .proof import BINDING


def describe(settings: Settings) -> dict[str, Any]:
    """JSON. Tries what was installed and never tried here, which takes some seconds each."""
    machine = selection.host_of(settings)
    chosen = selection.chosen_for(settings)
    rows = [
        _row(build, is_used=build.folder == chosen.folder)
        for build in builds.installed(settings.libraries)
    ]
    return {
        "object": "libs",
        "path": str(settings.libraries),
        "os": machine.system,
        "arch": machine.architecture,
        "glibc": machine.glibc,
        "processors": [
            {"name": name, "usable": machine.has(name), "found": machine.words(name)}
            for name in PROCESSORS
        ],
        "binding": f"{BINDING} {proof.binding()}",
        "matching_version": versions.MATCHING,
        "wanted": settings.processor,
        "used": chosen.name,
        "reason": chosen.reason,
        "data": rows,
    }


def _row(build: Build, *, is_used: bool) -> dict[str, Any]:
    note, shown = build.note(), None
    if selection.is_for_here(build):
        shown = proof.recorded(build.folder)
    return {
        "os": build.system,
        "arch": build.architecture,
        "processor": build.processor,
        "version": build.version,
        "used": is_used,
        # Of a build for another machine, or one that nobody wanted yet, nothing is known.
        "works": None if shown is None else shown.ok,
        "reason": None if shown is None or shown.ok else shown.reason,
        "devices": [] if shown is None else shown.gpus,
        "commit": None if shown is None else shown.facts.get("commit"),
        "proven": None if shown is None else shown.when,
        "source": _text(note.get("source")),
        "sha256": _text(note.get("sha256")),
        "installed": _text(note.get("installed")),
        "path": str(build.folder),
    }


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
