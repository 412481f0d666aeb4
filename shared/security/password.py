"""The password of the browser's login: made once, shown once, kept as a scrypt hash.

Sessions and the count of failed logins carry the password's `id`, so that a new password ends them
all, whoever writes it and whether or not a server runs.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import hmac
import json
import logging
import os
import secrets
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kronk.shared.errors import InvalidArgument, ServerError
from kronk.shared.files import hand_over, write_atomically

log = logging.getLogger(__name__)

# Without those that are taken for one another: i, j, l and 1; o and 0.
_LETTERS = "abcdefghkmnpqrstuvwxyz23456789"
# Twenty letters of thirty: 98 bits.
_GROUPS, _GROUP = 5, 4
SHORTEST, LONGEST = 12, 1024
_SALT_BYTES, _HASH_BYTES = 16, 32
_PRIVATE = 0o600
# What a file may ask for: one that was tampered with must not take the machine's memory.
_MOST_MEMORY = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Cost:
    """scrypt's parameters; memory is `128 * n * r` bytes, time grows with `p` beside."""

    n: int = 2**15
    r: int = 8
    p: int = 3

    @property
    def memory(self) -> int:
        """Bytes that OpenSSL must be allowed, which counts a little more."""
        return 128 * self.r * (self.n + self.p + 2)


@dataclass(frozen=True, slots=True)
class Stored:
    """What is known of a password. `id` is another one for each password that is set."""

    id: str
    cost: Cost
    salt: bytes
    digest: bytes


# Of new passwords: a quarter of a second of a core, and 32 MiB.
USUAL = Cost()


def password_file(keys: Path) -> Path:
    """JSON: the hash."""
    return keys / "password"


def first_file(keys: Path) -> Path:
    """The first password itself, where no terminal could show it; gone after the first login."""
    return keys / "first-password"


def make() -> str:
    """A random password that can be read out and typed."""
    letters = [secrets.choice(_LETTERS) for _ in range(_GROUPS * _GROUP)]
    groups = ["".join(letters[at : at + _GROUP]) for at in range(0, len(letters), _GROUP)]
    return "-".join(groups)


def is_right(text: str, stored: Stored | None) -> bool:
    """Whether that is the password. Takes as long where there is none; call it in a thread."""
    known = stored or Stored("", USUAL, bytes(_SALT_BYTES), bytes(_HASH_BYTES))
    digest = _digest(text, known.cost, known.salt)
    return hmac.compare_digest(digest, known.digest) and stored is not None


def check_choice(text: str) -> None:
    """`InvalidArgument` for a password that somebody must not choose."""
    if not SHORTEST <= len(_typed(text)) <= LONGEST:
        raise InvalidArgument(
            f"Invalid value for 'password': expected {SHORTEST} to {LONGEST} characters",
            param="password",
        )


def read(keys: Path) -> Stored | None:
    """The password in force, None where there is none; `ServerError` for a file that is broken."""
    path = password_file(keys)
    try:
        return _parsed(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise ServerError(
            f"{path} cannot be read, and nobody can log in: "
            "`kronk security password reset --local` makes a new one"
        ) from error


def ensure(keys: Path, *, is_shown: bool) -> str | None:
    """Make the first password, and return it; None where there is one, or a broken file.

    Unless the caller `is_shown` to somebody who sees it, it is written to `first_file` as well.
    Two who do this at once make one password.
    """
    with _alone(keys):
        if os.path.lexists(password_file(keys)):
            return None
        text = make()
        # First: a crash in between leaves a password that nobody has, and that the next one
        # replaces, and never one that nobody knows.
        if not is_shown:
            write_atomically(first_file(keys), f"{text}\n".encode(), _PRIVATE)
        _write(keys, text, USUAL)
        return text


def change(keys: Path, text: str, cost: Cost | None = None) -> Stored:
    """Put another password in force at once. All sessions end."""
    with _alone(keys):
        stored = _write(keys, text, cost or USUAL)
        forget_first(keys)
        return stored


def reset(keys: Path) -> str:
    """Put a new random password in force, and return it."""
    text = make()
    change(keys, text)
    return text


def forget_first(keys: Path) -> None:
    """The first password has been seen: the file that has it goes."""
    first_file(keys).unlink(missing_ok=True)


class Watched:
    """The password in force, read again when its file has changed: one stat for each question."""

    def __init__(self, keys: Path) -> None:
        self._keys = keys
        self._lock = threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._stored: Stored | None = None

    @property
    def keys(self) -> Path:
        """The folder it is in."""
        return self._keys

    def current(self) -> Stored | None:
        """None where there is none, or none that can be read; the log has said so then."""
        with self._lock:
            seen = self._look()
            if seen != self._seen:
                self._seen, self._stored = seen, self._read()
            return self._stored

    def _look(self) -> tuple[int, int, int] | None:
        try:
            facts = password_file(self._keys).stat()
        except OSError:
            return None
        return facts.st_mtime_ns, facts.st_ino, facts.st_size

    def _read(self) -> Stored | None:
        try:
            return read(self._keys)
        except ServerError as error:
            log.error("%s", error.message)
            return None


def _write(keys: Path, text: str, cost: Cost) -> Stored:
    salt = secrets.token_bytes(_SALT_BYTES)
    stored = Stored(secrets.token_hex(8), cost, salt, _digest(text, cost, salt))
    row = {
        "id": stored.id,
        "scrypt": {"n": cost.n, "r": cost.r, "p": cost.p},
        "salt": base64.b64encode(salt).decode(),
        "hash": base64.b64encode(stored.digest).decode(),
    }
    write_atomically(password_file(keys), f"{json.dumps(row)}\n".encode(), _PRIVATE)
    return stored


def _parsed(row: Any) -> Stored:
    numbers = row["scrypt"]
    cost = Cost(*(int(numbers[name]) for name in ("n", "r", "p")))
    salt, digest = (base64.b64decode(row[name], validate=True) for name in ("salt", "hash"))
    name = row["id"]
    is_sound = cost.n > 1 and cost.n & (cost.n - 1) == 0 and cost.r > 0 and 0 < cost.p <= 64
    if not is_sound or cost.memory > _MOST_MEMORY or len(digest) != _HASH_BYTES or len(salt) < 8:
        raise ValueError("not a hash that we write")
    if not isinstance(name, str) or not name:
        raise ValueError("without an id")
    return Stored(name, cost, salt, digest)


def _digest(text: str, cost: Cost, salt: bytes) -> bytes:
    return hashlib.scrypt(
        _typed(text).encode(errors="replace"),
        salt=salt,
        n=cost.n,
        r=cost.r,
        p=cost.p,
        maxmem=cost.memory,
        dklen=_HASH_BYTES,
    )


def _typed(text: str) -> str:
    # What is pasted has a space or a line's end about it, and keyboards differ in how they compose.
    return unicodedata.normalize("NFC", text.strip())


@contextmanager
def _alone(keys: Path) -> Iterator[None]:
    if not keys.is_dir():
        keys.mkdir(mode=0o700, parents=True, exist_ok=True)
        hand_over(keys, keys.parent)
    # The file stays: deleting it would let two processes lock two files of one name.
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    handle = os.open(keys / ".password.lock", flags, _PRIVATE)
    try:
        hand_over(handle, keys)
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
