"""Where a repository is, as a setting says it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

FORMS = (
    "https://host/owner/repository, ssh://host/path, user@host:path or file:///path of a git"
    " repository, or the https URL of a .zip or .tar.gz archive or of one file; #name after it is a"
    " branch or tag"
)

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_ARCHIVES = (".zip", ".tar.gz", ".tgz")
_FILES = (".yaml", ".yml", ".jinja")
# Neither may be taken for an option, nor the host for one of git's remote helpers (`ext::`).
_SCP = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*@[A-Za-z0-9][A-Za-z0-9.-]*:(?!:)[^\s-][^\s]*")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9a-f:.]+", re.IGNORECASE)
_REFERENCE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+/-]{0,199}")


@dataclass(frozen=True, slots=True)
class RepositoryUrl:
    """What is fetched, and how."""

    url: str
    kind: Literal["git", "archive", "file"]
    # A branch or tag; None: what the repository says is its own.
    reference: str | None = None

    @property
    def scheme(self) -> str:
        return self.url.partition("://")[0] if "://" in self.url else "ssh"

    def __str__(self) -> str:
        """As it was written."""
        return f"{self.url}#{self.reference}" if self.reference else self.url


def parse(text: str) -> RepositoryUrl:
    """`ValueError` says what is wrong with it."""
    url, _, reference = text.partition("#")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError(f"expected {FORMS}")
    if reference and (not _REFERENCE.fullmatch(reference) or ".." in reference):
        raise ValueError("expected the name of a branch or tag after #")
    if _SCP.fullmatch(url):
        return RepositoryUrl(url, "git", reference or None)
    scheme = url.partition("://")[0].lower()
    if scheme == "file":
        _check_path(url)
    elif scheme in ("http", "https", "ssh"):
        check_host(url)
        if "?" in url:
            raise ValueError("expected a URL without a query, which may be a key to somebody")
    else:
        raise ValueError(f"expected {FORMS}")
    kind = _kind(url) if scheme in ("http", "https") else "git"
    if reference and kind != "git":
        raise ValueError("only a git repository has branches and tags")
    return RepositoryUrl(url, kind, reference or None)


def _kind(url: str) -> Literal["git", "archive", "file"]:
    path = urlsplit(url).path.lower()
    if path.endswith(_ARCHIVES):
        return "archive"
    return "file" if path.endswith(_FILES) else "git"


def _check_path(url: str) -> None:
    if not url.startswith("file:///"):
        raise ValueError("expected file:/// and a path from the root")


def check_host(url: str) -> None:
    """Whether files may be fetched from there: encrypted, but for this machine. `ValueError` says
    what is wrong."""
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    host, _ = parts.hostname, parts.port
    if not host or not _HOST.fullmatch(host):
        raise ValueError("expected a URL with a host")
    if parts.password is not None or (parts.username is not None and scheme != "ssh"):
        raise ValueError(
            "expected a URL without a user name or password, which would be written down; git asks"
            " its credential helpers"
        )
    if scheme == "ssh" and (parts.username or "").startswith("-"):
        raise ValueError("expected a user name that is none of ssh's options")
    if scheme == "http" and host not in _LOOPBACK:
        raise ValueError("http is allowed to this machine only; use https")
