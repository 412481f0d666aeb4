"""A database that cannot be used is put aside before anybody opens it, and the server starts."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import structlog

from kronk.shared.security.counters import DATA, SAVED

COMMAND = (sys.executable, "-P", "-m", "kronk.gateway.probe_database")
# Seconds for a look at all its keys. A disk that takes longer is slow, and not a broken file.
_LOOK_WITHIN = 20.0
# How a process ends that looks at broken pages.
_BY_DAMAGE = (signal.SIGBUS, signal.SIGSEGV, signal.SIGABRT, signal.SIGFPE)
LOCK = "lock.mdb"
_DATABASE = (DATA, LOCK)

log = structlog.get_logger()


def mend_all(database: Path, files: Path, counters: Path) -> None:
    """See that all of it can be used. Both databases at once: to look at one takes a process."""
    looking = threading.Thread(target=mend_counters, args=(counters,), name="mend-counters")
    looking.start()
    mend(database, files)
    looking.join()


def mend(database: Path, files: Path) -> None:
    """See that both folders can be used. With a database that is broken go the files that it has
    the records of: without them they are nobody's, and would be swept."""
    try:
        _mend(database, files)
    except OSError as error:
        # Who opens it will meet the same, and says so.
        log.error("cannot look at the database", folder=str(database), reason=error.strerror)


def _mend(database: Path, files: Path) -> None:
    for folder in (database, files):
        if folder.is_symlink() and not folder.exists():
            continue
        if folder.exists() and not folder.is_dir():
            _aside(folder, folder, "it is not a folder")
    for name in ("lock.mdb", "jobs.lock"):
        if (database / name).is_dir():
            _aside(database / name, database, "it is a folder")
    if (files / ".lock").is_dir():
        _aside(files / ".lock", files, "it is a folder")
    fault = _missing(database, files) or _fault(database)
    if fault is None:
        return
    kept = _place(database)
    kept.mkdir(mode=0o700, parents=True)
    for name in _DATABASE:
        if (database / name).exists():
            (database / name).rename(kept / name)
    if files.is_dir():
        files.rename(kept / files.name)
    log.error(
        "the database was broken, and is put aside with the uploaded files: stored responses, "
        "files, batches, jobs and logins begin anew",
        reason=fault,
        kept=str(kept),
    )


def mend_counters(folder: Path) -> None:
    """See that the counters can be used. In the place of broken ones comes their last copy: who had
    used up a limit then has not got it anew."""
    try:
        _mend_counters(folder)
    except OSError as error:
        log.error("cannot look at the counters", folder=str(folder), reason=error.strerror)


def _mend_counters(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        _aside(folder, folder, "it is not a folder")
    if (folder / LOCK).is_dir():
        _aside(folder / LOCK, folder, "it is a folder")
    fault = _counters_fault(folder)
    if fault is None:
        return
    kept = _place(folder)
    kept.mkdir(mode=0o700)
    for name in _DATABASE:
        if (folder / name).exists():
            (folder / name).rename(kept / name)
    was_saved = _restore(folder, kept)
    log.error(
        "the counters of calls were broken and are put aside",
        reason=fault,
        kept=str(kept),
        now="a copy, minutes old" if was_saved else "they begin anew",
    )


def _counters_fault(folder: Path) -> str | None:
    data = folder / DATA
    if data.is_dir():
        return "data.mdb is a folder"
    if (folder / SAVED).exists() and not data.exists():
        return "data.mdb is gone"
    return _fault(folder) if data.exists() else None


def _restore(folder: Path, kept: Path) -> bool:
    saved = folder / SAVED
    if not saved.exists():
        return False
    saved.rename(folder / DATA)
    if _fault(folder) is None:
        return True
    (folder / DATA).rename(kept / SAVED)
    (folder / LOCK).unlink(missing_ok=True)
    return False


def _missing(database: Path, files: Path) -> str | None:
    """Why there are no records, where there is nothing to look at."""
    data = database / "data.mdb"
    if data.is_dir():
        return "data.mdb is a folder"
    has_files = files.is_dir() and any(path.name != ".lock" for path in files.iterdir())
    return "data.mdb is gone" if has_files and not data.exists() else None


def _fault(database: Path) -> str | None:
    try:
        done = subprocess.run(
            [*COMMAND, str(database)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_LOOK_WITHIN,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode == 1 and done.stdout:
        return done.stdout.decode(errors="replace").strip()
    if -done.returncode in _BY_DAMAGE:
        return f"it ended the process that looked at it: {signal.Signals(-done.returncode).name}"
    return None


def _aside(path: Path, of: Path, why: str) -> None:
    kept = _place(of)
    if path != of:
        kept.mkdir(mode=0o700)
    path.rename(kept / path.name if path != of else kept)
    log.error(
        "something was in the way and is put aside", path=str(path), reason=why, kept=str(kept)
    )


def _place(folder: Path) -> Path:
    """A name that says what it was and when; a second one in the same second gets another."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    names = (f"{folder.name}.broken-{stamp}{end}" for end in ("", *(f"-{n}" for n in range(1, 99))))
    return next(place for name in names if not (place := folder.with_name(name)).exists())
