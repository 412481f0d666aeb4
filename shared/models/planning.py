"""From what a user typed to the files that it means, before anything is fetched."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from kronk.shared.settings import Settings

from . import catalog, choose, hub, sources, spelling
from .catalog import CatalogEntry
from .choose import Chosen, Offer
from .hub import Repository
from .plan import Item, Plan, Role
from .sources import HfRepo, HfSource, Source
from .spelling import Wanted
from .walk import PROJECTOR

_SHARD = re.compile(r"-\d{5}-of-\d{5}$")


@dataclass(frozen=True, slots=True)
class Survey:
    """A plan, and what else its repository has to offer; nothing where it is of none."""

    plan: Plan
    offers: tuple[Offer, ...] = ()


def plan(settings: Settings, wanted: str) -> Plan:
    """What `survey` plans."""
    return survey(settings, wanted).plan


def survey(settings: Settings, wanted: str) -> Survey:
    """The plan for an id of the catalog or for what `spelling.py` reads. Asks the hub what a
    repository has; an entry of the catalog that says all of its files needs no network.

    `NotFound` and `InvalidArgument` say what is wrong with it, `FetchFailed` what is wrong on the
    way. All files are of one commit, and are fetched as they were when this was made."""
    meant = check(settings, wanted)
    if isinstance(meant, CatalogEntry):
        return Survey(_of_entry(settings, wanted, meant))
    if isinstance(meant, HfRepo | HfSource):
        repository = hub.look(meant.owner, meant.repo, meant.revision, settings.hf_token)
        chosen = _chosen(meant, repository)
        offers = choose.offers(repository.files, repository.name)
        return Survey(_of_repository(wanted, repository, chosen), tuple(offers))
    files = sources.shards(meant)
    folder = files[0].folder
    items = tuple(
        Item(one, f"{folder}/{one.file_name}", role=_role(at, one)) for at, one in enumerate(files)
    )
    return Survey(Plan(wanted, _stem(files[0].file_name), items))


def _chosen(meant: HfRepo | HfSource, repository: Repository) -> list[Chosen]:
    if isinstance(meant, HfRepo):
        return choose.by_quant(repository.files, meant.quant, repository.name)
    return choose.by_path(repository.files, meant.path, repository.name)


def check(settings: Settings, wanted: str) -> CatalogEntry | Wanted:
    """What the word means, as far as that is known without the network."""
    if not spelling.is_explicit(wanted):
        known = catalog.known(settings.base)
        entry = next((one for one in known if one.id.lower() == wanted.lower()), None)
        if entry is not None:
            return entry
        if not spelling.looks_like_source(wanted):
            return catalog.find(known, wanted)
    return spelling.read(wanted, hub.endpoint())


def _of_repository(wanted: str, repository: Repository, chosen: Sequence[Chosen]) -> Plan:
    folder = _folder(repository, chosen[0])
    items = tuple(
        Item(
            HfSource(repository.owner, repository.repo, one.file.path, repository.commit),
            f"{folder}/{one.file.name}",
            one.file.sha256,
            one.file.size_bytes,
            one.role,
        )
        for one in chosen
    )
    return Plan(
        wanted,
        _stem(chosen[0].file.name),
        items,
        repository.licence,
        repository.commit,
        repository.gated,
    )


def _folder(repository: Repository, first: Chosen) -> str:
    """Below the models folder. Folders of a repository are left out where the name alone tells its
    files apart."""
    names = Counter(file.name for file in repository.files)
    inner = first.file.folder
    return f"{repository.name}/{inner}" if inner and names[first.file.name] > 1 else repository.name


def _of_entry(settings: Settings, wanted: str, entry: CatalogEntry) -> Plan:
    items = tuple(
        Item(
            file.source,
            f"{entry.folder}/{file.name}",
            file.sha256,
            file.size_bytes,
            file.role,
        )
        for file in entry.files
    )
    pinned, commit = _pinned(settings, items)
    return Plan(wanted, entry.id, pinned, entry.licence, commit)


def _pinned(settings: Settings, items: Sequence[Item]) -> tuple[tuple[Item, ...], str | None]:
    """With what the hub says of files that the catalog does not say all of; and their commit."""
    seen: dict[tuple[str, str, str | None], Repository] = {}
    found: list[Item] = []
    for item in items:
        source = item.source
        if not isinstance(source, HfSource) or None not in (item.sha256, item.size_bytes):
            found.append(item)
            continue
        at = (source.owner, source.repo, source.revision)
        if at not in seen:
            seen[at] = hub.look(*at, settings.hf_token)
        file = choose.file_at(seen[at].files, source.path, seen[at].name)
        found.append(
            replace(
                item,
                source=replace(source, revision=seen[at].commit),
                sha256=item.sha256 or file.sha256,
                size_bytes=file.size_bytes if item.size_bytes is None else item.size_bytes,
            )
        )
    commits = {repository.commit for repository in seen.values()}
    return tuple(found), commits.pop() if len(commits) == 1 else None


def _role(at: int, source: Source) -> Role:
    name = source.file_name[: -len(".gguf")]
    if PROJECTOR.search(name):
        return "projector"
    if not at:
        return "model"
    return "shard" if _SHARD.search(name) else "draft"


def _stem(name: str) -> str:
    """The id of the model whose first file has that name."""
    return _SHARD.sub("", name[: -len(".gguf")])
