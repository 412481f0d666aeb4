"""By what a load is known again: its files in their states, and all that its size depends on."""

from __future__ import annotations

import hashlib
from pathlib import Path

from kronk.shared.wire.loading import LoadSpec

from .learned import Load


def files_of(spec: LoadSpec) -> tuple[str, ...]:
    """Those a load reads; an empty name for one that it has not."""
    beside = (spec.speculation.draft_path or "", spec.projector or "")
    return (spec.path, *beside, *(one.path for one in spec.adapters))


def identity(names: tuple[str, ...]) -> str:
    """Of files in the states they have now; `OSError` where one is not there."""
    digest = hashlib.sha256()
    for name in names:
        if name:
            facts = Path(name).stat()
            digest.update(f"{name}\0{facts.st_size}\0{facts.st_mtime_ns}\0".encode())
    return digest.hexdigest()[:24]


def load_of(files: str, spec: LoadSpec) -> Load:
    """What is learned of this load, `files` being the identity of its files, is kept under this."""
    sizing = (spec.context, spec.placement, spec.speculation, spec.adapters, spec.projector)
    text = f"{files}\0{sizing!r}\0{spec.extra_buffers}"
    return Load(files, hashlib.sha256(text.encode()).hexdigest()[:24])
