"""Fetches a repository's archive, or one file, over https."""

from __future__ import annotations

import gzip
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast
from urllib.parse import unquote, urlsplit

import httpx

from kronk.shared.jobs.kinds import Progress
from kronk.shared.reach import refusal
from kronk.shared.units import format_bytes

from .limits import (
    LARGEST_DOWNLOAD,
    LARGEST_FILE,
    LARGEST_UNPACKED,
    MOST_MEMBERS,
    RepositoryFailed,
    Texts,
)
from .url import RepositoryUrl, check_host

_TIMEOUT = httpx.Timeout(30.0, connect=15.0)
_BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError)


def fetch(where: RepositoryUrl, texts: Texts, into: Path, progress: Progress) -> str | None:
    """Put the files that are wanted into `texts`; a word for the state they are of."""
    target = into / "fetched"
    state = _download(where, target, progress)
    path = unquote(urlsplit(where.url).path)
    if where.kind == "file":
        texts.add(path.rpartition("/")[2], target.read_bytes())
        return state
    try:
        members = _zipped(target) if path.lower().endswith(".zip") else _tarred(target)
        unpack(members, texts, str(where))
    except _BROKEN as error:
        raise RepositoryFailed(f"{where}: not an archive that can be read: {error}") from error
    return state


def unpack(members: Iterator[tuple[str, IO[bytes] | None]], texts: Texts, where: str) -> None:
    """Only plain files come as something that can be read; links and devices have nothing."""
    for count, (name, file) in enumerate(members):
        if count >= MOST_MEMBERS:
            raise RepositoryFailed(f"{where}: has more than {MOST_MEMBERS} files")
        if name.startswith("/") or "\\" in name or ".." in name.split("/"):
            raise RepositoryFailed(f"{where}: has a file called {name!r:.200}, which leads outside")
        # Archives of a repository have all in one folder, called after repository and commit.
        inner = name.partition("/")[2] if "/" in name else name
        if file is not None and texts.wants(inner):
            texts.add(inner, file.read(LARGEST_FILE + 1))


class _Bounded:
    """Reads what another file unpacks, and no more than an archive may hold."""

    def __init__(self, inner: gzip.GzipFile) -> None:
        self._inner = inner
        self._left = LARGEST_UNPACKED

    def read(self, size: int) -> bytes:
        """At most so many bytes."""
        data = self._inner.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise RepositoryFailed(f"holds more than {format_bytes(LARGEST_UNPACKED)}")
        return data


def _tarred(path: Path) -> Iterator[tuple[str, IO[bytes] | None]]:
    with gzip.open(path) as unpacked:
        bounded = cast("IO[bytes]", _Bounded(unpacked))
        with tarfile.open(fileobj=bounded, mode="r|") as tar:
            for member in tar:
                yield member.name, tar.extractfile(member) if member.isreg() else None


def _zipped(path: Path) -> Iterator[tuple[str, IO[bytes] | None]]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            kind = member.external_attr >> 28
            is_plain = not member.is_dir() and kind in (0, 8) and not member.flag_bits & 1
            if not is_plain:
                yield member.filename, None
                continue
            with archive.open(member) as file:
                yield member.filename, file


def _download(where: RepositoryUrl, target: Path, progress: Progress) -> str | None:
    try:
        with (
            _client() as client,
            client.stream("GET", where.url) as response,
            target.open("wb") as file,
        ):
            if response.status_code != httpx.codes.OK:
                raise RepositoryFailed(
                    f"{where}: the server answered {response.status_code} "
                    f"{response.reason_phrase}".rstrip()
                )
            _store(response, file, where, progress)
            state: str | None = response.headers.get("etag")
            return state.strip('W/"')[:100] if state else None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        why = str(error) or type(error).__name__
        raise RepositoryFailed(f"{where}: {why}") from error


def _client() -> httpx.Client:
    return httpx.Client(
        timeout=_TIMEOUT,
        follow_redirects=True,
        event_hooks={"request": [_refuse_unencrypted]},
        # A redirect may lead to the same host, which may be about to close the connection.
        limits=httpx.Limits(max_keepalive_connections=0),
    )


def _store(
    response: httpx.Response, file: IO[bytes], where: RepositoryUrl, progress: Progress
) -> None:
    done = 0
    for chunk in response.iter_bytes(2**16):
        done += len(chunk)
        if done > (LARGEST_FILE if where.kind == "file" else LARGEST_DOWNLOAD):
            raise RepositoryFailed(f"{where}: is larger than {format_bytes(done - len(chunk))}")
        file.write(chunk)
        progress("fetch", done, None)


def _refuse_unencrypted(request: httpx.Request) -> None:
    """Also for where a redirect leads."""
    try:
        if request.url.userinfo or request.url.scheme not in ("http", "https"):
            raise ValueError("expected an https URL without a user name")
        check_host(str(request.url))
        if (why := refusal(request.url.host, request.url.port)) is not None:
            raise ValueError(why)
    except ValueError as error:
        raise RepositoryFailed(f"redirected to {request.url.host}: {error}") from error
