"""Decisions of an Open Policy Agent, by its data API."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping
from typing import Any

import httpx

from kronk.gateway.tracing.stages import calling, outgoing, stage
from kronk.shared.errors import InvalidArgument

from .decision import PolicyFailed

# An agent runs on the same machine, or near it.
_CONNECT_SECONDS = 1.0
# With the wait for a connection.
_TOTAL_SECONDS = 2.0
_CONNECTIONS = 16
_MOST_BYTES = 64 * 1024


class External:
    """One agent. Whatever goes wrong with it is a `PolicyFailed`: nobody is let in then."""

    problem: str | None = None
    # What it knows may change without a word to us.
    default_seconds: float | None = 30.0
    most_seconds: float | None = 300.0

    def __init__(self, url: str, verify: ssl.SSLContext | None = None) -> None:
        """`url` is that of a decision: https://opa.example/v1/data/kronk/authorization.

        `InvalidArgument` if it is none.
        """
        try:
            self._url = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise InvalidArgument(f"policy_url: {error}", param="policy_url") from error
        # Logs say where, and not with what password.
        self._where = str(self._url.copy_with(username=None, password=None, query=None))
        self._client = httpx.AsyncClient(
            # The system's authorities, or those of SSL_CERT_FILE.
            verify=verify or ssl.create_default_context(),
            # No proxy of the environment stands between us and who decides.
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(_TOTAL_SECONDS, connect=_CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=_CONNECTIONS),
        )

    @property
    def version(self) -> str:
        """Who decides, as logs name it."""
        return f"opa:{self._where}"

    def is_due(self) -> bool:
        """There is nothing here to look at."""
        return False

    async def renew(self) -> None:
        """Nothing changes here."""

    async def answer(self, document: Mapping[str, Any]) -> Any:
        """The agent's `result` for this input."""
        try:
            async with asyncio.timeout(_TOTAL_SECONDS):
                content = await self._post(document)
        except TimeoutError as error:
            raise PolicyFailed(f"no answer within {_TOTAL_SECONDS:g} s") from error
        except httpx.HTTPError as error:
            raise PolicyFailed(f"{type(error).__name__}: {error}"[:300]) from error
        try:
            answer = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise PolicyFailed("the answer is not JSON") from error
        if not isinstance(answer, dict) or "result" not in answer:
            raise PolicyFailed("undefined: there is no such policy, or it says nothing")
        return answer["result"]

    async def close(self) -> None:
        """Nothing is asked any more."""
        await self._client.aclose()

    async def _post(self, document: Mapping[str, Any]) -> bytes:
        with calling("POST", self._url.host, self._url.port) as call:
            return await self._posted(document, call)

    async def _posted(self, document: Mapping[str, Any], call: stage) -> bytes:
        request = self._client.build_request(
            "POST", self._url, json={"input": document}, headers=outgoing()
        )
        answer = await self._client.send(request, stream=True)
        try:
            call.note("http.response.status_code", answer.status_code)
            if answer.status_code != 200:
                raise PolicyFailed(f"status {answer.status_code}")
            content = b""
            async for chunk in answer.aiter_bytes():
                content += chunk
                if len(content) > _MOST_BYTES:
                    raise PolicyFailed(f"an answer of more than {_MOST_BYTES} bytes")
            return content
        finally:
            await answer.aclose()
