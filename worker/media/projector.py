"""A model's eyes and ears: the encoder in a projector's GGUF, through llama.cpp's mtmd.

`read` may be called from any thread; clips are encoded on the engine's.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import llama_cpp.llama_cpp as lib
import llama_cpp.mtmd_cpp as mtmd

from kronk.shared.abilities import wrong_media
from kronk.shared.errors import InvalidArgument
from kronk.shared.media_formats import READABLE, sniff
from kronk.shared.wire.values import Media, Want
from kronk.worker.library import LlamaLog
from kronk.worker.model import Model

from . import picture, sound
from .chunks import Chunks
from .clip import MediaFile
from .encoder import Checkpoints, Encoder
from .known import Known

# For the embeddings of the last files: fifteen to fifty photographs, by the model.
_KEPT_BYTES = 128 * 2**20


@dataclass(frozen=True, slots=True)
class ProjectorShape:
    """What a projector is opened by."""

    path: Path
    n_threads: int
    use_gpu: bool
    # Rows that the model's context decodes together.
    n_ubatch: int


class Projector:
    """Opened once, and as long there as its process. Encodes once when it is opened."""

    def __init__(
        self,
        shape: ProjectorShape,
        model: Model,
        log: LlamaLog,
        on_progress: Callable[[float], None] = lambda _: None,
    ) -> None:
        for listen in (mtmd.mtmd_log_set, mtmd.mtmd_helper_log_set):
            listen(log.callback, ctypes.c_void_p(0))
        params = mtmd.mtmd_context_params_default()
        params.use_gpu = shape.use_gpu
        params.n_threads = shape.n_threads
        params.print_timings = False
        checkpoints = Checkpoints()
        params.cb_eval = checkpoints.callback

        def report(fraction: float, _: object) -> bool:
            on_progress(fraction)
            return True

        progress = mtmd.mtmd_progress_callback(report)
        params.progress_callback = progress
        handle = mtmd.mtmd_init_from_file(str(shape.path).encode(), model.handle, params)
        if not handle:
            raise log.failure(
                f"the projector {shape.path.name} cannot be loaded for this model: {log.explain()}",
                param="model",
            )
        self.name = shape.path.name
        self.modalities = _modalities(handle)
        self._n_ubatch = shape.n_ubatch
        self._known = Known(_KEPT_BYTES)
        self._encoder = Encoder(
            handle,
            checkpoints,
            width=lib.llama_model_n_embd_inp(model.handle),
            has_sections=mtmd.mtmd_decode_use_mrope(handle),
        )

    def close(self) -> None:
        """Give its memory back. No clip may be encoded any more."""
        self._encoder.close()

    def read(self, file: Media) -> MediaFile:
        """The file as the model reads it; `InvalidArgument` names its field."""
        self._check(file)
        digest = hashlib.sha256(file.data).digest()
        known = self._known.get(digest)
        if known is not None:
            return known
        chunks = Chunks(self._encoder, file)
        pieces = [chunks.piece(number, digest) for number in range(len(chunks))]
        read = MediaFile(pieces, functools.partial(self._known.put, digest))
        self._check_rows(read, file)
        return self._known.hold(digest, read)

    def _check(self, file: Media) -> None:
        """Refuse what is not for this model, not what it is said to be, or not safe to decode."""
        where = file.param
        if file.kind not in self.modalities:
            raise wrong_modality(file)
        found = sniff(file.data)
        if found is None or found.kind != file.kind:
            got = f"the file is {found.name}" if found else "the file is none of them"
            raise InvalidArgument(
                f"'{where}': expected {READABLE[file.kind]}, but {got}", param=where
            )
        try:
            if file.kind == "image":
                picture.check(file.data)
            else:
                sound.check(file.data)
        except picture.Unreadable as error:
            raise InvalidArgument(
                f"'{where}': cannot read this {found.name} file: {error}", param=where
            ) from error

    def _check_rows(self, read: MediaFile, file: Media) -> None:
        rows = max((clip.rows for clip in read.clips if clip.sees_ahead), default=0)
        if rows > self._n_ubatch:
            raise InvalidArgument(
                f"'{file.param}': it takes {rows} tokens, which this model reads at once, and"
                f" n_ubatch is {self._n_ubatch}: send a smaller one, or configure n_ubatch",
                param=file.param,
            )


def wrong_modality(file: Media) -> InvalidArgument:
    """For a model that does not take files of that kind."""
    return wrong_media(Want(file.kind, file.param))


def _modalities(handle: int) -> tuple[str, ...]:
    image: bool = mtmd.mtmd_support_vision(handle)
    audio: bool = mtmd.mtmd_support_audio(handle)
    return (*(("image",) if image else ()), *(("audio",) if audio else ()))
