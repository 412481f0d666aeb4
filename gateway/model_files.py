"""What the headers of model files say, read once for each state of a file."""

from __future__ import annotations

import functools
from pathlib import Path

from kronk.shared import gguf
from kronk.shared.errors import KronkError
from kronk.shared.models.index import ModelEntry
from kronk.shared.wire.loading import TemplateSpec

from .dialects.ollama.details import Details, details

# Each is three short fields; a models folder may have 10,000 files.
_MOST_REMEMBERED = 10_000


def details_of(entry: ModelEntry) -> Details | None:
    """The details of a model; None when its file is not what its first bytes promise."""
    return _details(entry.path, entry.size_bytes, entry.modified)


@functools.lru_cache(_MOST_REMEMBERED)
def _details(path: Path, _size: int, _modified: int) -> Details | None:
    try:
        first = gguf.read(path)
        return details([first, *[gguf.read(other) for other in gguf.other_shards(path, first)]])
    except KronkError:
        return None


def template_of(header: gguf.Header, spec: TemplateSpec) -> str | None:
    """The chat template a load would use: a file's text or one of the GGUF's; None where neither
    has it."""
    if spec.path is not None:
        try:
            return Path(spec.path).read_text("utf-8", "replace")
        except OSError:
            # A load would say what is wrong with it.
            return None
    key = "tokenizer.chat_template"
    found = header.metadata.get(key if spec.name is None else f"{key}.{spec.name}")
    return found if isinstance(found, str) else None
