"""Private keys as files: which of a folder's are good, and how a new one is written."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import structlog

from kronk.shared.files import write_atomically

if TYPE_CHECKING:
    # A tenth of a second, which a server that asks nobody for a token need not wait for.
    from cryptography.hazmat.primitives.asymmetric import rsa

MASTER = "master"
_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
UUID = re.compile(_UUID)
KID = re.compile(f"{MASTER}|{_UUID}")

_ENDING = ".pem"
_BITS = 2048
_MOST_BITS = 8192
# A key of 8192 bits takes 6.4 KB.
_MOST_BYTES = 64 * 1024
_OTHERS = stat.S_IRWXG | stat.S_IRWXO

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Key:
    """A key pair that signs tokens. `created` is its file's time, seconds since the epoch."""

    kid: str
    created: float
    private: rsa.RSAPrivateKey = field(repr=False)
    public: rsa.RSAPublicKey = field(repr=False)


class Facts(NamedTuple):
    """What tells one state of a file from another; times are nanoseconds since the epoch."""

    mode: int
    owner: int
    inode: int
    modified: int
    changed: int
    size: int


@dataclass(frozen=True, slots=True)
class KeyFile:
    """What a file was found to be; it is not read again before its facts change."""

    facts: Facts
    # None for a file that is no good as a key.
    key: Key | None


class _NoGood(Exception):
    """Why a file is not used as a key."""


def path_of(folder: Path, kid: str) -> Path:
    """Where the key of that id is. The id must be one by `KID`."""
    assert KID.fullmatch(kid), "an id is checked before it is part of a path"
    return folder / (kid + _ENDING)


def read_folder(folder: Path, known: Mapping[str, KeyFile]) -> dict[str, KeyFile]:
    """All files of the folder that are keys by their names, by id; a file that is no good is said
    to the log, once in each of its states. Nothing where there is no folder; other errors of the
    disk are raised."""
    found: dict[str, KeyFile] = {}
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return found
    for entry in entries:
        if not entry.name.endswith(_ENDING) or entry.name.startswith("."):
            continue
        kid = entry.name.removesuffix(_ENDING)
        try:
            facts = _facts(entry.stat(follow_symlinks=False))
            same = known.get(kid)
            found[kid] = same if same and same.facts == facts else _look_at(folder, kid, facts)
        except FileNotFoundError:
            # Deleted since the folder was listed.
            continue
    return found


def write_new(folder: Path, kid: str) -> None:
    """Make a key and write it, whole or not at all. Takes about 0.1 s, at times a second."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    write_atomically(path_of(folder, kid), pem, 0o600)


def read_private(path: Path) -> bytes:
    """The bytes of a file that is to be ours alone; its permissions are made so, with a warning.

    `ValueError` says why it is not trusted, `OSError` why it cannot be read.
    """
    # Without waiting: a pipe of that name would hold up the server for ever.
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode):
            raise ValueError("it is not a file")
        if facts.st_uid not in (os.geteuid(), path.parent.stat().st_uid, 0):
            raise ValueError("it belongs to another user")
        if facts.st_mode & _OTHERS:
            _make_private(handle, path)
        if facts.st_size > _MOST_BYTES:
            raise ValueError("it is too large")
        return os.read(handle, _MOST_BYTES)
    finally:
        os.close(handle)


def _make_private(handle: int, path: Path) -> None:
    try:
        os.fchmod(handle, 0o600)
    except OSError as error:
        raise ValueError("others may read or write it, and that cannot be changed") from error
    log.warning(
        "others could read or write a secret file; its permissions are now 0600. If somebody may "
        "have read it, delete it",
        file=str(path),
    )


def _look_at(folder: Path, kid: str, facts: Facts) -> KeyFile:
    try:
        return KeyFile(facts, _read(folder, kid, facts))
    except _NoGood as error:
        log.warning(
            "a file among the keys is not used as a key",
            file=str(folder / (kid + _ENDING)),
            reason=str(error),
        )
        return KeyFile(facts, None)


def _read(folder: Path, kid: str, facts: Facts) -> Key:
    if not KID.fullmatch(kid):
        raise _NoGood("its name is neither master nor a UUID")
    if stat.S_ISLNK(facts.mode):
        raise _NoGood("it is a link")
    try:
        pem = read_private(path_of(folder, kid))
    except PermissionError as error:
        raise _NoGood("this user may not read it") from error
    except ValueError as error:
        raise _NoGood(str(error)) from error
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    try:
        # Without the test for primes, which takes 40 ms on the way of a request. What is signed is
        # verified before it is given out.
        private = serialization.load_pem_private_key(pem, None, unsafe_skip_rsa_key_validation=True)
    except TypeError as error:
        raise _NoGood("it has a password") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _NoGood("it is no private key in PEM") from error
    if not isinstance(private, rsa.RSAPrivateKey):
        raise _NoGood("it is not an RSA key")
    if not _BITS <= private.key_size <= _MOST_BITS:
        raise _NoGood(f"it has {private.key_size} bits, not {_BITS} to {_MOST_BITS}")
    return Key(kid, facts.modified / 1e9, private, private.public_key())


def _facts(found: os.stat_result) -> Facts:
    return Facts(
        found.st_mode,
        found.st_uid,
        found.st_ino,
        found.st_mtime_ns,
        found.st_ctime_ns,
        found.st_size,
    )
