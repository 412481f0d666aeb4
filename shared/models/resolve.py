"""From a name in a request to what a worker is told to load, with every file it needs found."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

from kronk.shared.abilities import abilities_of
from kronk.shared.errors import KronkError, ModelFailed
from kronk.shared.load_spec import Surroundings, load_spec, speculation_mode
from kronk.shared.model_config import NO_PROJECTOR, ModelConfig, is_path
from kronk.shared.paths import BasePath
from kronk.shared.templates import files
from kronk.shared.wire.loading import AdapterSpec, LibrarySpec, LoadSpec
from kronk.shared.wire.values import Ability

from . import facts, index, projectors
from .headers import headers_of
from .listing import with_integrity


def resolve(
    base: BasePath,
    configs: Mapping[str, ModelConfig],
    name: str,
    *,
    llama_log: bool = False,
    library: Callable[[str | None], LibrarySpec] = lambda processor: LibrarySpec(),
) -> LoadSpec:
    """`NotFound` for a name that means no model, `ModelFailed` for one that cannot be loaded.
    `library` chooses the llama.cpp for what the model's configuration says of it."""
    entries = with_integrity(index.scan(base.models, configs), facts.load(base.models))
    found = index.pick(entries, name, configs)
    projector = _projector(base, found)
    around = Surroundings(
        cache=base.cache,
        draft=_draft(found, entries, configs),
        template=_template(base, found.config),
        projector=projector,
        abilities=_abilities(base, found, projector),
        recommended=found.sampling,
        llama_log=llama_log,
        library=library(found.config.processor),
    )
    adapters = tuple(_adapter(base, one) for one in found.config.adapters)
    config = dataclasses.replace(found.config, adapters=adapters)
    return load_spec(found.id, found.path, config, around)


def _adapter(base: BasePath, adapter: AdapterSpec) -> AdapterSpec:
    """One that is not where the configuration says is looked for by its name in `adapters/`."""
    said = Path(adapter.path)
    if said.exists():
        return adapter
    for file in (base.adapters / said.name, base.adapters / f"{said.name}.gguf"):
        if file.is_file():
            return dataclasses.replace(adapter, path=str(file))
    return adapter


def _draft(
    found: index.ResolvedModel,
    entries: list[index.ModelEntry],
    configs: Mapping[str, ModelConfig],
) -> Path | None:
    wanted = found.config.draft_model
    if wanted is None or speculation_mode(found.config) != "draft":
        return None
    if is_path(wanted):
        return Path(wanted)
    try:
        return index.pick(entries, wanted, configs).path
    except KronkError as error:
        # The request named a good model; what is wrong is that model's configuration.
        raise ModelFailed(
            f"model {found.id} cannot be loaded: its draft_model: {error.message}", param="model"
        ) from error


def _projector(base: BasePath, found: index.ResolvedModel) -> Path | None:
    if found.config.projector is not None:
        return None
    return projectors.beside(found.path, headers_of(base).read)


def _abilities(
    base: BasePath, found: index.ResolvedModel, beside: Path | None
) -> tuple[Ability, ...]:
    named = found.config.projector
    projector = Path(named) if named and named != NO_PROJECTOR else beside
    headers = headers_of(base)
    try:
        return abilities_of(
            headers.read(found.path), headers.read(projector) if projector is not None else None
        )
    except KronkError:
        # The worker says what is wrong with the file.
        return ()


def _template(base: BasePath, config: ModelConfig) -> Path | None:
    """A file of the templates folder or of a repository, if the named template is one."""
    return files.named(base, config.chat_template) if config.chat_template is not None else None
