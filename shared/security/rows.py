"""The rows of the counters: how their keys and values are written, and what they say.

A row is what one subject did at one endpoint in one window of the calendar; the endpoint `ALL` is
all of them together, and has tokens only.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import lmdb

from .windows import Windows

ALL = ""
# Calls, tokens of prompts, tokens of answers.
_ROW = struct.Struct("<QQQ")
_LONGEST_NAME = 200
_AFTER_ALL_WINDOWS = b"\xff"
_DASHES_OF_A_DAY = 2

# What reading a row may raise, for who knows what to make of it.
Damaged = struct.error


@dataclass(frozen=True, slots=True, order=True)
class Used:
    """What a row says."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True)
class Usage:
    """What one subject did at one endpoint in the windows of now."""

    subject: str
    endpoint: str
    day: Used
    month: Used
    year: Used


@lru_cache(maxsize=4096)
def group(subject: str, endpoint: str) -> bytes:
    """What the keys of a subject's rows at one endpoint begin with; the key of a window follows.
    The lengths keep apart what would run together."""
    name = endpoint.encode()
    return of_subject(subject) + bytes([len(name)]) + name


def of_subject(subject: str) -> bytes:
    """What the keys of all rows of a subject begin with."""
    name = short(subject)
    return bytes([len(name)]) + name


def short(name: str) -> bytes:
    """The name, or its digest where that is shorter than what a key may have."""
    raw = name.encode(errors="replace")
    return raw if len(raw) <= _LONGEST_NAME else hashlib.sha256(raw).hexdigest().encode()


def parts(key: bytes) -> tuple[str, str, str]:
    """Subject, endpoint and window of a key."""
    middle = 1 + key[0]
    end = middle + 1 + key[middle]
    return key[1:middle].decode(), key[middle + 1 : end].decode(), key[end:].decode()


def read(transaction: lmdb.Transaction, key: bytes) -> Used:
    """What the row says; zeros where there is none."""
    value = transaction.get(key)
    return Used() if value is None else Used(*_ROW.unpack(value))


def add(
    transaction: lmdb.Transaction,
    rows: bytes,
    windows: Windows,
    *,
    calls: int = 0,
    prompt: int = 0,
    completion: int = 0,
) -> None:
    """Add to the rows of a group. To those of all three windows, whatever the limit: it may be of
    another window with the subject's next token."""
    for window in (windows.day, windows.month, windows.year):
        key = rows + window.key.encode()
        value = transaction.get(key)
        before = (0, 0, 0) if value is None else _ROW.unpack(value)
        counted = max(0, before[0] + calls)
        transaction.put(key, _ROW.pack(counted, before[1] + prompt, before[2] + completion))


def usages(transaction: lmdb.Transaction, windows: Windows, subject: str | None) -> Iterator[Usage]:
    """What was used in these windows: by all subjects, or by one."""
    prefix = b"" if subject is None else of_subject(subject)
    with transaction.cursor() as cursor:
        found = cursor.set_range(prefix) if prefix else cursor.first()
        while found and (key := bytes(cursor.key())).startswith(prefix):
            whose, endpoint, _ = parts(key)
            rows = group(whose, endpoint)
            if endpoint != ALL:
                day, month, year = (
                    read(transaction, rows + window.key.encode())
                    for window in (windows.day, windows.month, windows.year)
                )
                if year != Used():
                    yield Usage(whose, endpoint, day, month, year)
            # Over the rows of all other windows.
            found = cursor.set_range(rows + _AFTER_ALL_WINDOWS)


def days(transaction: lmdb.Transaction, subject: str) -> Iterator[tuple[str, str, Used]]:
    """Day, endpoint and what was used, of all days that are kept."""
    prefix = of_subject(subject)
    with transaction.cursor() as cursor:
        found = cursor.set_range(prefix)
        while found and (key := bytes(cursor.key())).startswith(prefix):
            _, endpoint, window = parts(key)
            if window.count("-") == _DASHES_OF_A_DAY and endpoint != ALL:
                yield window, endpoint, Used(*_ROW.unpack(cursor.value()))
            found = cursor.next()
