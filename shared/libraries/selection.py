"""The choice of a build on this machine: what is installed, what there is to compute on, and what
was tried."""

from __future__ import annotations

import dataclasses
from typing import cast

from kronk.shared.settings import Settings
from kronk.shared.wire.loading import LibrarySpec

from . import builds, host, proof
from .builds import Build
from .choose import Choice, Wanted, choose
from .host import Host


def spec_for(settings: Settings, processor: str | None) -> LibrarySpec:
    """What a worker is told; `processor` is the model's own wish. Tries a build that was never
    tried here, which takes some seconds."""
    chosen = chosen_for(settings, processor)
    return LibrarySpec(
        str(chosen.folder) if chosen.folder is not None else None, chosen.name, chosen.reason
    )


def chosen_for(settings: Settings, processor: str | None = None) -> Choice:
    """The same, as it is shown to people."""
    there = builds.installed(settings.libraries)
    wanted = cast(Wanted, processor or settings.processor)
    # Nothing is looked for where there is nothing to choose from.
    machine = host_of(settings) if there or wanted not in ("auto", "bundled") else host.NOWHERE
    return choose(wanted, settings.lib_version, there, machine, fault)


def host_of(settings: Settings) -> Host:
    """This machine, or the one that the settings are for."""
    here = host.detect()
    return dataclasses.replace(
        here,
        system=settings.os or here.system,
        architecture=settings.arch or here.architecture,
    )


def is_for_here(build: Build) -> bool:
    """Whether it could be tried on this machine."""
    here = host.detect()
    return (build.system, build.architecture) == (here.system, here.architecture)


def fault(build: Build) -> str | None:
    """Why a build cannot be used here; None when it can."""
    if not is_for_here(build):
        return f"it is for {build.system} {build.architecture}"
    found = proof.proven(build.folder)
    if not found.ok:
        return found.reason
    if build.processor != "cpu" and not found.gpus:
        return "it finds no GPU here"
    return None
