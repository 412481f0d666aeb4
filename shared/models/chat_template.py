"""The chat template that a load would use."""

from __future__ import annotations

from pathlib import Path

from kronk.shared.gguf import Header
from kronk.shared.wire.loading import TemplateSpec

_KEY = "tokenizer.chat_template"


def template_of(header: Header, spec: TemplateSpec) -> str | None:
    """A file's text or one of the GGUF's; None where neither has it."""
    if spec.path is not None:
        try:
            return Path(spec.path).read_text("utf-8", "replace")
        except OSError:
            # A load would say what is wrong with it.
            return None
    found = header.metadata.get(_KEY if spec.name is None else f"{_KEY}.{spec.name}")
    return found if isinstance(found, str) else None


def origin_of(header: Header, spec: TemplateSpec) -> str | None:
    """Where that text is: a file's path, or the GGUF's key; None where there is none."""
    if template_of(header, spec) is None:
        return None
    if spec.path is not None:
        return spec.path
    return _KEY if spec.name is None else f"{_KEY}.{spec.name}"
