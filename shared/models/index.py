"""Which models there are on disk, under which ids, and which of them can be loaded."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kronk.shared import model_config
from kronk.shared.errors import InvalidArgument, ModelFailed, NotFound
from kronk.shared.model_config import Effective, ModelConfig
from kronk.shared.wire.values import Sampling

from .facts import State
from .nearest import hint
from .walk import MOST_SHARDS, Found, find

# What a catalog's ids do not have of a split model's first file.
_SHARD = re.compile(r"-\d{5}-of-\d{5}$")


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One id that requests may name. `validated` means the header looks right, no more:
    a file is read fully only by the worker that loads it."""

    id: str
    path: Path
    size_bytes: int
    # Unix seconds.
    modified: int
    validated: bool
    reason: str | None
    # The path below the models folder without `.gguf`: names the model too, for a variant as well.
    relative: str = ""
    # Other names for it, of its configuration.
    aliases: tuple[str, ...] = ()
    # Itself, or all its shards.
    files: tuple[Found, ...] = ()
    # What is known of the integrity of its files: the worst of theirs, and words for people.
    integrity: State = "unknown"
    note: str | None = None


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """What a request's `model` stands for."""

    id: str
    path: Path
    config: ModelConfig
    # What the catalog recommends.
    sampling: Sampling = Sampling()  # noqa: RUF009  # frozen


def scan(models: Path, configs: Mapping[str, ModelConfig]) -> list[ModelEntry]:
    """All models below the folder, sorted by id; never raises for a broken file."""
    return entries(find(models), configs)


def entries(files: Iterable[Found], configs: Mapping[str, ModelConfig]) -> list[ModelEntry]:
    """The ids of the found files: a file's name, or its path where two folders share the name."""
    joined = _join(files)
    names = Counter(_name(entry.relative) for entry in joined)
    named = [
        replace(entry, id=_name(entry.relative))
        if names[_name(entry.relative)] == 1
        else replace(entry, id=entry.relative)
        for entry in joined
    ]
    by_id = {entry.id: entry for entry in named}
    for key in configs:
        base, slash, variant = key.rpartition("/")
        # A file comes before a variant that would have its id.
        if slash and variant and base in by_id and key not in by_id:
            of = by_id[base]
            named.append(replace(of, id=key, relative=f"{of.relative}/{variant}"))
    return sorted(
        (replace(entry, aliases=config_of(entry, configs).aliases) for entry in named),
        key=lambda entry: entry.id,
    )


def check_aliases(known: Iterable[ModelEntry]) -> None:
    """`InvalidArgument` where an alias of one model is the id of another, or an alias of it too: a
    request that names it could mean either."""
    owners = {entry.id: entry.id for entry in known}
    for entry in known:
        for alias in entry.aliases:
            owner = owners.setdefault(alias, entry.id)
            if owner != entry.id:
                whose = "the id of another model" if owner == alias else f"an alias of {owner} too"
                raise InvalidArgument(
                    f"model config: {entry.id}.aliases: {alias!r} is {whose}", param="aliases"
                )


def check_names(models: Path, configs: Mapping[str, ModelConfig]) -> None:
    """`check_aliases` of the models in that folder, with another configuration."""
    # Without aliases there is nothing to look for, and the disk need not be asked.
    if any(config.aliases for config in configs.values()):
        check_aliases(scan(models, configs))


def listed(known: Iterable[ModelEntry]) -> list[ModelEntry]:
    """An entry for each name that a list should have: ids and aliases."""
    return sorted(
        (
            replace(entry, id=name)
            for entry in known
            for name in dict.fromkeys((entry.id, *entry.aliases))
        ),
        key=lambda entry: entry.id,
    )


def pick(
    known: Sequence[ModelEntry], model_id: str, configs: Mapping[str, ModelConfig]
) -> ResolvedModel:
    """The model of that id, alias or path below the models folder, with or without `.gguf`.

    `NotFound` names the nearest ids, `ModelFailed` says what is wrong with the file. The id is only
    compared, never made a path of.
    """
    entry = locate(known, model_id)
    if not entry.validated:
        raise ModelFailed(
            f"model {entry.id} cannot be loaded: {entry.path.name}: {entry.reason}", param="model"
        )
    settings = effective_of(entry, configs)
    return ResolvedModel(entry.id, entry.path, settings.config, settings.recommended)


