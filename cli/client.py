"""How a command finds the running server and asks it something."""

from __future__ import annotations

import json
import os
import reprlib
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from kronk.shared import tls
from kronk.shared.errors import (
    Internal,
    InvalidArgument,
    KronkError,
    NotFound,
    ServerError,
    from_code,
)
from kronk.shared.paths import BasePath
from kronk.shared.settings_table import SETTINGS
from kronk.shared.units import parse_address

from .lock import read_lock
from .remedies import SOMEBODY_ELSES, operators_token, remedy

_BY_NAME = {setting.name: setting for setting in SETTINGS}
_UNIX = "unix:"
_HTTPS = "https://"
# Ours, and what other programs read too; the first that is set.
_CA_FILES = ("KRONK_CA_FILE", "SSL_CERT_FILE")
# What httpx says of a server that answers nothing at all.
_HUNG_UP = "Server disconnected without sending a response"
_NO_HOST = "http://localhost"
_TOKEN = "KRONK_TOKEN"
_LOOPBACK = ("127.", "localhost", "::1")


class NoServer(ServerError):
    """Nothing answers at the address; the user starts a server or names another address."""

    code = "no_server"

    def __init__(self, url: str) -> None:
        super().__init__(f"no server answers at {url}; start one with `kronk server start`")


@dataclass(frozen=True, slots=True)
class Admin:
    """A client of one server, at a URL without a path."""

    url: str
    token: str | None = field(default=None, repr=False)
    # The server's Unix socket, where it has no other address; the URL's host means nothing then.
    socket: str | None = None
    # The certificate that a server of this machine is configured with: trusted, and no other.
    certificate: str | None = None
    # Where the operator's token is, for messages.
    operators: str = SOMEBODY_ELSES

    def get(self, path: str, timeout: float = 10.0) -> Any:
        """The JSON of an answer; the server's own error, as its class, when it refuses."""
        with self._client(timeout) as client, self._errors():
            return self._json(client.get(path))

    def fetch(self, path: str, timeout: float) -> bytes:
        """Like `get`, of an answer in another form."""
        with self._client(timeout) as client, self._errors():
            response = client.get(path)
            if response.is_error:
                raise self._refusal(response)
            return response.content

    def post(self, path: str, body: object, timeout: float | None = None) -> Any:
        """Like `get`; without a timeout the wait is as long as the server lets it be."""
        with self._client(timeout) as client, self._errors():
            return self._json(client.post(path, json=body))

    def delete(self, path: str, timeout: float = 10.0) -> Any:
        """Like `get`."""
        with self._client(timeout) as client, self._errors():
            return self._json(client.delete(path))

    @contextmanager
    def stream(self, path: str, body: object) -> Iterator[Iterator[str]]:
        """The lines of a streamed answer, as they come; leaving the block ends the request."""
        with (
            self._client(None) as client,
            self._errors(),
            client.stream("POST", path, json=body) as response,
        ):
            if response.status_code != httpx.codes.OK:
                response.read()
                raise self._refusal(response)
            yield response.iter_lines()

    @contextmanager
    def events(self, path: str, silence: float | None = None) -> Iterator[Iterator[str]]:
        """The lines of a stream of events, as they come; leaving the block ends the watching. A
        server that says nothing for `silence` seconds is taken to be gone."""
        with (
            self._client(silence) as client,
            self._errors(),
            client.stream("GET", path) as response,
        ):
            if response.status_code != httpx.codes.OK:
                response.read()
                raise self._refusal(response)
            yield response.iter_lines()

    def _json(self, response: httpx.Response) -> Any:
        if response.is_error:
            raise self._refusal(response)
        try:
            return response.json()
        except ValueError as error:
            raise Internal(
                f"{self.url} answered something that is not JSON; is it Kronk?"
            ) from error

    def _refusal(self, response: httpx.Response) -> KronkError:
        try:
            error = response.json()["error"]
            code, message = str(error["code"]), str(error["message"])
        except (ValueError, LookupError, TypeError):
            return Internal(f"{self.url} answered {response.status_code}; is it Kronk?")
        asked = response.request
        message += remedy(
            response.status_code, message, asked.method, asked.url.path, self.operators
        )
        wait = response.headers.get("retry-after", "")
        return from_code(
            code, message, error.get("param"), float(wait) if wait.isdecimal() else None
        )

    def _client(self, timeout: float | None) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        host = urlsplit(self.url).hostname or ""
        return httpx.Client(
            base_url=self.url,
            transport=httpx.HTTPTransport(uds=self.socket) if self.socket else None,
            verify=self.trust(),
            headers=headers,
            # A model may take minutes to load before the first byte; connecting may not.
            timeout=httpx.Timeout(timeout, connect=5.0),
            # A proxy in the environment cannot reach our own loopback.
            trust_env=not host.startswith(_LOOPBACK),
        )

    def trust(self) -> ssl.SSLContext | bool:
        """Whose certificates are believed; True for the usual authorities."""
        if not self.url.startswith(_HTTPS):
            return True
        if self.certificate is not None:
            return tls.trusting(Path(self.certificate))
        authorities = next((os.environ[name] for name in _CA_FILES if os.environ.get(name)), None)
        return True if authorities is None else tls.trusting_authorities(Path(authorities))

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise ServerError(
                    f"the certificate of {self.url} is not to be trusted: {error}; KRONK_CA_FILE "
                    "names a file with the authorities that are"
                ) from error
            raise NoServer(self.url) from error
        except httpx.TimeoutException as error:
            raise ServerError(f"the server at {self.url} did not answer in time") from error
        except httpx.HTTPError as error:
            hint = ""
            if str(error).startswith(_HUNG_UP) and not self.url.startswith(_HTTPS):
                hint = " A server that speaks TLS wants https:// before its address."
            raise ServerError(f"the connection to {self.url} broke: {error}{hint}") from error


