"""What tokens were issued, which is never their text, and whose were revoked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kronk.shared.database import Database, Table

from .revoked_copy import RevokedCopy
from .tokens import LEEWAY, LONGEST_DURATION, Claims

# Of issued tokens that are over: whoever wonders what became of one can still see it.
_KEPT_AFTER = 30 * 86400.0


@dataclass(frozen=True, slots=True)
class Registration:
    """A token as it was issued; the latest of a subject. Times are seconds since the epoch."""

    subject: str
    name: str | None
    admin: bool
    key: str
    issued: float
    expires: float
    # As `Grants.to_claims` has them.
    grants: dict[str, Any]
    issued_by: str


@dataclass(frozen=True, slots=True)
class Revocation:
    """All tokens of the subject are worth nothing, until the last would be over anyway."""

    subject: str
    revoked: float
    by: str
    reason: str | None
    expires: float


class Registry:
    """In the database, for any number of processes. Writes wait for the disk: call it in a thread,
    but for `is_revoked`."""

    def __init__(self, database: Database, copy: RevokedCopy | None = None) -> None:
        """Revocations are kept in `copy`, too, where there is one."""
        self._tokens = database.table("tokens")
        self._revoked = database.table("revoked")
        self._copy = copy

    def record(self, claims: Claims, by: str, now: float) -> None:
        """Keep what was issued, by whom; before the token is given out."""
        known = self._tokens.get(claims.subject)
        last = float(known["expires"]) if known else 0.0
        self._tokens.put(
            claims.subject,
            {
                "name": claims.name,
                "admin": claims.admin,
                "key": claims.key,
                "issued": claims.issued,
                # An earlier token of this subject may live longer.
                "expires": max(claims.expires, last),
                "grants": claims.grants.to_claims(),
                "issued_by": by,
            },
        )
        self.sweep(now)

    def registration(self, subject: str) -> Registration | None:
        """What was issued to the subject, where that is known."""
        row = self._tokens.get(subject)
        return None if row is None else Registration(subject, **row)

    def registrations(self) -> list[Registration]:
        """All that is known, the latest first."""
        found = [Registration(subject, **row) for subject, row in self._tokens.items()]
        return sorted(found, key=lambda each: (each.issued, each.subject), reverse=True)

    def revoke(self, subject: str, by: str, reason: str | None, now: float) -> Revocation:
        """From now on, in all processes, and for as long as any token of the subject can live.
        Done again, it stays as it was."""
        known, before = self._tokens.get(subject), self._revoked.get(subject)
        row: dict[str, Any] = before or {
            "revoked": now,
            "by": by,
            "reason": reason,
            # Where nothing is known there may be any token.
            "expires": now + LONGEST_DURATION if known is None else float(known["expires"]),
        }
        if before is None:
            self._revoked.put(subject, row)
            if self._copy is not None:
                self._copy.add(subject, row)
            self.sweep(now)
        return Revocation(subject, **row)

    def restore(self, now: float) -> int:
        """Take from the copy what the database does not know, as it is another one than it was;
        how many there were."""
        lost = {
            subject: row
            for subject, row in (self._copy.rows() if self._copy is not None else ())
            if row["expires"] >= now and self._revoked.get(subject) is None
        }
        for subject, row in lost.items():
            self._revoked.put(subject, row)
        return len(lost)

    def is_revoked(self, subject: str) -> bool:
        """Whether tokens of the subject are worth nothing. Does not wait for the disk."""
        return self._revoked.get(subject) is not None

    def revocations(self) -> list[Revocation]:
        """All that still matter, the latest first."""
        found = [Revocation(subject, **row) for subject, row in self._revoked.items()]
        return sorted(found, key=lambda each: (each.revoked, each.subject), reverse=True)

    def sweep(self, now: float) -> None:
        """Forget revocations of tokens that are over anyway, and tokens that are long over."""
        for table, kept_after in ((self._revoked, 2 * LEEWAY), (self._tokens, _KEPT_AFTER)):
            over = [*_over(table, now - kept_after)]
            if over:
                table.delete(*over)


def _over(table: Table, before: float) -> Iterator[str]:
    for subject, row in table.items():
        if float(row["expires"]) < before:
            yield subject
