"""The browser UI's sources and built files, and whether the ones are of the others; only the
standard library, because this runs before anything is installed."""

from __future__ import annotations

import enum
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

# Of what nothing is built: what npm put there, hidden files (editors' among them), reports.
_NOT_SOURCES = frozenset({"node_modules", "coverage", "dist"})
_STAMP = "stamp.json"


class State(enum.Enum):
    """What there is to do about the UI."""

    SKIPPED = "KRONK_SKIP_UI asks for no UI"
    ABSENT = "there are no sources here, or no lock file"
    CURRENT = "what is built is of these sources"
    STALE = "it was never built, or its sources have changed since"


@dataclass(frozen=True)
class Tree:
    """A checkout, or an unpacked sdist, by its root folder."""

    root: Path

    @property
    def ui(self) -> Path:
        return self.root / "web" / "ui"

    @property
    def static(self) -> Path:
        """The built files, which the gateway serves."""
        return self.root / "web" / "static"

    @property
    def lock(self) -> Path:
        return self.ui / "package-lock.json"

    @property
    def build(self) -> Path:
        """For logs and marks; git ignores it."""
        return self.root / "build"

    def state(self, environ: Mapping[str, str]) -> State:
        if environ.get("KRONK_SKIP_UI", "") not in ("", "0"):
            return State.SKIPPED
        if not self.lock.is_file():
            return State.ABSENT
        return State.CURRENT if self.built() == self.sources() else State.STALE

    def sources(self) -> str:
        """A hash that changes when a source does, by name or content. The manual is one: the UI
        shows it."""
        digest = hashlib.sha256()
        for path in sorted([*_files(self.ui), *(self.root / "docs").glob("*.md")]):
            name = path.relative_to(self.root).as_posix().encode()
            text = path.read_bytes()
            digest.update(b"%d %s %d " % (len(name), name, len(text)))
            digest.update(text)
        return digest.hexdigest()

    def built(self) -> str | None:
        """The hash of the sources that the built files are of; None when there are none."""
        if not (self.static / "index.html").is_file():
            return None
        return _read(self.static / _STAMP, "sources")

    def adopt(self, fresh: Path, sources: str) -> None:
        """Put a folder of built files in the place of those before. A server that is running finds
        the ones or the others, and never half of them."""
        (fresh / _STAMP).write_text(json.dumps({"sources": sources}) + "\n", "utf-8")
        old = fresh.with_name("static.old")
        shutil.rmtree(old, ignore_errors=True)
        if self.static.exists():
            self.static.rename(old)
        fresh.rename(self.static)
        shutil.rmtree(old, ignore_errors=True)

    def has_modules(self) -> bool:
        """Whether what the lock file names was installed, to the end; a link is a developer's own
        affair, and not ours to fill."""
        if self._modules_mark.parent.is_symlink():
            return True
        return _read(self._modules_mark, "lock") == self._lock_hash()

    def note_modules(self) -> None:
        self._modules_mark.write_text(json.dumps({"lock": self._lock_hash()}), "utf-8")

    @property
    def _modules_mark(self) -> Path:
        # In the folder, so that deleting the folder deletes it too.
        return self.ui / "node_modules" / ".kronk.json"

    def _lock_hash(self) -> str:
        both = self.lock.read_bytes() + (self.ui / "package.json").read_bytes()
        return hashlib.sha256(both).hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name in _NOT_SOURCES:
                continue
            if entry.is_dir():
                yield from _files(Path(entry.path))
            else:
                yield Path(entry.path)


def _read(path: Path, key: str) -> str | None:
    try:
        value = json.loads(path.read_text("utf-8"))[key]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return str(value)
