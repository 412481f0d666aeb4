"""What is done with keys and tokens, for the API and for `kronk security ... --local`: both give
these objects as they are."""

from __future__ import annotations

from typing import Any

from kronk.shared.errors import Conflict, InvalidArgument, Unauthenticated

from . import tokens
from .key_files import Key
from .keys import Keyring, folder_fault
from .registry import Registration, Registry, Revocation
from .tokens import Claims
from .wishes import RevocationWish, TokenWish

Row = dict[str, Any]


class KeyAdministration:
    """What needs no database: keys are the last resort where that is broken. All of it waits for
    the disk: call it in a thread."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def keys(self) -> list[Row]:
        """The master key, then the others, newest first."""
        return [_key_row(key) for key in self._keyring.list()]

    def create_key(self) -> Row:
        """A new key, which signs from now on."""
        return _key_row(self._keyring.create())

    def delete_key(self, kid: str) -> Row:
        """End a key and all tokens that it has signed."""
        self._keyring.delete(kid)
        return {"object": "kronk.key", "id": kid, "deleted": True}


class Administration(KeyAdministration):
    """All of it; one per process. `by` says who does something, `now` is seconds since the
    epoch."""

    def __init__(self, keyring: Keyring, registry: Registry, issuer: str) -> None:
        super().__init__(keyring)
        self._registry = registry
        self._issuer = issuer

    def tokens(self, now: float) -> list[Row]:
        """What was issued and is not long over, the latest first."""
        return [self._token_row(each, now) for each in self._registry.registrations()]

    def create_token(self, wish: TokenWish, by: str, now: float) -> Row:
        """A token; its text is in the answer, and nowhere else."""
        if wish.subject is not None and self._registry.is_revoked(wish.subject):
            raise Conflict(f"the subject {wish.subject} was revoked; leave it out for a new one")
        issued = tokens.issue(
            self._keyring,
            self._issuer,
            duration=wish.duration,
            grants=wish.grants,
            admin=wish.admin,
            name=wish.name,
            subject=wish.subject,
            now=now,
        )
        self._registry.record(issued.claims, by, now)
        registered = self._registry.registration(issued.claims.subject)
        assert registered is not None, "it was just recorded"
        return self._token_row(registered, now) | {
            "expires": issued.claims.expires,
            "token": issued.token,
        }

    def inspect(self, text: str, now: float) -> Row:
        """What stands in a token, and why it is not good if it is not."""
        found = tokens.inspect(text.strip(), self._keyring, self._issuer, now)
        reason = found.reason
        if reason is None and self._registry.is_revoked(str((found.claims or {}).get("sub"))):
            reason = "revoked"
        return {
            "object": "kronk.inspection",
            "good": reason is None,
            "reason": reason,
            "key": found.kid,
            "claims": None if found.claims is None else dict(found.claims),
        }

    def revoke(self, wish: RevocationWish, by: str, now: float) -> Row:
        """End all tokens of a subject. `known` says whether one was ever issued to it, `replaced`
        whether it was the operator's own, who has another one then: nobody is locked out of his
        machine by what he revokes."""
        subject = wish.subject if wish.token is None else self._claims(wish.token).subject
        assert subject is not None, "a wish has one of the two"
        is_operators = subject == self._keyring.admin_subject(self._issuer, now)
        is_registered = self._registry.registration(subject) is not None
        revocation = self._registry.revoke(subject, by, wish.reason, now)
        if is_operators:
            self._keyring.replace_admin_token(self._issuer, now)
        is_known = wish.token is not None or is_registered or is_operators
        return _revocation_row(revocation) | {"known": is_known, "replaced": is_operators}

    def name_of(self, subject: str) -> str | None:
        """What the subject's token is called, where it has a name and that is still known."""
        found = self._registry.registration(subject)
        return None if found is None else found.name

    def figures(self, now: float) -> Row:
        """How many there are of what, and what is wrong with the operator's token."""
        states = [self._state(each, now) for each in self._registry.registrations()]
        return {
            "issuer": self._issuer,
            "keys_folder": str(self._keyring.folder),
            "keys_folder_fault": folder_fault(self._keyring.folder),
            "admin_token_fault": self._keyring.admin_token_fault(self._issuer, now),
            "keys": len(self._keyring.list()),
            "tokens": states.count("good"),
            "revocations": len(self._registry.revocations()),
        }

    def revocations(self) -> list[Row]:
        """Whose tokens were revoked, the latest first."""
        return [_revocation_row(each) for each in self._registry.revocations()]

    def _claims(self, token: str) -> Claims:
        try:
            return tokens.prove(token.strip(), self._keyring, self._issuer)
        except Unauthenticated as error:
            raise InvalidArgument(
                f"token: this is no token of this server ({error.reason}), and good for nothing",
                param="token",
            ) from error

    def _token_row(self, each: Registration, now: float) -> Row:
        return {
            "object": "kronk.token",
            "subject": each.subject,
            "name": each.name,
            "admin": each.admin,
            "state": self._state(each, now),
            "key": each.key,
            "issued": each.issued,
            "expires": each.expires,
            "issued_by": each.issued_by,
            **dict.fromkeys(("models", "tokens", "concurrency")),
            **each.grants,
        }

    def _state(self, each: Registration, now: float) -> str:
        if self._registry.is_revoked(each.subject):
            return "revoked"
        if now >= each.expires:
            return "expired"
        return "good" if self._keyring.get(each.key) is not None else "without key"


def _key_row(key: Key) -> Row:
    return {"object": "kronk.key", "id": key.kid, "created": int(key.created)}


def _revocation_row(revocation: Revocation) -> Row:
    return {
        "object": "kronk.revocation",
        "subject": revocation.subject,
        "revoked": revocation.revoked,
        "by": revocation.by,
        "reason": revocation.reason,
        "expires": revocation.expires,
    }
