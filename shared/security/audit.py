"""Who administered what: one line of JSON for each action, in `logs/audit.jsonl`.

Any number of processes write to it: each line is written whole, under a lock that a rotation takes
as well. What a lock's holder or a full disk keeps from being written is an error of the caller's
log, and no obstacle to the action. Lines have no tokens, no passwords and no prompts.
"""

from __future__ import annotations

import fcntl
import getpass
import json
import logging
import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, BinaryIO

from kronk.shared.errors import KronkError
from kronk.shared.files import hand_over
from kronk.shared.log import timestamp
from kronk.shared.paths import BasePath

log = logging.getLogger(__name__)

MOST_BYTES = 10 * 1024 * 1024
# The one that is written to, and four before it.
FILES_KEPT = 5
DONE, REFUSED, FAILED = "done", "refused", "failed"
# Characters of a text that somebody else chose.
_LONGEST = 300
_PRIVATE = 0o600
# Whoever holds the lock writes a line, or renames five files.
_LOCK_SECONDS, _POLL_SECONDS = 5.0, 0.002


@dataclass(frozen=True, slots=True)
class Entry:
    """One action. What is unknown is None."""

    # What was done, such as `login` or `load`, by which route, to what.
    action: str
    route: str | None = None
    target: str | None = None
    # Who did it: the subject and name of a token or session, and how it was proved.
    subject: str | None = None
    name: str | None = None
    via: str | None = None
    # The client's address.
    client: str | None = None
    # What it came to (`done`, `refused`, `failed`), the answer's status, and the error's code.
    result: str = DONE
    status: int | None = None
    code: str | None = None
    request_id: str | None = None
    # Refusals before this one for which no line was written.
    suppressed: int = 0
    # When it was over (ISO 8601, UTC), and a name of its own; given by `append`.
    time: str = ""
    id: str = ""


class AuditError(Exception):
    """A line could not be written; the message says why."""


def append(base: BasePath, entry: Entry, most_bytes: int = MOST_BYTES) -> Entry:
    """Write the entry as it is now, and return it with time and id. Blocks for the disk, and for
    other writers; raises `AuditError` when it is not written."""
    entry = _finished(entry)
    line = f"{json.dumps(asdict(entry), ensure_ascii=False)}\n".encode(errors="replace")
    path = base.audit_file
    try:
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
            hand_over(path.parent, base.root)
        with _locked(path):
            _make_room(path, len(line), most_bytes)
            _write(path, line)
    except OSError as error:
        raise AuditError(f"cannot write {path}: {error.strerror or error}") from error
    return entry


def note(base: BasePath, entry: Entry) -> None:
    """`append` for those who go on whatever becomes of it: a failure is an error in the log."""
    try:
        append(base, entry)
    except AuditError as error:
        log.error("an action is not in the audit log: %s; %s", error, asdict(_finished(entry)))


def read(
    base: BasePath, limit: int, after: str | None = None, *, action: str | None = None
) -> tuple[list[Entry], bool]:
    """The latest entries first, and whether there are more; those before the entry with the id
    `after`. Damaged lines are left out."""
    found: list[Entry] = []
    is_reached = after is None
    for entry in _latest_first(base.audit_file):
        if not is_reached:
            is_reached = entry.id == after
        elif action is None or entry.action == action:
            if len(found) == limit:
                return found, True
            found.append(entry)
    return found, False


@contextmanager
def by_operator(base: BasePath, action: str, target: str | None = None) -> Iterator[None]:
    """What a command does to this machine's files in the block, by whoever runs it."""
    entry = Entry(action, target=target, name=operator(), via="local")
    code: str | None = "internal"
    try:
        yield
        code = None
    except KronkError as error:
        code = error.code
        raise
    except KeyboardInterrupt:
        code = "cancelled"
        raise
    finally:
        note(base, replace(entry, result=DONE if code is None else FAILED, code=code))


def operator() -> str:
    """The user of the operating system; with sudo, the one who became root."""
    with suppress(OSError, KeyError):
        user = getpass.getuser()
        before = os.environ.get("SUDO_USER")
        return f"{user} (sudo by {before})" if before and os.getuid() == 0 else user
    # A user without a name, as containers have them.
    return f"uid {os.getuid()}"


def _finished(entry: Entry) -> Entry:
    cut: dict[str, Any] = {
        field.name: value[:_LONGEST]
        for field in fields(entry)
        if isinstance(value := getattr(entry, field.name), str)
    }
    return replace(
        entry,
        **cut
        | {"time": entry.time or timestamp(), "id": entry.id or f"audit-{secrets.token_hex(12)}"},
    )


# Writing.


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    # Not the file itself, which a rotation renames; and this one stays.
    lock = path.with_name(f".{path.name}.lock")
    handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, _PRIVATE)
    try:
        hand_over(handle, path.parent)
        deadline = time.monotonic() + _LOCK_SECONDS
        while not _had(handle):
            if time.monotonic() > deadline:
                raise TimeoutError(f"another process has held {lock} for {_LOCK_SECONDS:g} s")
            time.sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(handle)


def _had(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _make_room(path: Path, more: int, most_bytes: int) -> None:
    try:
        size = path.lstat().st_size
    except FileNotFoundError:
        return
    if not size or size + more <= most_bytes:
        return
    newest_first = _files(path)
    for older, newer in zip(newest_first[:0:-1], newest_first[-2::-1], strict=True):
        if os.path.lexists(newer):
            newer.replace(older)


def _write(path: Path, line: bytes) -> None:
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    handle = os.open(path, flags, _PRIVATE)
    try:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode):
            raise OSError("not a file")
        hand_over(handle, path.parent)
        size = facts.st_size
        # A power cut may have left half a line.
        is_whole = not size or os.pread(handle, 1, size - 1) == b"\n"
        data = line if is_whole else b"\n" + line
        written = os.write(handle, data)
        if written < len(data):
            # The disk is full: nothing is better than a part.
            os.ftruncate(handle, size)
            raise OSError("the disk is full")
    finally:
        os.close(handle)


# Reading.


def _files(path: Path) -> list[Path]:
    return [path, *(path.with_name(f"{path.name}.{n}") for n in range(1, FILES_KEPT))]


def _latest_first(path: Path) -> Iterator[Entry]:
    with ExitStack() as opened:
        for file in [opened.enter_context(file) for file in _opened(path)]:
            for line in reversed(file.read().split(b"\n")):
                entry = _parsed(line)
                if entry is not None:
                    yield entry


def _opened(path: Path) -> Iterator[BinaryIO]:
    """All files, the latest first, as they are now: a rotation while they are opened makes a file
    come twice, and none is missing."""
    seen = set()
    for each in _files(path):
        if not each.is_file():
            continue
        with suppress(FileNotFoundError):
            file = each.open("rb")
            facts = os.fstat(file.fileno())
            if (facts.st_dev, facts.st_ino) in seen:
                file.close()
            else:
                seen.add((facts.st_dev, facts.st_ino))
                yield file


def _parsed(line: bytes) -> Entry | None:
    try:
        row = json.loads(line)
        known = {name: row[name] for name in _NAMES if name in row}
    except (ValueError, TypeError, RecursionError):
        return None
    is_sound = all(_fits(name, value) for name, value in known.items())
    return Entry(**known) if is_sound and known.get("action") and known.get("id") else None


def _fits(name: str, value: object) -> bool:
    if name in ("status", "suppressed"):
        return isinstance(value, int) or (value is None and name == "status")
    return isinstance(value, str) or (value is None and name not in ("result", "time"))


_NAMES = tuple(field.name for field in fields(Entry))
