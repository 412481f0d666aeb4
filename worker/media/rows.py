"""Rows of embeddings for one decode, as llama.cpp wants them: never together with tokens."""

from __future__ import annotations

import ctypes

import llama_cpp.llama_cpp as lib
import numpy as np

from .clip import Clip

_int32 = ctypes.POINTER(ctypes.c_int32)


class ClipRows:
    """`count` rows of an encoded clip from the row `first` on; the clip begins at `start`."""

    def __init__(
        self, clip: Clip, sequence: int, start: int, first: int, count: int, *, output_last: bool
    ) -> None:
        assert clip.embeddings is not None, "it is encoded first"
        assert 0 < count <= clip.rows - first, "rows that are not there abort the process"
        self.size = count
        self._embeddings = np.ascontiguousarray(clip.embeddings[first : first + count])
        if clip.positions is None:
            self._pos = np.arange(start + first, start + first + count, dtype=np.int32)
        else:
            self._pos = clip.positions.at(start, first, count)
        self._count = np.ones(count, np.int32)
        self._seq = np.array([sequence], np.int32)
        self._seq_at = np.full(count, self._seq.ctypes.data, np.uint64)
        self._output = np.zeros(count, np.int8)
        self._output[-1] = output_last

    def struct(self) -> lib.llama_batch:
        """For llama_decode; valid as long as this."""
        return lib.llama_batch(
            n_tokens=self.size,
            token=None,
            embd=self._embeddings.ctypes.data_as(ctypes.POINTER(ctypes.c_float)),
            pos=self._pos.ctypes.data_as(_int32),
            n_seq_id=self._count.ctypes.data_as(_int32),
            seq_id=self._seq_at.ctypes.data_as(ctypes.POINTER(_int32)),
            logits=self._output.ctypes.data_as(ctypes.POINTER(ctypes.c_int8)),
        )
