"""The model that a question is about: its configuration and what the headers of its files say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from kronk.shared.load_spec import Surroundings, load_spec
from kronk.shared.model_config import ModelConfig
from kronk.shared.models import index, projectors
from kronk.shared.models.headers import headers_of
from kronk.shared.models.resolve import resolve
from kronk.shared.paths import BasePath
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


def _subject(base: BasePath, spec: LoadSpec) -> Subject:
    files = look(spec, headers_of(base).read)
    return Subject(spec.model, spec, files, "disk", identity(files_of(spec)))
