"""The certificate that is shown, exchanged when its files change."""

from __future__ import annotations

import asyncio
import ssl
import time
from pathlib import Path

import structlog

from kronk.shared import tls
from kronk.shared.errors import InvalidArgument

LOOK_SECONDS = 5.0
_DAY = 86400.0

log = structlog.get_logger()

# What tells a file from its next version; None where it is gone.
_Stamp = tuple[tuple[int, int, int] | None, ...]


class Certificate:
    """`context` is for the listening sockets, for good.

    Connections get the newest certificate in their handshake; those that are open keep theirs.
    """

    def __init__(self, cert: Path, key: Path) -> None:
        """`InvalidArgument` says what is wrong with the files."""
        self._cert, self._key = cert, key
        self._stamp = self._seen = self._stat()
        # One that has run out is better than no server, once there was one: whoever starts the
        # server is told before.
        self._identity = tls.identity(cert, key)
        self.context = self._identity.context
        self.context.sni_callback = self._choose
        self._warned_at: float | None = None
        self.warn(time.monotonic())

    def _choose(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        # Called in each handshake, with a name or without.
        connection.context = self._identity.context

    async def keep_current(self) -> None:
        """Look now and then, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await asyncio.to_thread(self.look)

    def look(self) -> None:
        """Take what has changed. A pair is read when two looks found the same: the two files are
        written one after the other. One that is of no use changes nothing."""
        stamp, before = self._stat(), self._seen
        self._seen = stamp
        if stamp == self._stamp or stamp != before:
            self.warn(time.monotonic())
            return
        self._stamp = stamp
        try:
            fresh = tls.identity(self._cert, self._key)
            tls.check_validity(fresh, time.time())
        except InvalidArgument as error:
            log.error("the new certificate is not used; the old one stays", reason=error.message)
            return
        self._identity, self._warned_at = fresh, None
        log.info("certificate exchanged", expires=self._identity.expires_text)
        self.warn(time.monotonic())

    def warn(self, now: float) -> None:
        """Say daily that it runs out soon; `now` is of a clock that does not step."""
        left = self._identity.days_left(time.time())
        if left > tls.WARN_DAYS or (self._warned_at is not None and now < self._warned_at + _DAY):
            return
        self._warned_at = now
        log.warning(
            "the TLS certificate runs out soon" if left > 0 else "the TLS certificate has run out",
            file=str(self._cert),
            expires=self._identity.expires_text,
        )

    def _stat(self) -> _Stamp:
        return tuple(_stamp(path) for path in (self._cert, self._key))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        now = path.stat()
    except OSError:
        return None
    return now.st_ino, now.st_mtime_ns, now.st_size
