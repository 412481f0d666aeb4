"""The headers of all files that a load uses: the only place here that asks for any."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kronk.shared import gguf
from kronk.shared.gguf import Header
from kronk.shared.wire.loading import LoadSpec

from .facts import ModelFacts, ModelFiles
from .read import model_facts, projector_facts

Read = Callable[[Path], Header]


def look(spec: LoadSpec, read: Read) -> ModelFiles:
    """What the headers say; `read` is that of `models.headers` or, in a worker, of `gguf_file`.

    `InvalidArgument` for a file that cannot be read or is of no model; the worker, which reads the
    files too, says it better."""
    draft, projector = spec.speculation.draft_path, spec.projector
    return ModelFiles(
        model=_model(Path(spec.path), read, with_tensors=bool(spec.placement.tensor_places)),
        draft=_model(Path(draft), read) if draft is not None else None,
        projector=projector_facts(read(Path(projector))) if projector is not None else None,
        adapter_bytes=sum(read(Path(one.path)).file_size for one in spec.adapters),
    )


def _model(path: Path, read: Read, *, with_tensors: bool = False) -> ModelFacts:
    header = read(path)
    shards = [read(shard) for shard in gguf.other_shards(path, header)]
    return model_facts(header, shards, with_tensors=with_tensors)
