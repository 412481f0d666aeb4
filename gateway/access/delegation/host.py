"""The Kronk that `--auth-host` names, as this one talks to it: fail closed, never wait for long."""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections.abc import Callable
from typing import Any, TypeVar

import httpx
import structlog

from kronk import __version__
from kronk.gateway.tracing.stages import calling, outgoing, stage
from kronk.shared.errors import InvalidArgument, Overloaded
from kronk.shared.security.auth_host import authorities, token_of
from kronk.shared.settings import Settings

log = structlog.get_logger()

T = TypeVar("T")

CONNECT_SECONDS = 2.0
# For all of an exchange, and what a client waits for at most.
TOTAL_SECONDS = 5.0
_MOST_ANSWER_BYTES = 64 * 1024
_RETRY_SECONDS = 2.0
# The same complaint is in the log once in so many seconds.
_QUIET_SECONDS = 10.0
_LIMITS = httpx.Limits(max_connections=64, max_keepalive_connections=16, keepalive_expiry=30.0)
# What an answer of that status means for the operator of this server.
_MEANINGS = {
    401: "--auth-token is no good token there",
    403: "--auth-token does not grant `delegation` there",
    404: "there is no such route there: it is no Kronk, or an older one",
    409: "it does not check tokens itself",
}


class Unanswered(Overloaded):
    """The host has perhaps heard the question, and perhaps done what it asks."""


class AuthHost:
    """Asks the host. What it does not answer properly is `Overloaded`, whatever the reason: the log
    has that."""

    def __init__(
        self,
        address: str,
        token: str,
        *,
        trust: ssl.SSLContext | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.address = address
        self.token = token
        self._said: dict[str, float] = {}
        self._client = httpx.AsyncClient(
            base_url=address,
            headers={
                "Authorization": f"Bearer {token}",
                "User-Agent": f"kronk/{__version__}",
                # An answer is small, and a packed one could be any size.
                "Accept-Encoding": "identity",
            },
            timeout=httpx.Timeout(TOTAL_SECONDS, connect=CONNECT_SECONDS),
            limits=_LIMITS,
            verify=trust if trust is not None else True,
            transport=transport,
            follow_redirects=False,
            # A proxy of the environment would see every token.
            trust_env=False,
        )

    async def ask(self, path: str, body: dict[str, Any], read: Callable[[bytes], T]) -> T:
        """What `read` makes of its answer to a POST. ValueError in there is an answer that makes no
        sense."""
        answer = await self._exchange(path, body)
        try:
            return read(answer)
        except ValueError as error:
            raise self.failure("an answer that makes no sense") from error

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()

    def failure(self, reason: str, kind: type[Overloaded] = Overloaded) -> Overloaded:
        """The error for clients; the reason is for the log."""
        now = time.monotonic()
        if now >= self._said.get(reason, 0.0):
            if len(self._said) > 100:
                self._said.clear()
            self._said[reason] = now + _QUIET_SECONDS
            log.error("the authentication host is of no use", host=self.address, reason=reason)
        return kind("the authentication host does not answer", retry_after=_RETRY_SECONDS)

    async def _exchange(self, path: str, body: dict[str, Any]) -> bytes:
        try:
            async with asyncio.timeout(TOTAL_SECONDS):
                try:
                    return await self._post(path, body)
                except (httpx.RemoteProtocolError, httpx.ReadError):
                    # A connection that was kept, and was closed there just now. All that is asked
                    # may be asked twice.
                    return await self._post(path, body)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise self.failure(_words(error)) from error
        except TimeoutError as error:
            raise self.failure(f"no answer within {TOTAL_SECONDS:g} s", Unanswered) from error
        except httpx.HTTPError as error:
            raise self.failure(_words(error), Unanswered) from error

    async def _post(self, path: str, body: dict[str, Any]) -> bytes:
        url = self._client.base_url
        with calling("POST", url.host, url.port) as call:
            return await self._posted(path, body, call)

    async def _posted(self, path: str, body: dict[str, Any], call: stage) -> bytes:
        content = bytearray()
        async with self._client.stream("POST", path, json=body, headers=outgoing()) as answer:
            call.note("http.response.status_code", answer.status_code)
            if answer.status_code != 200:
                raise self.failure(_status_words(answer.status_code))
            async for part in answer.aiter_raw():
                content += part
                if len(content) > _MOST_ANSWER_BYTES:
                    raise self.failure("the answer is too large")
        return bytes(content)


def _words(error: httpx.HTTPError) -> str:
    return f"{type(error).__name__}: {error}"


def _status_words(status: int) -> str:
    meaning = _MEANINGS.get(status)
    return f"status {status}" + (f": {meaning}" if meaning else "")


def trust_of(settings: Settings) -> ssl.SSLContext:
    """What certificates are checked by: the file that is set, else the one that SSL_CERT_FILE
    names, else well-known authorities."""
    if settings.auth_ca is not None:
        return authorities(settings.auth_ca)
    try:
        return httpx.create_ssl_context()
    except OSError as error:
        named = os.environ.get("SSL_CERT_FILE", "")
        raise InvalidArgument(
            f"SSL_CERT_FILE: {named!r} has no certificates of authorities", param="auth_ca"
        ) from error


def auth_host_of(settings: Settings) -> AuthHost:
    """The host of these settings, which name one; `InvalidArgument` for what cannot work."""
    assert settings.auth_host is not None
    return AuthHost(settings.auth_host, token_of(settings), trust=trust_of(settings))
