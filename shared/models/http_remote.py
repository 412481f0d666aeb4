"""Files behind URLs, and who is told what on the way there.

Redirects are followed here, not by the client: each address is checked, and a token goes to the
origin it is for (scheme, host and port) and to no other.
"""

from __future__ import annotations

import functools
import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from kronk.shared.errors import NotFound
from kronk.shared.reach import refusal

from .fetching import FetchFailed, Refused
from .patience import Again, asked_wait
from .remote import Answer, Beyond
from .sources import allowed

# Seconds. A connection that brings nothing for as long is given up and made anew.
STALLED_AFTER = 30.0
_CONNECT_WITHIN = 15.0
_MOST_REDIRECTS = 10
_PASSES = (408, 425, 429, 500, 502, 503, 504)
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")
_REFUSED = (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)


@dataclass(frozen=True, slots=True)
class HttpRemote:
    """One URL."""

    url: str
    # In messages; without the keys that a URL may carry.
    name: str
    headers: Mapping[str, str] = field(default_factory=dict)
    # `Bearer ...`, for the origin of `url` alone.
    authorization: str | None = None
    # Said after a 401 or 403.
    advice: str = ""

    @contextmanager
    def opened(
        self, start: int, version: str | None = None, end: int | None = None
    ) -> Iterator[Answer]:
        headers = dict(self.headers) | {"Accept-Encoding": "identity"}
        if start or end is not None:
            headers["Range"] = f"bytes={start}-{'' if end is None else end - 1}"
        if start and version is not None:
            headers["If-Range"] = version
        timeout = httpx.Timeout(STALLED_AFTER, connect=_CONNECT_WITHIN)
        try:
            # A client for each try: what is wrong with a connection is not kept.
            with httpx.Client(timeout=timeout, verify=_trusted()) as client:
                response = self._arrived(client, headers)
                try:
                    yield self._answer(response, start)
                finally:
                    response.close()
        except httpx.TransportError:
            raise
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise FetchFailed(f"{self.name}: {error or type(error).__name__}") from error

    def _arrived(self, client: httpx.Client, headers: Mapping[str, str]) -> httpx.Response:
        """The answer at the end of the redirects."""
        first = url = httpx.URL(self.url)
        for hops in range(_MOST_REDIRECTS + 1):
            self._refuse_unencrypted(first, url)
            why = refusal(url.host, url.port)
            if why is not None:
                raise Refused(f"{self.name}: {why}")
            told = dict(headers)
            if self.authorization is not None and origin(url) == origin(first):
                told["Authorization"] = self.authorization
            response = client.send(client.build_request("GET", url, headers=told), stream=True)
            if not response.has_redirect_location:
                try:
                    self._refuse(response, redirected=hops > 0)
                except BaseException:
                    response.close()
                    raise
                return response
            response.close()
            url = url.join(response.headers["location"])
        raise FetchFailed(f"{self.name}: more than {_MOST_REDIRECTS} redirects")

    def _refuse_unencrypted(self, first: httpx.URL, url: httpx.URL) -> None:
        # Where the user himself sends us is his to say; a redirect must not lead from the network
        # to servers of this machine either.
        if url.scheme == "https" or origin(url) == origin(first):
            return
        if not (allowed("http", first.host) and allowed(url.scheme, url.host)):
            raise FetchFailed(
                f"{self.name}: redirected to {url.scheme}://{url.host}, which is not encrypted"
            )

    def _refuse(self, response: httpx.Response, *, redirected: bool) -> None:
        status = response.status_code
        if status in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
            self._refuse_compressed(response)
            return
        why = f"the server answered {status} {response.reason_phrase}".rstrip()
        if status == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            given = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
            raise Beyond(int(given[3]) if given and given[3] != "*" else None)
        if status in _PASSES:
            raise Again(why, asked_wait(response.headers.get("retry-after")))
        if status in _REFUSED and redirected:
            # A signed address that has run out; the next try gets a new one.
            raise Again(why)
        if status in (httpx.codes.NOT_FOUND, httpx.codes.GONE):
            raise NotFound(f"{self.name}: {why}", param="source")
        advice = f"; {self.advice}" if self.advice and status in _REFUSED else ""
        raise Refused(f"{self.name}: {why}{advice}")

    def _refuse_compressed(self, response: httpx.Response) -> None:
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("", "identity"):
            raise FetchFailed(
                f"{self.name}: the server sends the file compressed ({encoding}), "
                "though asked not to"
            )

    def _answer(self, response: httpx.Response, start: int) -> Answer:
        length = _number(response.headers.get("content-length"))
        chunks = response.iter_raw()
        version = _version(response)
        if response.status_code != httpx.codes.PARTIAL_CONTENT:
            return Answer(0, length, length, version, chunks)
        given = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
        if given is None or given[1] is None or int(given[1]) != start:
            raise Again("the server answered with another range than was asked for")
        end, total = int(given[2]) + 1, _number(given[3])
        if length not in (None, end - start) or (total is not None and end > total):
            raise Again("the server announces a range that contradicts itself")
        return Answer(start, total, end, version, chunks)


@functools.cache
def _trusted() -> ssl.SSLContext:
    """Whose certificates count; takes longer to read than most requests."""
    return httpx.create_ssl_context()


def origin(url: httpx.URL) -> tuple[str, str, int | None]:
    """Scheme, host and port, as they decide who may be told a token."""
    default = {"http": 80, "https": 443}.get(url.scheme)
    return url.scheme, url.host.lower(), url.port or default


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None


def _version(response: httpx.Response) -> str | None:
    etag: str = response.headers.get("etag", "")
    if etag and not etag.startswith("W/"):
        return etag
    changed: str | None = response.headers.get("last-modified")
    return changed