def in_path(name: str, kind: str = "model") -> str:
    """The name, such as a model's id, as it stands in the path of a URL; `NotFound` for one that
    nothing can have, and that would lead to another path, as `..` does."""
    parts = name.split("/")
    is_one = len(parts) == 1 or kind == "model"
    if not (is_one and name and name.isprintable()) or {".", ".."} & {*parts}:
        raise NotFound(f"there is no {kind} {reprlib.repr(name)}", param=kind)
    return quote(name)


def find_server(api_host: str | None = None, base_path: str | None = None) -> Admin:
    """The server a command talks to: the flag, `KRONK_WEB_API_HOST`, the address that the server
    of this base path wrote down, or the default address; the first that is there."""
    setting = _BY_NAME["api_host"]
    if api_host is not None:
        return _admin(api_host, setting.flag)
    base = find_base_path(base_path)
    ours = running_server(server_facts(base), base)
    if given := os.environ.get(setting.env):
        named = _admin(given, setting.env)
        # The address of our own server, which knows more about itself: that it speaks TLS.
        return ours if ours is not None and _authority(ours) == _authority(named) else named
    return ours or _admin(setting.default, setting.name)


def _authority(admin: Admin) -> str:
    return admin.url.partition("://")[2]


def running_server(facts: Mapping[str, Any], base: BasePath) -> Admin | None:
    """The server of this base path, which wrote this about itself.

    Without `KRONK_TOKEN` it is sent the operator's token, where the server runs and this user may
    read it: who can has the keys as well.
    """
    if "api" not in facts:
        return None
    address, token = str(facts["api"]), _token() or _operators_token(base)
    operators = operators_token(base.admin_token, facts.get("auth_host"))
    if address.startswith(_UNIX):
        return Admin(_NO_HOST, token, socket=address.removeprefix(_UNIX), operators=operators)
    origin = _BY_NAME["api_host"].name
    if not address.startswith(_HTTPS):
        return replace(_admin(address, origin), token=token, operators=operators)
    url = _admin(address.removeprefix(_HTTPS), origin).url.replace("http://", _HTTPS, 1)
    certificate = facts.get("certificate")
    return Admin(url, token, certificate=certificate and str(certificate), operators=operators)


def _token() -> str | None:
    token = os.environ.get(_TOKEN, "").strip()
    if not (token.isascii() and token.isprintable()):
        raise InvalidArgument(
            f"{_TOKEN}: expected a token, got something with line breaks or other characters "
            "that no token has",
            param=_TOKEN,
        )
    return token or None


def _operators_token(base: BasePath) -> str | None:
    # Without its lock, whoever is at the address now is not the server that wrote it down.
    try:
        token = base.admin_token.read_text("ascii").strip()
        return (token or None) if read_lock(base).held else None
    except (OSError, UnicodeDecodeError):
        return None


def find_base_path(base_path: str | None = None) -> BasePath:
    """The base path of the flag, `KRONK_BASE_PATH` or the default; nothing is created."""
    setting = _BY_NAME["base_path"]
    text = base_path if base_path is not None else os.environ.get(setting.env, setting.default)
    try:
        root: Path = setting.parse(text)
    except ValueError as error:
        origin = setting.flag if base_path is not None else setting.env
        raise InvalidArgument(f"{origin}: {error}, got {text!r}", param=setting.name) from error
    return BasePath(root)


def server_facts(base: BasePath) -> dict[str, Any]:
    """What the server of this base path says about itself; empty when none wrote anything."""
    try:
        facts = json.loads(base.server_file.read_bytes())
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def _admin(address: str, origin: str) -> Admin:
    token = _token()
    if address.startswith(_HTTPS):
        return Admin(address.rstrip("/"), token)
    try:
        return Admin(parse_address(address).url, token)
    except ValueError as error:
        raise InvalidArgument(f"{origin}: {error}, got {address!r}", param="api_host") from error
