"""Where a fetched repository is kept: a folder that is replaced as a whole.

`<parent>/repository` is a link to the hidden folder beside it that is in force; a rename changes
it from one state to the next. The state before stays until the next change, for those who still
read it.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from kronk.shared.errors import Conflict
from kronk.shared.files import sync_folder

from .fetched import Fetched

NAME = "repository"
_HIDDEN = ".repository-"
_ABOUT = ".about.json"


def current(parent: Path) -> Path | None:
    """The folder in force; None before the first."""
    link = parent / NAME
    if not link.is_symlink():
        # A copy of the base path that has no links.
        return link if link.is_dir() else None
    # What the link says, and nothing outside.
    target = parent / link.readlink().name
    return target if target.is_dir() else None


def about(parent: Path) -> dict[str, object]:
    """What was written down with the files in force; empty where nothing was."""
    folder = current(parent)
    if folder is None:
        return {}
    try:
        found = json.loads((folder / _ABOUT).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


class Change:
    """The way from one state to the next, while nobody else is on it."""

    def __init__(self, parent: Path) -> None:
        self._parent = parent
        # Empty, for whoever fetches; it goes with the change.
        self.scratch = parent / f"{_HIDDEN}{secrets.token_hex(8)}.tmp"

    def put(self, fetched: Fetched, files: Mapping[str, bytes]) -> dict[str, str | None]:
        """Put these of the fetched files in force; what is written down about them."""
        facts = {
            "repository": str(fetched.where),
            "revision": fetched.revision,
            "fetched": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        new = self._parent / f"{_HIDDEN}{secrets.token_hex(8)}"
        try:
            for name, data in {**files, _ABOUT: json.dumps(facts).encode()}.items():
                _write(new, name, data)
            before = current(self._parent)
            _switch(self._parent, new)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise
        _sweep(self._parent, {new, before})
        return facts


@contextmanager
def changing(parent: Path) -> Iterator[Change]:
    """A change of that folder's repository. `Conflict` while another process changes it."""
    parent.mkdir(parents=True, exist_ok=True)
    with _only_writer(parent):
        change = Change(parent)
        change.scratch.mkdir(mode=0o700)
        try:
            yield change
        finally:
            # And what changes left behind that were killed.
            for left in parent.glob(f"{_HIDDEN}*.tmp"):
                shutil.rmtree(left, ignore_errors=True)


def _sweep(parent: Path, kept: set[Path | None]) -> None:
    for old in parent.glob(f"{_HIDDEN}*"):
        if old not in kept and old.suffix != ".tmp":
            shutil.rmtree(old, ignore_errors=True)


def _write(folder: Path, name: str, data: bytes) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _switch(parent: Path, new: Path) -> None:
    link = parent / NAME
    if link.is_dir() and not link.is_symlink():
        # A copy of the base path that has no links.
        link.rename(parent / f"{_HIDDEN}{secrets.token_hex(8)}")
    sync_folder(new)
    temporary = parent / f".{NAME}.{secrets.token_hex(8)}.tmp"
    temporary.symlink_to(new.name)
    temporary.replace(link)
    sync_folder(parent)


@contextmanager
def _only_writer(parent: Path) -> Iterator[None]:
    with (parent / ".lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(f"another process is updating {parent}") from None
        yield
