"""Pulls as tests make them: of a small file, from a server on this machine, without waiting."""

from __future__ import annotations

import hashlib
import os
import struct
import zipfile
from pathlib import Path

import huggingface_hub.constants
import pytest

from harness.gguf_bytes import STRING, entry, padded, string
from kronk.shared.models.fetching import Progress
from kronk.shared.models.patience import Patience
from kronk.shared.models.plan import Item, Plan
from kronk.shared.models.planning import plan
from kronk.shared.models.pull import pull
from kronk.shared.models.sources import parse
from kronk.shared.paths import BasePath
from kronk.shared.settings import resolve


def gguf(data: bytes) -> bytes:
    """A file with a header that is right and a tensor of those bytes, a multiple of 32."""
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, 1)
    head += entry("general.architecture", STRING, string("llama"))
    # Its name, one dimension, F32, and where it begins.
    head += string("t") + struct.pack("<IQIQ", 1, len(data) // 4, 0, 0)
    return head.ljust(padded(len(head)), b"\0") + data


BODY = gguf(bytes(range(256)) * 40)
SHA = hashlib.sha256(BODY).hexdigest()
RELATIVE = "org/fam/m.gguf"


class Steps(list[tuple[str, int, int | None]]):
    """A progress callback that remembers."""

    def __call__(self, phase: str, done: int, total: int | None) -> None:
        self.append((phase, done, total))

    @property
    def phases(self) -> list[str]:
        return list(dict.fromkeys(phase for phase, _, _ in self))


class Pauses(list[float]):
    """The waits there would have been, without the part that is up to chance."""

    @property
    def patience(self) -> Patience:
        return Patience(self.append, chance=lambda: 1.0)


def one(source: str, sha256: str | None = SHA, size: int | None = len(BODY)) -> Plan:
    """A plan of one file."""
    return Plan(source, "m", (Item(parse(source), RELATIVE, sha256, size),))


def typed(source: str) -> Plan:
    """What the source means where nothing more is said."""
    return plan(resolve({}, {}), source)


def pulled(
    base: BasePath,
    wanted: Plan,
    steps: Progress | None = None,
    *,
    token: str | None = None,
    pauses: Pauses | None = None,
) -> Path:
    """The pull itself."""
    patience = (pauses if pauses is not None else Pauses()).patience
    return pull(base, wanted, steps if steps is not None else Steps(), token, patience)


def interrupted(base: BasePath, wanted: Plan, token: str | None = None) -> None:
    """A pull that the user stops when the connection breaks for the first time."""

    def stop(seconds: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull(base, wanted, Steps(), token, Patience(stop))


def left_over(base: BasePath) -> list[str]:
    """What a pull left in the downloads folder, but for lock files."""
    if not base.downloads.exists():
        return []
    return sorted(path.name for path in base.downloads.iterdir() if path.suffix != ".lock")


def part_of(base: BasePath) -> Path:
    """The partial file of the only pull there was."""
    (part,) = base.downloads.glob("*.part")
    return part


def without_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is not waited for: no test can cut its power."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


def hub_is(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """The hub's library asks that server and nobody else."""
    constants = huggingface_hub.constants
    monkeypatch.setattr(constants, "ENDPOINT", url)
    template = url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)


def pip_finds(monkeypatch: pytest.MonkeyPatch, links: Path) -> None:
    """pip sees that folder's wheels and nothing else."""
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))


def make_wheel(folder: Path, files: dict[str, bytes]) -> Path:
    """`pack==1.0`, with those files."""
    folder.mkdir(exist_ok=True)
    path = folder / "pack-1.0-py3-none-any.whl"
    info = "pack-1.0.dist-info"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: pack\nVersion: 1.0\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return path
