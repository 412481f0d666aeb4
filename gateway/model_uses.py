"""What models are for, as their headers and templates say: remembered for each state of a file."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kronk.shared.errors import KronkError
from kronk.shared.gguf import Header
from kronk.shared.model_config import NO_PROJECTOR, ModelConfig
from kronk.shared.models import index, projectors, traits
from kronk.shared.models.chat_template import template_of
from kronk.shared.models.headers import headers_of
from kronk.shared.models.index import ModelEntry
from kronk.shared.paths import BasePath
from kronk.shared.templates import files
from kronk.shared.wire.loading import TemplateSpec

# Each is a few short words; a models folder may have 10,000 files.
_MOST_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Use:
    """What a model can be asked for, and what its first file says of its size."""

    capabilities: tuple[str, ...]
    architecture: str | None
    quantization: str
    size_label: str | None
    # Tokens it was trained for.
    context_length: int | None


@dataclass(frozen=True, slots=True)
class _State:
    """All that an answer depends on."""

    path: Path
    size_bytes: int
    modified: int
    # In nanoseconds; a projector that comes or goes changes it.
    folder_modified: int
    projector: str | None
    chat_template: str | None
    template_file: str | None


class ModelUses:
    """For use by several threads, which wait where a header has to be read."""

    def __init__(self, base: BasePath) -> None:
        self._base = base
        self._known: dict[_State, Use | None] = {}

    def of(
        self, entries: Iterable[ModelEntry], configs: Mapping[str, ModelConfig]
    ) -> dict[str, Use | None]:
        """By id; None for a file that cannot be read."""
        return {entry.id: self._of(entry, index.config_of(entry, configs)) for entry in entries}

    def _of(self, entry: ModelEntry, config: ModelConfig) -> Use | None:
        state = _state(entry, config)
        if state not in self._known:
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            self._known[state] = self._read(entry, config)
        return self._known[state]

    def _read(self, entry: ModelEntry, config: ModelConfig) -> Use | None:
        headers = headers_of(self._base)
        try:
            header = headers.read(entry.path)
        except KronkError:
            return None
        projector = None
        with contextlib.suppress(KronkError, OSError):
            projector = self._projector(entry, config)
        known = header.metadata
        architecture = known.get("general.architecture")
        context, label = (
            known.get(f"{architecture}.context_length"),
            known.get("general.size_label"),
        )
        return Use(
            tuple(traits.capabilities(header, self._template(header, config), projector)),
            architecture if isinstance(architecture, str) else None,
            traits.quantization(header, traits.weights([header])),
            label if isinstance(label, str) else None,
            context if isinstance(context, int) else None,
        )

    def _projector(self, entry: ModelEntry, config: ModelConfig) -> Header | None:
        headers = headers_of(self._base)
        named = config.projector
        if named == NO_PROJECTOR:
            return None
        path = Path(named) if named else projectors.beside(entry.path, headers.read)
        return headers.read(path) if path is not None else None

    def _template(self, header: Header, config: ModelConfig) -> str | None:
        named = config.chat_template
        path = files.named(self._base, named) if named is not None else None
        path = path or config.chat_template_file
        return template_of(header, TemplateSpec(str(path) if path is not None else None, named))


def _state(entry: ModelEntry, config: ModelConfig) -> _State:
    try:
        folder = entry.path.parent.stat().st_mtime_ns
    except OSError:
        folder = 0
    file = config.chat_template_file
    return _State(
        entry.path,
        entry.size_bytes,
        entry.modified,
        folder,
        str(config.projector) if config.projector is not None else None,
        config.chat_template,
        str(file) if file is not None else None,
    )


@functools.lru_cache(8)
def uses_in(base: BasePath) -> ModelUses:
    """Of the models below that folder; one object for the whole process."""
    return ModelUses(base)
