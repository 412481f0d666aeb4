"""The job that fetches the catalogs of the repository that is set, checks them, and puts them in
the place of those fetched before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kronk.shared.errors import InvalidArgument
from kronk.shared.jobs.kinds import Progress
from kronk.shared.repositories import folder
from kronk.shared.repositories.fetch import fetch
from kronk.shared.repositories.fetched import Fetched
from kronk.shared.repositories.url import RepositoryUrl
from kronk.shared.settings import Settings

from . import catalog

# Where a repository has one of these, what is elsewhere in it is no catalog.
_FOLDERS = ("catalog/", "catalogs/")


def run(settings: Settings, _params: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Fetch and check; tells how many files and models there are. What was fetched before stays
    unless all is right: `InvalidArgument` names file, entry and key."""
    where = repository(settings)
    with folder.changing(settings.base.catalog) as change:
        fetched = fetch(where, catalog.SUFFIXES, change.scratch, progress)
        files, models = check(fetched)
        facts = change.put(fetched, files)
    return {**facts, "files": len(files), "models": models}


def check_early(settings: Settings, _params: Mapping[str, Any]) -> None:
    """Whether there is anything to fetch."""
    repository(settings)


def repository(settings: Settings) -> RepositoryUrl:
    """The one that is set."""
    where = settings.catalog_github_repo
    if where is None:
        raise InvalidArgument(
            "no repository is set: KRONK_CATALOG_GITHUB_REPO or --catalog-github-repo names one",
            param="catalog_github_repo",
        )
    return where


def check(fetched: Fetched) -> tuple[dict[str, bytes], int]:
    """The files of it that are catalogs, and how many models they have; all of them are sound."""
    names = [name for name in fetched.files if name.startswith(_FOLDERS)]
    in_folder = bool(names)
    files: dict[str, bytes] = {}
    seen: dict[str, str] = {}
    for name in sorted(names or fetched.files):
        where = f"{fetched.where}: {name}"
        if not in_folder and not _looks_like_one(fetched.files[name], where):
            continue
        for entry in catalog.read_text(fetched.files[name], where, name):
            if entry.id.lower() in seen:
                raise InvalidArgument(f"{where}: {entry.id} is in {seen[entry.id.lower()]} too")
            seen[entry.id.lower()] = name
        files[name] = fetched.files[name]
    if not seen:
        raise InvalidArgument(
            f"{fetched.where}: has no catalog: no YAML file has a list under the key `models`"
        )
    return files, len(seen)


def _looks_like_one(text: bytes, where: str) -> bool:
    found = catalog.document(text, where)
    return isinstance(found, dict) and "models" in found
