"""Logins of the browser: a random cookie for the client, and here its digest alone.

Looked up at each request, so that what is ended is over at once, in whatever process it was ended.
A session belongs to the password it began with: another password ends it.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kronk.shared.database import Table
from kronk.shared.security.identity import Identity
from kronk.shared.security.password import Watched

LIFETIME = 12 * 3600.0
IDLE = 2 * 3600.0
# How exactly it is known when a session was last used: not each request writes to the disk.
_NOTED_EVERY = 60.0
# More browsers than one operator has; the oldest go.
_MOST = 100
_BYTES = 32
_LONGEST = 128

# Whose they are, for ever: what is made in one session is there in the next.
ADMIN = Identity(
    str(uuid.uuid5(uuid.NAMESPACE_URL, "https://kronk/admin")), "admin", admin=True, via="session"
)


@dataclass(frozen=True, slots=True)
class Session:
    """A login that is good. Times in seconds since the epoch."""

    key: str = field(repr=False)
    created: float
    seen: float

    @property
    def expires(self) -> float:
        """When it is over, if nothing more happens."""
        return min(self.created + LIFETIME, self.seen + IDLE)


class Sessions:
    """All sessions, in the database's table of them."""

    def __init__(
        self, table: Table, password: Watched, clock: Callable[[], float] = time.time
    ) -> None:
        self._table = table
        self._password = password
        self._clock = clock

    @property
    def password(self) -> Watched:
        """The password they are sessions of."""
        return self._password

    async def identify(self, cookie: str) -> Session | None:
        """The session of that cookie; None where it is none, or none any more."""
        session = self.find(cookie)
        if session is not None and self._clock() - session.seen > _NOTED_EVERY:
            await asyncio.to_thread(self._note, session.key)
        return session

    def find(self, cookie: str) -> Session | None:
        """The same, without a word that it was used."""
        if not cookie or len(cookie) > _LONGEST:
            return None
        key = _key(cookie)
        record = self._table.get(key)
        password = self._password.current()
        if record is None or password is None:
            return None
        return _session(key, record, password.id, self._clock())

    def is_ended(self, key: str) -> bool:
        """Whether somebody has ended that session, or changed the password that it began with.
        That its time is over does not count."""
        record, password = self._table.get(key), self._password.current()
        return record is None or password is None or record.get("password") != password.id

    async def begin(self, password: str) -> str:
        """A new session of the password with that id: the value of its cookie."""
        cookie = secrets.token_urlsafe(_BYTES)
        await asyncio.to_thread(self._begin, _key(cookie), password)
        return cookie

    async def end(self, cookie: str) -> None:
        """It is over; one that there is not is no error."""
        await asyncio.to_thread(self._table.delete, _key(cookie))

    def _begin(self, key: str, password: str) -> None:
        now = self._clock()
        self._table.put(key, {"password": password, "created": now, "seen": now})
        good: dict[str, float] = {}
        over = []
        for name, record in self._table.items():
            session = _session(name, record, password, now)
            if session is None:
                over.append(name)
            elif name != key:
                good[name] = session.created
        oldest = sorted(good, key=lambda name: good[name])[: 1 - _MOST]
        if over or oldest:
            self._table.delete(*over, *oldest)

    def _note(self, key: str) -> None:
        self._table.change(key, lambda record: record | {"seen": self._clock()})


def _key(cookie: str) -> str:
    return hashlib.sha256(cookie.encode(errors="replace")).hexdigest()


def _session(key: str, record: dict[str, Any], password: str, now: float) -> Session | None:
    """What the record says, if that is still good."""
    created, seen = record.get("created"), record.get("seen")
    if not isinstance(created, float | int) or not isinstance(seen, float | int):
        return None
    session = Session(key, float(created), float(seen))
    is_good = record.get("password") == password and now < session.expires
    return session if is_good else None
