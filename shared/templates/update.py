"""The job that fetches the chat templates of the repository that is set, tries them, and puts them
in the place of those fetched before."""

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

from . import reader
from .files import SUFFIX

_FOLDER = "templates/"


def run(settings: Settings, _params: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Fetch and try; tells the templates' names. What was fetched before stays unless all are
    right: `InvalidArgument` names file and line."""
    where = repository(settings)
    with folder.changing(settings.base.templates) as change:
        fetched = fetch(where, (SUFFIX,), change.scratch, progress)
        files = check(fetched)
        facts = change.put(fetched, files)
    return {**facts, "templates": sorted(map(name_of, files))}


def check_early(settings: Settings, _params: Mapping[str, Any]) -> None:
    """Whether there is anything to fetch."""
    repository(settings)


def repository(settings: Settings) -> RepositoryUrl:
    """The one that is set."""
    where = settings.templates_github_repo
    if where is None:
        raise InvalidArgument(
            "no repository is set: KRONK_TEMPLATES_GITHUB_REPO or --templates-github-repo names"
            " one",
            param="templates_github_repo",
        )
    return where


def check(fetched: Fetched) -> dict[str, bytes]:
    """The files of it that are templates, all of them Jinja, no two of one name."""
    inside = {name: data for name, data in fetched.files.items() if name.startswith(_FOLDER)}
    files = inside or fetched.files
    if not files:
        raise InvalidArgument(f"{fetched.where}: has no templates: no file ends in {SUFFIX}")
    seen: dict[str, str] = {}
    for name in sorted(files):
        if name_of(name) in seen:
            raise InvalidArgument(
                f"{fetched.where}: {name} has the name of {seen[name_of(name)]} too"
            )
        seen[name_of(name)] = name
    sources = {name: _text(data, f"{fetched.where}: {name}") for name, data in files.items()}
    for name, fault in reader.faults(sources).items():
        raise InvalidArgument(f"{fetched.where}: {name} {fault['words']}")
    return files


def name_of(path: str) -> str:
    """What `chat_template` calls it."""
    return path.rpartition("/")[2].removesuffix(SUFFIX)


def _text(data: bytes, where: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise InvalidArgument(f"{where}: not UTF-8 text") from error
