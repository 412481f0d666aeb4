"""The builds that are installed, each in `<os>/<arch>/<processor>/<version>/` with a note of what
it is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kronk.shared.errors import InvalidArgument, NotFound
from kronk.shared.files import write_atomically

from .host import ARCHITECTURES, PROCESSORS, SYSTEMS, Processor
from .versions import number

# Beside the libraries: what they are, and what was tried with them.
NOTE, PROOF = "build.json", "proof.json"
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}")
_NUMBERS = re.compile(r"\d+")
_LARGEST_NOTE = 2**20


@dataclass(frozen=True, slots=True)
class Build:
    """One installed build; its folder is a complete one."""

    system: str
    architecture: str
    processor: Processor
    version: str
    folder: Path

    @property
    def name(self) -> str:
        """`b11312 vulkan`."""
        return f"{self.version} {self.processor}"

    def note(self) -> dict[str, Any]:
        """What was written down when it was installed; empty where nothing readable is."""
        return read_json(self.folder / NOTE)


def installed(root: Path) -> list[Build]:
    """All of them, the newest of a processor first. What is no build's folder is passed over."""
    found = [
        Build(system, architecture, processor, folder.name, folder)
        for system in SYSTEMS
        for architecture in ARCHITECTURES
        for processor in PROCESSORS
        for folder in _folders(root / system / architecture / processor)
    ]
    places = {processor: place for place, processor in enumerate(PROCESSORS)}
    return sorted(
        found,
        key=lambda one: (
            SYSTEMS.index(one.system),
            one.architecture,
            places[one.processor],
            *_newest_first(one.version),
        ),
    )


def pick(root: Path, system: str, architecture: str, processor: Processor, version: str) -> Build:
    """`NotFound` names those there are."""
    there = [
        build
        for build in installed(root)
        if (build.system, build.architecture, build.processor) == (system, architecture, processor)
    ]
    for build in there:
        if build.version == version:
            return build
    names = ", ".join(build.version for build in there) or "none"
    raise NotFound(
        f"lib_version {version:.100}: no such {processor} build for {system} {architecture} is "
        f"installed (there: {names})",
        param="lib_version",
    )


def folder_of(
    root: Path, system: str, architecture: str, processor: Processor, version: str
) -> Path:
    """Where it belongs; `InvalidArgument` for a version that is no name of a folder."""
    if not _VERSION.fullmatch(version):
        raise InvalidArgument(
            f"lib_version: expected a name of letters, digits and . _ + -, got {version!r:.100}",
            param="lib_version",
        )
    return root / system / architecture / processor / version


def write_note(folder: Path, note: dict[str, Any]) -> None:
    write_atomically(folder / NOTE, json.dumps(note, indent=1).encode())


def read_json(path: Path) -> dict[str, Any]:
    """An object; empty for whatever cannot be read as one."""
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(_LARGEST_NOTE))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _folders(processor: Path) -> Iterator[Path]:
    try:
        names = sorted(processor.iterdir())
    except OSError:
        return
    # The note is written last, and a build is given its name after that.
    yield from (
        path
        for path in names
        if _VERSION.fullmatch(path.name) and not path.is_symlink() and (path / NOTE).is_file()
    )


def _newest_first(version: str) -> tuple[int, tuple[int, ...], str]:
    parts = tuple(-int(part) for part in _NUMBERS.findall(version)[:4])
    return -number(version), parts, version
