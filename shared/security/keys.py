"""The keys that sign tokens: files in a folder, in memory while nothing changes there.

Any process may make or delete keys, and all see it with their next look: each look-up asks for the
folder's time stamp. A time stamp is as coarse as the clock of the file system, so two changes may
have the same; the folder is therefore read at each look-up until its last change is old.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from kronk.shared.errors import Conflict, InvalidArgument, NotFound, ServerError, Unauthenticated
from kronk.shared.files import hand_over, sync_folder, write_atomically

from . import tokens
from .grants import Grants
from .key_files import (
    KID,
    MASTER,
    Key,
    KeyFile,
    path_of,
    read_folder,
    read_private,
    write_new,
)

# Of the coarsest clock of a file system (FAT).
_SETTLES_AFTER = 2.0
# For what does not show in the folder: a file that is written over, a clock that was set back.
_LOOK_AGAIN_AFTER = 1.0
# Who makes a key has the lock for a second at most.
_LOCK_WITHIN = 30.0
_LOCK_POLL = 0.05
# Nanoseconds between the times of two keys, at least.
_LATER = 1_000_000
# Far more than anybody rotates; each is in the memory of each gateway.
_MOST_KEYS = 256
_ADMIN_FILE = "master.jwt"
_TEN_YEARS = 10 * 365 * 86400.0
# What is left where a process was killed while it wrote.
_LEFTOVERS = (".*.pem.*.tmp", f".{_ADMIN_FILE}.*.tmp")

log = structlog.get_logger()

_FolderStamp = tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class _Known:
    """What was read, and when; never changed, so that threads share it."""

    stamp: _FolderStamp
    # Both of the monotonic clock.
    stamp_since: float
    read_at: float
    revision: int
    files: Mapping[str, KeyFile] = field(default_factory=dict)
    keys: Mapping[str, Key] = field(default_factory=dict)

    def holds(self, stamp: _FolderStamp, now: float) -> bool:
        """Whether nothing can have changed since."""
        return (
            stamp == self.stamp
            and self.read_at - self.stamp_since >= _SETTLES_AFTER
            and now - self.read_at < _LOOK_AGAIN_AFTER
        )


class Keyring:
    """Key pairs by id: `master`, which signs the operator's own token, and signing keys.

    For any thread. Whatever needs the folder raises `ServerError` when it cannot be read; where
    there is no folder, there are no keys.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.folder = folder
        self._clock = clock
        self._reading = threading.Lock()
        self._known: _Known | None = None

    @property
    def stamp(self) -> int:
        """Another number whenever a key has come, gone or changed. Of this process only."""
        return self._current().revision

    @property
    def admin_file(self) -> Path:
        """The operator's own token: admin, for ten years."""
        return self.folder / _ADMIN_FILE

    def get(self, kid: str) -> Key | None:
        """The key of that id; the id may be any text."""
        return self._current().keys.get(kid)

    def list(self) -> tuple[Key, ...]:
        """The master key, then the others, newest first."""
        newest = sorted(self._current().keys.values(), key=_age, reverse=True)
        return tuple(sorted(newest, key=lambda key: key.kid != MASTER))

    @property
    def newest_signer(self) -> Key:
        """What signs new tokens; `Conflict` says what to do where there is none."""
        signers = [key for key in self.list() if key.kid != MASTER]
        if not signers:
            raise Conflict(
                f"there is no signing key in {self.folder}; make one with "
                "`kronk security key create`"
            )
        return signers[0]

    def create(self) -> Key:
        """Make a signing key, which signs from now on. Takes up to a second: not for a loop."""
        with self._alone():
            return self._create()

    def delete(self, kid: str) -> None:
        """Delete a signing key; its tokens are worth nothing from now on, in all processes."""
        if kid == MASTER:
            raise InvalidArgument(
                "the master key cannot be deleted: it signs the operator's own token",
                param="keyid",
            )
        if not KID.fullmatch(kid) or not self.folder.is_dir():
            raise _no_key(kid)
        with self._alone():
            try:
                path_of(self.folder, kid).unlink()
            except FileNotFoundError:
                raise _no_key(kid) from None
            except OSError as error:
                raise _cannot(f"delete {kid}", self.folder, error) from error
            sync_folder(self.folder)
            self._forget()

    def issuer_in_use(self) -> str | None:
        """Who the operator's token was issued by; None where there is no good one."""
        try:
            text = read_private(self.admin_file).decode("ascii", "replace").strip()
        except (OSError, ValueError):
            return None
        said = tokens.inspect(text, self, "", 0.0)
        issuer = (said.claims or {}).get("iss")
        return issuer if isinstance(issuer, str) and said.reason == tokens.OTHER_ISSUER else None

    def ensure(self, issuer: str, now: float) -> tuple[str, ...]:
        """See that there are a master key, the operator's token and a signing key; the names of
        the files that had to be made. Any number of processes may do so at once.

        The operator's token is made anew where it is of no use any more; one of another issuer is
        left, and reported in the log.
        """
        with self._alone():
            for pattern in _LEFTOVERS:
                for left in self.folder.glob(pattern):
                    left.unlink(missing_ok=True)
            made = [*self._ensure_master(), *self._ensure_signer()]
            if self._needs_admin_token(issuer, now):
                self._write_admin_token(issuer, now)
                made.append(_ADMIN_FILE)
        return tuple(made)

    def admin_token_fault(self, issuer: str, now: float) -> str | None:
        """Why the operator's token is not good; None when it is."""
        try:
            text = read_private(self.admin_file).decode("ascii", "replace").strip()
            tokens.verify(text, self, issuer, now)
        except FileNotFoundError:
            return "it is not there"
        except OSError as error:
            return f"it cannot be read: {error.strerror}"
        except ValueError as error:
            return str(error)
        except Unauthenticated as error:
            return error.reason
        return None

    def admin_subject(self, issuer: str, now: float) -> str | None:
        """Whose the operator's token is; None where there is no good one."""
        try:
            text = read_private(self.admin_file).decode("ascii", "replace").strip()
            return tokens.verify(text, self, issuer, now).subject
        except (OSError, ValueError, Unauthenticated):
            return None

    def replace_admin_token(self, issuer: str, now: float) -> None:
        """Another token for the operator, of another subject: his was revoked."""
        with self._alone():
            self._write_admin_token(issuer, now)

    # All below with the lock, but for `_current`.

    def _ensure_master(self) -> Iterator[str]:
        if self.get(MASTER) is not None:
            return
        path = path_of(self.folder, MASTER)
        if os.path.lexists(path):
            raise ServerError(
                f"{path} is not usable as a key (the log says why); put a copy of it back, or "
                "remove it: then a new one is made, and the operator's token with it"
            )
        self._write(MASTER)
        yield path.name

    def _ensure_signer(self) -> Iterator[str]:
        if self._current().keys.keys() <= {MASTER}:
            yield path_of(self.folder, self._create().kid).name

    def _create(self) -> Key:
        known = self._current()
        if len(known.files) >= _MOST_KEYS:
            raise Conflict(f"there are {len(known.files)} keys; delete some that nobody needs")
        kid = str(uuid.uuid4())
        self._write(kid)
        path = path_of(self.folder, kid)
        written = path.stat().st_mtime_ns
        # Two keys may be made within one tick of the file system's clock, or after it was set back.
        before = [file.facts.modified for name, file in known.files.items() if name != MASTER]
        if before and max(before) >= written:
            later = max(before) + _LATER
            os.utime(path, ns=(later, later))
            self._forget()
        key = self.get(kid)
        if key is None:
            raise ServerError(f"{path} was made, and cannot be read")
        return key

    def _write(self, kid: str) -> None:
        try:
            write_new(self.folder, kid)
        except OSError as error:
            raise _cannot("write a key", self.folder, error) from error
        self._forget()

    def _needs_admin_token(self, issuer: str, now: float) -> bool:
        fault = self.admin_token_fault(issuer, now)
        if fault in (tokens.OTHER_ISSUER, tokens.NOT_YET_VALID):
            log.warning(
                "the operator's token is not good for this server: remove it and start again for "
                "another one, or go back to the issuer that it is of",
                file=str(self.admin_file),
                reason=fault,
                issuer=issuer,
            )
            return False
        return fault is not None

    def _write_admin_token(self, issuer: str, now: float) -> None:
        master = self.get(MASTER)
        assert master is not None, "made before its token"
        issued = tokens.issue_with(
            master,
            issuer,
            duration=_TEN_YEARS,
            grants=Grants(),
            admin=True,
            name=MASTER,
            now=now,
        )
        try:
            write_atomically(self.admin_file, issued.token.encode() + b"\n", 0o600)
        except OSError as error:
            raise _cannot(f"write {_ADMIN_FILE}", self.folder, error) from error

    def _current(self) -> _Known:
        known = self._known
        if known is not None and known.holds(_stamp_of(self.folder), self._clock()):
            return known
        with self._reading:
            return self._read()

    def _read(self) -> _Known:
        # The stamp comes first: what changes while the files are read shows in the next one.
        stamp, now, last = _stamp_of(self.folder), self._clock(), self._known
        try:
            files = read_folder(self.folder, last.files if last else {})
        except OSError as error:
            raise _cannot("read the keys", self.folder, error) from error
        keys = {kid: file.key for kid, file in files.items() if file.key is not None}
        known = _Known(
            stamp,
            last.stamp_since if last and last.stamp == stamp else now,
            now,
            _revision(last, keys),
            files,
            keys,
        )
        self._known = known
        return known

    def _forget(self) -> None:
        """What this process has just changed is not to be found by a time stamp."""
        with self._reading:
            if self._known is not None:
                self._read()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """While no other process or thread changes the folder, which is made where there is none,
        and made private."""
        try:
            _make_private_folder(self.folder)
            handle = os.open(
                self.folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
            )
        except OSError as error:
            raise _cannot("change the keys", self.folder, error) from error
        try:
            hand_over(handle, self.folder)
            self._lock(handle)
            yield
        finally:
            os.close(handle)

    def _lock(self, handle: int) -> None:
        until = self._clock() + _LOCK_WITHIN
        while True:
            try:
                return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if self._clock() > until:
                    raise ServerError(
                        f"another process has been changing the keys in {self.folder} for "
                        f"{_LOCK_WITHIN:g} s"
                    ) from None
            time.sleep(_LOCK_POLL)