def locate(known: Sequence[ModelEntry], model_id: str) -> ModelEntry:
    """The entry of that id, alias or path, also of a file that cannot be loaded. An id means its
    model, whoever has it as an alias."""
    wanted = model_id[:-5] if model_id.lower().endswith(".gguf") else model_id
    matches = (
        [entry for entry in known if entry.id == wanted]
        or [entry for entry in known if model_id in entry.aliases]
        or [entry for entry in known if entry.relative == wanted]
    )
    if not matches:
        raise NotFound(_not_found(model_id, wanted, known), param="model")
    return matches[0]


def config_of(entry: ModelEntry, configs: Mapping[str, ModelConfig]) -> ModelConfig:
    """What it is to be loaded with."""
    return effective_of(entry, configs).config


def effective_of(entry: ModelEntry, configs: Mapping[str, ModelConfig]) -> Effective:
    """The same, with the origin of each value. A file keeps its settings when a second file of its
    name makes its id a path; a variant has the catalog's recommendations for its file."""
    return model_config.effective_of(configs, names_of(entry), _SHARD.sub("", entry.path.stem))


def unused(known: Iterable[ModelEntry], configs: Mapping[str, ModelConfig]) -> list[str]:
    """Names that have settings and are no model's."""
    names = {name for entry in known for name in names_of(entry)}
    return [name for name in configs if name not in names]


def names_of(entry: ModelEntry) -> tuple[str, ...]:
    """Those under which a configuration may have settings for it."""
    return entry.id, entry.relative, _name(entry.relative)


def _not_found(model_id: str, wanted: str, known: Sequence[ModelEntry]) -> str:
    shown = ascii(model_id if len(model_id) <= 100 else model_id[:100] + "...")
    if not known:
        return f"there is no model {shown}: the models folder has none yet"
    same_name = [entry.id for entry in known if _name(entry.relative) == wanted]
    if same_name:
        return f"the name {shown} is not unique; write one of {', '.join(same_name)}"
    return f"there is no model {shown}{hint(wanted, (entry.id for entry in listed(known)))}"


def _join(files: Iterable[Found]) -> list[ModelEntry]:
    """One entry per model: the shards of a split model become one."""
    groups: dict[tuple[str, int | None], list[Found]] = {}
    for file in files:
        groups.setdefault((file.relative, file.shards), []).append(file)
    joined: list[ModelEntry] = []
    taken: set[str] = set()
    for (relative, shards), group in sorted(groups.items(), key=lambda item: item[0][1] or 0):
        if relative in taken:
            relative = group[0].full_relative
        taken.add(relative)
        reason = group[0].reason if shards is None else _split_fault(group, shards)
        joined.append(_entry(relative, group, reason))
    return joined


def _entry(relative: str, group: Sequence[Found], reason: str | None) -> ModelEntry:
    return ModelEntry(
        id=relative,
        # llama.cpp is given the first shard and finds the others beside it.
        path=group[0].path,
        size_bytes=sum(file.size_bytes for file in group),
        modified=max(file.modified for file in group),
        validated=reason is None,
        reason=reason,
        relative=relative,
        files=tuple(group),
    )


def _split_fault(group: Sequence[Found], shards: int) -> str | None:
    present = {file.shard for file in group}
    missing = [number for number in range(1, min(shards, MOST_SHARDS) + 1) if number not in present]
    if not 1 <= shards <= MOST_SHARDS or len(present - set(range(1, shards + 1))):
        return f"its shards are numbered wrongly: of {shards}"
    if missing:
        first = ", ".join(str(number) for number in missing[:5])
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        return f"it is split into {shards} files and lacks number {first}{more}"
    return next((f"{file.path.name}: {file.reason}" for file in group if file.reason), None)


def _name(relative: str) -> str:
    return relative.rpartition("/")[2]
