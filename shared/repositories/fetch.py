"""Fetches the texts of a repository, whatever kind it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from kronk.shared.jobs.kinds import Progress

from . import git, web
from .fetched import Fetched
from .limits import RepositoryFailed, Texts
from .url import RepositoryUrl


def fetch(
    where: RepositoryUrl, suffixes: Sequence[str], scratch: Path, progress: Progress
) -> Fetched:
    """Its files with these suffixes; `RepositoryFailed` says why it cannot be had. Nothing of it
    is run. `scratch` is an empty folder, which the caller deletes."""
    texts = Texts(str(where), suffixes)
    progress("fetch", 0, None)
    if where.kind != "git":
        revision = web.fetch(where, texts, scratch, progress)
    elif git.is_there():
        revision = git.fetch(where, texts, scratch, progress)
    else:
        revision = web.fetch(_archive(where), texts, scratch, progress)
    total = sum(map(len, texts.files.values()))
    progress("fetch", total, total)
    return Fetched(where, texts.files, revision)


def _archive(where: RepositoryUrl) -> RepositoryUrl:
    """GitHub packs any repository of its own."""
    parts = urlsplit(where.url)
    path = parts.path.strip("/").removesuffix(".git")
    if where.scheme != "https" or parts.hostname != "github.com" or path.count("/") != 1:
        raise RepositoryFailed(
            f"{where}: this machine has no git; install it, or name the https URL of a .zip or"
            " .tar.gz archive"
        )
    reference = where.reference or "HEAD"
    return RepositoryUrl(f"https://codeload.github.com/{path}/tar.gz/{reference}", "archive")
