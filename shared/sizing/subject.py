"""The model that a question is about: its configuration and what the headers of its files say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from kronk.shared.errors import KronkError
from kronk.shared.gguf import Header
from kronk.shared.load_spec import Surroundings, load_spec, speculation_mode
from kronk.shared.model_config import ModelConfig, effective_of, is_path
from kronk.shared.models import index, projectors
from kronk.shared.models.header_cache import HeaderCache
from kronk.shared.models.headers import headers_of
from kronk.shared.models.plan import Plan, Role
from kronk.shared.models.remote_header import RemoteHeaders
from kronk.shared.models.resolve import resolve
from kronk.shared.paths import BasePath
from kronk.shared.settings import Settings
from kronk.shared.wire.loading import LoadSpec

from . import overrides
from .facts import ModelFiles
from .identity import files_of, identity
from .look import look


@dataclass(frozen=True, slots=True)
class Subject:
    """One model with the settings that are tried."""

    id: str
    spec: LoadSpec
    files: ModelFiles
    origin: Literal["disk", "remote"]
    # Of its files as they are now, by which measured sizes are found; None for remote ones.
    identity: str | None = None
    # Bytes that were fetched to know this.
    fetched_bytes: int = 0


def on_disk(
    base: BasePath, configs: Mapping[str, ModelConfig], wanted: str, values: Mapping[str, Any]
) -> Subject:
    """A model of the models folder, by id, alias or path below it. `NotFound` and `ModelFailed` as
    `resolve` has them."""
    entry = index.locate(index.scan(base.models, configs), wanted)
    config = overrides.apply(index.config_of(entry, configs), values)
    return _subject(base, resolve(base, {**configs, entry.id: config}, entry.id))


def of_file(base: BasePath, path: Path, values: Mapping[str, Any]) -> Subject:
    """A file anywhere, with the settings that any model has; `InvalidArgument` where it is none."""
    path = path.expanduser().absolute()
    config = overrides.apply(ModelConfig(), values)
    beside = projectors.beside(path, headers_of(base).read) if config.projector is None else None
    return _subject(base, load_spec(path.stem, path, config, Surroundings(projector=beside)))


def elsewhere(
    settings: Settings, configs: Mapping[str, ModelConfig], plan: Plan, values: Mapping[str, Any]
) -> Subject:
    """A model that would have to be fetched; only headers are. `InvalidArgument` says what is wrong
    with a file, `NotFound` and `FetchFailed` what is wrong on the way."""
    base = settings.base
    own = effective_of(configs, (plan.id,), plan.id).config
    config = overrides.apply(own, values)
    beside = _first(plan, "projector") if config.projector is None else None
    around = Surroundings(projector=beside, draft=_draft(base, configs, plan, config))
    spec = load_spec(plan.id, Path(plan.items[0].relative), config, around)
    items = {Path(item.relative): item for item in plan.items}
    cache = HeaderCache(base.headers)
    with RemoteHeaders(items, settings.hf_token, cache) as remote:

        def read(path: Path) -> Header:
            return remote.read(path) if path in remote else headers_of(base).read(path)

        files = look(spec, read)
        return Subject(plan.id, spec, files, "remote", fetched_bytes=remote.fetched_bytes)


def _first(plan: Plan, role: Role) -> Path | None:
    return next((Path(item.relative) for item in plan.items if item.role == role), None)


def _draft(
    base: BasePath, configs: Mapping[str, ModelConfig], plan: Plan, config: ModelConfig
) -> Path | None:
    wanted = config.draft_model
    if wanted is None or speculation_mode(config) != "draft":
        return None
    if is_path(wanted):
        return Path(wanted)
    known = index.scan(base.models, configs)
    try:
        return index.pick(known, wanted, configs).path
    except KronkError:
        # It may come along.
        found = _first(plan, "draft")
        if found is None:
            raise
        return found


def _subject(base: BasePath, spec: LoadSpec) -> Subject:
    files = look(spec, headers_of(base).read)
    return Subject(spec.model, spec, files, "disk", identity(files_of(spec)))