def folder_fault(folder: Path) -> str | None:
    """What is wrong with the folder's permissions; None when only its user may look into it, and
    when it is not there yet."""
    try:
        found = folder.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISDIR(found.st_mode):
        return "it is not a folder"
    mode = stat.S_IMODE(found.st_mode)
    return None if mode == 0o700 else f"its mode is {mode:04o}, not 0700"


def _make_private_folder(folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    if not folder.exists():
        folder.mkdir(mode=0o700, exist_ok=True)
        hand_over(folder, folder.parent)
    if folder_fault(folder) is not None:
        if any(folder.glob("*.pem")):
            log.warning(
                "others could look into the folder of the keys; its permissions are now 0700",
                folder=str(folder),
            )
        folder.chmod(0o700)


def _stamp_of(folder: Path) -> _FolderStamp:
    try:
        # Once for each request: Path's own takes three times as long.
        found = os.stat(folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _cannot("read the keys", folder, error) from error
    return (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns)


def _revision(last: _Known | None, keys: Mapping[str, Key]) -> int:
    if last is None:
        return 1
    # An unchanged file keeps its object.
    is_same = keys.keys() == last.keys.keys() and all(
        key is last.keys[kid] for kid, key in keys.items()
    )
    return last.revision if is_same else last.revision + 1


def _age(key: Key) -> tuple[float, str]:
    return key.created, key.kid


def _no_key(kid: str) -> NotFound:
    return NotFound(f"there is no key {kid[:64]!r}", param="keyid")


def _cannot(do: str, folder: Path, error: OSError) -> ServerError:
    return ServerError(f"cannot {do} in {folder}: {error.strerror}")
