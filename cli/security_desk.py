"""Keys and tokens for `kronk security`: the running server's, or with `--local` this machine's."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any
from urllib.parse import quote

import structlog

from kronk.shared.database import Database
from kronk.shared.errors import Internal, KronkError, NotFound, ServerError
from kronk.shared.security import audit
from kronk.shared.security.administration import Administration, KeyAdministration
from kronk.shared.security.key_files import UUID
from kronk.shared.security.keys import Keyring
from kronk.shared.security.overview import overview
from kronk.shared.security.registry import Registry
from kronk.shared.security.revoked_copy import RevokedCopy
from kronk.shared.security.wishes import RevocationWish, TokenWish
from kronk.shared.settings import Settings

from .client import NoServer, find_server, in_path, server_facts
from .local import local_settings

_BASE = "/v1/kronk/security"
# Making a key takes a second where the machine is busy.
_SECONDS = 30.0
_ISSUER = "KRONK_AUTH_ISSUER"

Row = dict[str, Any]


class ServerDesk:
    """Asks the running server."""

    def __init__(self, api_host: str | None, base_path: str | None) -> None:
        self._admin = find_server(api_host, base_path)

    def security(self) -> Row:
        """The settings in force."""
        return self._ask("GET", _BASE)

    def keys(self) -> list[Row]:
        """As `Administration` has them; and so are the others."""
        return self._rows(f"{_BASE}/keys")

    def create_key(self) -> Row:
        return self._ask("POST", f"{_BASE}/keys")

    def delete_key(self, kid: str) -> Row:
        return self._ask("DELETE", f"{_BASE}/keys/{in_path(kid, 'key')}")

    def tokens(self) -> list[Row]:
        return self._rows(f"{_BASE}/tokens")

    def create_token(self, body: Row, wish: TokenWish) -> Row:
        return self._ask("POST", f"{_BASE}/tokens", body)

    def inspect(self, token: str) -> Row:
        return self._ask("POST", f"{_BASE}/tokens/inspect", {"token": token})

    def revoke(self, wish: RevocationWish) -> Row:
        body = {"subject": wish.subject, "token": wish.token, "reason": wish.reason}
        return self._ask("POST", f"{_BASE}/tokens/revoke", body)

    def _rows(self, path: str) -> list[Row]:
        answer = self._ask("GET", path)
        if not isinstance(answer.get("data"), list):
            raise self._unreadable(path)
        return list(answer["data"])

    def _ask(self, method: str, path: str, body: Row | None = None) -> Row:
        try:
            if method == "GET":
                answer = self._admin.get(path)
            elif method == "DELETE":
                answer = self._admin.delete(path)
            else:
                answer = self._admin.post(path, body or {}, timeout=_SECONDS)
        except NoServer as error:
            raise ServerError(f"{error.message}, or add --local to use the files") from error
        if not isinstance(answer, dict):
            raise self._unreadable(path)
        return answer

    def _unreadable(self, path: str) -> Internal:
        return Internal(
            f"{self._admin.url} answered {quote(path)} in a form this version cannot read"
        )


class LocalDesk:
    """Works on the files below the base path, also while a server uses them."""

    def __init__(self, chosen: Settings) -> None:
        self._keyring = Keyring(chosen.base.keys)
        self._keys = KeyAdministration(self._keyring)
        self._base = chosen.base
        self._settings = chosen
        self._issuer = _issuer(chosen, self._keyring)

        # Opened when it is needed: deleting a key is what is left where it is broken.
        self._database: Database | None = None

    @cached_property
    def _desk(self) -> Administration:
        self._database = Database(self._base.db)
        return Administration(self._keyring, self._registry(self._database), self._issuer)

    def _registry(self, database: Database) -> Registry:
        return Registry(database, RevokedCopy(self._base.keys))

    def close(self) -> None:
        if self._database is not None:
            self._database.close()

    def security(self) -> Row:
        return overview(self._settings, self._desk, time.time())

    def keys(self) -> list[Row]:
        found = self._keys.keys()
        if not found:
            raise NotFound(
                f"there are no keys in {self._keyring.folder}; `kronk server start --auth-enabled` "
                "makes some, and so does `kronk security key create --local`"
            )
        return found

    def create_key(self) -> Row:
        return self._audited("create_key", "id", self._create_key)

    def delete_key(self, kid: str) -> Row:
        with audit.by_operator(self._base, "delete_key", kid):
            return self._keys.delete_key(kid)

    def tokens(self) -> list[Row]:
        return self._desk.tokens(time.time())

    def create_token(self, body: Row, wish: TokenWish) -> Row:
        return self._audited("create_token", "subject", lambda: self._create_token(wish))

    def inspect(self, token: str) -> Row:
        return self._desk.inspect(token, time.time())

    def revoke(self, wish: RevocationWish) -> Row:
        return self._audited(
            "revoke_token",
            "subject",
            lambda: self._desk.revoke(wish, audit.operator(), time.time()),
        )

    def _audited(self, action: str, target: str, act: Callable[[], Row]) -> Row:
        """What comes of it, written down with that member of it as its target."""
        try:
            done = act()
        except KronkError:
            with audit.by_operator(self._base, action):
                raise
        with audit.by_operator(self._base, action, done[target]):
            return done

    def _create_key(self) -> Row:
        # The first one is as new as one can be.
        return self._keys.keys()[1] if self._first_keys() else self._keys.create_key()

    def _create_token(self, wish: TokenWish) -> Row:
        if not self._keyring.list():
            self._first_keys()
        return self._desk.create_token(wish, audit.operator(), time.time())

    def _first_keys(self) -> bool:
        """Whether a signing key was made, as a first start of the server does."""
        made = self._keyring.ensure(self._issuer, time.time())
        for name in made:
            print(f"made {self._keyring.folder / name}", file=sys.stderr)
        return any(UUID.fullmatch(name.removesuffix(".pem")) for name in made)


Desk = ServerDesk | LocalDesk


@contextmanager
def desk(local: bool, api_host: str | None, base_path: str | None) -> Iterator[Desk]:
    """Whom a command asks."""
    if not local:
        yield ServerDesk(api_host, base_path)
        return
    # What is wrong with a file among the keys is not part of what is printed.
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
    chosen = local_settings(base_path)
    _warn_of_another(chosen)
    local_desk = LocalDesk(chosen)
    try:
        yield local_desk
    finally:
        local_desk.close()


def _warn_of_another(chosen: Settings) -> None:
    host = chosen.auth_host or server_facts(chosen.base).get("auth_host")
    if host:
        print(
            f"warning: the server here asks {host} about tokens: keys and tokens of "
            f"{chosen.base.keys} are good for nothing in it",
            file=sys.stderr,
        )


def _issuer(chosen: Settings, keyring: Keyring) -> str:
    """The variable's, else that of the operator's token: a server may have been started with
    `--auth-issuer`, which a command cannot see."""
    named = chosen.auth_issuer if os.environ.get(_ISSUER) else None
    return named or keyring.issuer_in_use() or chosen.auth_issuer
