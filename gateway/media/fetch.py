"""Fetches the files that requests name by URL, before the models see the requests.

What was checked is what is connected to: a name is resolved here, its addresses are checked, and
the connection goes to one of them and not through the name again, so that a name which changes
its address in between gains nothing. Each redirect starts from the beginning. No proxy of the
environment is used, for it would resolve names by itself.
"""

from __future__ import annotations

import asyncio
import functools
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, replace

import httpx

from kronk import __version__
from kronk.gateway.dialects.media import LinkedMedia, check_format
from kronk.gateway.job import Job
from kronk.gateway.tracing.stages import calling, outgoing, stage
from kronk.shared.errors import InvalidArgument
from kronk.shared.reach import is_forbidden, is_public
from kronk.shared.wire.to_worker import Inspect, Submit
from kronk.shared.wire.values import Media

from .rules import Target, target

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# Of types that say nothing, the bytes tell.
_UNTYPED = frozenset({"", "application/octet-stream", "binary/octet-stream"})


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one request's files may take."""

    # OpenAI takes 50 MB per request and Anthropic 5 MB per image.
    file_bytes: int = 20 * 1024 * 1024
    # With the body's own files it must fit into a frame of 64 MiB.
    request_bytes: int = 32 * 1024 * 1024
    # For one file, with its redirects, and for all of them.
    seconds: float = 20.0
    request_seconds: float = 60.0
    connect_seconds: float = 5.0
    redirects: int = 3
    parallel: int = 4
    # Tried of one host, in the order that its name service gives.
    addresses: int = 4


BOUNDS = Bounds()


async def fetched(
    jobs: Sequence[Job], allowed: tuple[str, ...], bounds: Bounds = BOUNDS
) -> list[Job]:
    """The jobs with all their files; `InvalidArgument` names the field of one that failed."""
    links = {media for job in jobs for media in job.media if isinstance(media, LinkedMedia)}
    for link in links:
        # Before anything is fetched for the others.
        target(link.url, allowed, link.param)
    fetch = _Fetch(allowed, bounds)
    tasks = {link: asyncio.create_task(fetch.file(link), name="fetch") for link in links}
    try:
        await asyncio.gather(*tasks.values())
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
    return [_with_files(job, {link: task.result() for link, task in tasks.items()}) for job in jobs]


def _with_files(job: Job, files: dict[LinkedMedia, Media]) -> Job:
    if not isinstance(job.ask, Submit | Inspect):
        return job
    media = tuple(
        files[media] if isinstance(media, LinkedMedia) else media for media in job.ask.prompt.media
    )
    return replace(job, ask=replace(job.ask, prompt=replace(job.ask.prompt, media=media)))


