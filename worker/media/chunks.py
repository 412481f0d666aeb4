"""mtmd's chunks of one file: what it makes of an image or a recording before anything is encoded.

Everything that would abort the process is checked before the call: a recording of one sample, an
index that is not there.
"""

from __future__ import annotations

import ctypes
import functools
import weakref
from collections.abc import Callable
from typing import Any

import llama_cpp.mtmd_cpp as mtmd
import numpy as np
import numpy.typing as npt

from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.values import Media
from kronk.worker.cache.spans import span_ids

from .clip import Clip, Embeddings, Positions
from .encoder import Encoder

_bytes_p = ctypes.POINTER(ctypes.c_uint8)
# Less than preprocessing looks at around its first sample.
_LEAST_SAMPLES = 1_000
_SECTIONS = 4


class Chunks:
    """Preprocessed, and in C memory until the last clip made of it is encoded or gone."""

    def __init__(self, encoder: Encoder, file: Media) -> None:
        self._encoder = encoder
        self._handle = mtmd.mtmd_input_chunks_init()
        free = weakref.finalize(self, mtmd.mtmd_input_chunks_free, self._handle)
        # The library may be gone by then.
        free.atexit = False
        bitmap = _decode(encoder, file)
        try:
            part = mtmd.mtmd_input_part(None, bitmap)
            parts = (ctypes.POINTER(mtmd.mtmd_input_part) * 1)(ctypes.pointer(part))
            code = mtmd.mtmd_tokenize_from_parts(encoder.handle, self._handle, parts, 1, False)
        finally:
            mtmd.mtmd_bitmap_free(bitmap)
        if code != 0:
            raise _unreadable(file)

    def __len__(self) -> int:
        return int(mtmd.mtmd_input_chunks_size(self._handle))

    def piece(self, number: int, digest: bytes) -> tuple[int, ...] | Clip:
        """The model's own tokens around a clip, or a clip of the file with that digest."""
        assert 0 <= number < len(self), "there is no such chunk"
        chunk = mtmd.mtmd_input_chunks_get(self._handle, number)
        if mtmd.mtmd_input_chunk_get_type(chunk) == mtmd.MTMD_INPUT_CHUNK_TYPE_TEXT:
            return _tokens(chunk)
        rows: int = mtmd.mtmd_input_chunk_get_n_tokens(chunk)
        length: int = mtmd.mtmd_input_chunk_get_n_pos(chunk)
        return Clip(
            span_ids(digest + number.to_bytes(4, "little"), length),
            rows,
            functools.partial(self._encode, chunk, rows),
            sees_ahead=mtmd.mtmd_decode_use_non_causal(self._encoder.handle, chunk),
            positions=_positions(chunk, rows) if self._encoder.has_sections else None,
        )

    def _encode(self, chunk: Any, rows: int, go_on: Callable[[], bool]) -> Embeddings | None:
        return self._encoder.encode(chunk, rows, go_on)


def _decode(encoder: Encoder, file: Media) -> Any:
    """Pixels or samples."""
    data = np.frombuffer(file.data, np.uint8)
    bitmap = mtmd.mtmd_helper_bitmap_init_from_buf(
        encoder.handle, data.ctypes.data_as(_bytes_p), data.size, False
    )
    if not bitmap:
        raise _unreadable(file)
    is_short = mtmd.mtmd_bitmap_get_nx(bitmap) < _LEAST_SAMPLES
    if is_short and mtmd.mtmd_bitmap_is_audio(bitmap):
        mtmd.mtmd_bitmap_free(bitmap)
        raise _unreadable(file)
    return bitmap


def _unreadable(file: Media) -> InvalidArgument:
    what = "image" if file.kind == "image" else "recording"
    return InvalidArgument(
        f"'{file.param}': the {what} is damaged or of a kind that cannot be decoded",
        param=file.param,
    )


def _tokens(chunk: Any) -> tuple[int, ...]:
    count = ctypes.c_size_t()
    found = mtmd.mtmd_input_chunk_get_tokens_text(chunk, ctypes.byref(count))
    return tuple(found[: count.value])


def _positions(chunk: Any, rows: int) -> Positions:
    """By what mtmd says for two places: each value either moves with the clip or does not."""
    image = mtmd.mtmd_input_chunk_get_tokens_image(chunk)
    if not image:
        base = np.zeros((_SECTIONS, rows), np.int32)
        base[:3] = np.arange(rows)
        step = np.ones_like(base)
        step[3] = 0
        return Positions(base, step)
    base, next_one = _sections(image, rows, 0), _sections(image, rows, 1)
    return Positions(base, next_one - base)


def _sections(image: Any, rows: int, start: int) -> npt.NDArray[np.int32]:
    found = (mtmd.mtmd_decoder_pos * rows)()
    mtmd.mtmd_helper_image_get_decoder_pos(image, start, found)
    # llama.cpp's order of sections: time, height, width.
    return np.array([(one.t, one.y, one.x, one.z) for one in found], np.uint32).astype(np.int32).T