class _Fetch:
    """The fetching of one request's files."""

    def __init__(self, allowed: tuple[str, ...], bounds: Bounds) -> None:
        self._allowed = allowed
        self._bounds = bounds
        self._left = bounds.request_bytes
        self._turn = asyncio.Semaphore(bounds.parallel)
        self._deadline = asyncio.get_running_loop().time() + bounds.request_seconds

    async def file(self, link: LinkedMedia) -> Media:
        """The file behind a link."""
        try:
            async with asyncio.timeout_at(self._deadline), self._turn:
                async with asyncio.timeout(self._bounds.seconds):
                    data = await self._follow(link)
        except TimeoutError as error:
            raise _failed(
                link,
                f"it took too long; a file may take {self._bounds.seconds:g} s and all files of a "
                f"request {self._bounds.request_seconds:g} s",
            ) from error
        except httpx.HTTPError as error:
            raise _failed(link, "the connection failed") from error
        check_format(data, link.kind, link.param)
        return Media(link.kind, data, link.param)

    async def _follow(self, link: LinkedMedia) -> bytes:
        url = link.url
        for _ in range(self._bounds.redirects + 1):
            aim = target(url, self._allowed, link.param)
            got = await self._get(aim, await self._addresses(aim, link), link)
            if isinstance(got, bytes):
                return got
            url = _joined(aim.url, got.location, link)
        raise _failed(link, f"there are more than {self._bounds.redirects} redirects")

    async def _addresses(self, aim: Target, link: LinkedMedia) -> list[str]:
        """Where the host is; all of it must be where the rules want it."""
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                aim.host, aim.port, type=socket.SOCK_STREAM
            )
        except (OSError, UnicodeError) as error:
            raise _failed(link, f"the host {aim.host[:100]} is not known") from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        if aim.within == "public" and not all(is_public(address) for address in addresses):
            raise _failed(link, f"{aim.host[:100]} is in a private or reserved network")
        # Not even where the name was listed: it is its owner who says where it leads.
        if any(is_forbidden(address) for address in addresses):
            raise _failed(link, f"{aim.host[:100]} is at a link-local or reserved address")
        return addresses[: self._bounds.addresses]

    async def _get(self, aim: Target, addresses: list[str], link: LinkedMedia) -> bytes | _Redirect:
        *others, last = addresses
        for address in others:
            try:
                return await self._get_at(address, aim, link)
            except httpx.ConnectError:
                # One of several: often an IPv6 address where there is no IPv6.
                continue
        return await self._get_at(last, aim, link)

    async def _get_at(self, address: str, aim: Target, link: LinkedMedia) -> bytes | _Redirect:
        with calling("GET", aim.host, aim.port) as call:
            return await self._asked(address, aim, link, call)

    async def _asked(
        self, address: str, aim: Target, link: LinkedMedia, call: stage
    ) -> bytes | _Redirect:
        seconds = self._bounds.seconds
        request = httpx.Request(
            "GET",
            aim.url.copy_with(host=address, fragment=None),
            headers=outgoing()
            | {
                "Host": aim.url.netloc.decode("ascii"),
                "User-Agent": f"kronk/{__version__}",
                "Accept": f"{link.kind}/*",
                "Accept-Encoding": "identity",
                "Connection": "close",
            },
            extensions={
                # The certificate is that of the name, although the connection is to an address.
                "sni_hostname": aim.host,
                "timeout": {
                    "connect": self._bounds.connect_seconds,
                    "read": seconds,
                    "write": seconds,
                    "pool": seconds,
                },
            },
        )
        trust = await asyncio.to_thread(_trust)
        # One for each request: a connection kept for an address would serve another name too.
        async with httpx.AsyncHTTPTransport(verify=trust, trust_env=False) as transport:
            response = await transport.handle_async_request(request)
            call.note("http.response.status_code", response.status_code)
            try:
                return await self._read(response, link)
            finally:
                await response.aclose()

    async def _read(self, response: httpx.Response, link: LinkedMedia) -> bytes | _Redirect:
        headers = response.headers
        if response.status_code in _REDIRECTS and "location" in headers:
            return _Redirect(headers["location"])
        if response.status_code != 200:
            raise _failed(link, f"its server answered with status {response.status_code}")
        said = headers.get("content-type", "").partition(";")[0].strip().lower()
        if said not in _UNTYPED and not said.startswith(f"{link.kind}/"):
            raise _failed(link, f"its type is {said[:60]!r}, not {link.kind}/...")
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise _failed(link, "its server compresses it without being asked to")
        announced = headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > self._bounds.file_bytes:
            raise self._too_large(link)
        return await self._body(response, link)

    async def _body(self, response: httpx.Response, link: LinkedMedia) -> bytes:
        body = bytearray()
        async for piece in response.aiter_raw():
            body += piece
            self._left -= len(piece)
            if len(body) > self._bounds.file_bytes:
                raise self._too_large(link)
            if self._left < 0:
                raise _failed(
                    link,
                    "the request's files together are larger than "
                    f"{self._bounds.request_bytes} bytes",
                )
        return bytes(body)

    def _too_large(self, link: LinkedMedia) -> InvalidArgument:
        return _failed(link, f"it is larger than {self._bounds.file_bytes} bytes")


@dataclass(frozen=True, slots=True)
class _Redirect:
    location: str


def _joined(base: httpx.URL, location: str, link: LinkedMedia) -> str:
    try:
        return str(base.join(location))
    except httpx.InvalidURL as error:
        raise _failed(link, "it redirects to what is no URL") from error


def _failed(link: LinkedMedia, why: str) -> InvalidArgument:
    return InvalidArgument(f"'{link.param}': the URL could not be fetched: {why}", param=link.param)


@functools.cache
def _trust() -> ssl.SSLContext:
    # Reading the authorities takes tens of milliseconds.
    return httpx.create_ssl_context()
