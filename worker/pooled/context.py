"""A llama.cpp context that pools: the outputs of each sequence become one row of numbers."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import llama_cpp.llama_cpp as lib
import numpy as np
import numpy.typing as npt

from kronk.shared.abilities import Pooling
from kronk.shared.errors import ModelFailed
from kronk.worker.context import Batch, Context, ContextShape
from kronk.worker.library import LlamaLog
from kronk.worker.model import Model

Rows = npt.NDArray[np.float32]

# The address itself: the binding's own prototype makes a pointer object that costs more to use.
_get_embeddings = lib._lib["llama_get_embeddings_seq"]
_get_embeddings.argtypes = [lib.llama_context_p_ctypes, lib.llama_seq_id]
_get_embeddings.restype = ctypes.c_void_p

_SEMAPHORE_BYTES = 32
_FULL = 2**31 - 1


class PooledContext(Context):
    """Decodes whole texts; `width` is how many numbers each becomes."""

    def __init__(self, model: Model, shape: ContextShape, log: LlamaLog) -> None:
        super().__init__(model, shape, log)
        self.pooling = Pooling(lib.llama_pooling_type(self.handle))
        if self.pooling is Pooling.RANK:
            self.width: int = lib.llama_model_n_cls_out(model.handle)
        else:
            self.width = lib.llama_model_n_embd_out(model.handle)
        if self.width < 1:
            raise ModelFailed("the model's classifier has no outputs", param="model")

    def _arm_abort(self) -> None:
        """Let llama.cpp call `sem_trywait` before each operation of a decode.

        That counts down without any Python, so that the progress of a decode that takes minutes
        can be seen from outside, and ends the decode when there is nothing left to count down.
        """
        libc = ctypes.CDLL(None)
        self._semaphore = ctypes.create_string_buffer(_SEMAPHORE_BYTES)
        self._set, self._get = libc.sem_init, libc.sem_getvalue
        self._counted = 0
        self._set(self._semaphore, 0, _FULL)
        self._abort_callback = ctypes.cast(libc.sem_trywait, lib.ggml_abort_callback)
        lib.llama_set_abort_callback(
            self.handle, self._abort_callback, ctypes.cast(self._semaphore, ctypes.c_void_p)
        )

    def abort(self) -> None:
        """End the decode that runs now. From any thread; stays set until `rearm`."""
        self._set(self._semaphore, 0, 0)

    def rearm(self) -> None:
        """Allow decodes again."""
        self._counted += self._operations()
        self._set(self._semaphore, 0, _FULL)

    @property
    def progress(self) -> int:
        """Grows while a decode computes. From any thread."""
        return self._counted + self._operations()

    def _operations(self) -> int:
        left = ctypes.c_int()
        self._get(self._semaphore, ctypes.byref(left))
        # After an abort nobody knows how many there were.
        return _FULL - left.value if left.value else 0

    def pooled(self, sequences: Sequence[int]) -> Rows:
        """A row for each of these sequences, which the last decode completed."""
        rows = np.empty((len(sequences), self.width), np.float32)
        for row, sequence in zip(rows, sequences, strict=True):
            address: int = _get_embeddings(self.handle, sequence)
            assert address, "the sequence was not in the batch"
            ctypes.memmove(row.ctypes.data, address, row.nbytes)
        return rows

    def forget(self, sequence: int, start: int = 0) -> None:
        """Remove a sequence's positions from `start` on; encoders remember nothing anyway."""
        if self._memory:
            super().forget(sequence, start)


class PooledBatch(Batch):
    """A batch whose every row is an output: pooling takes all of them."""

    def add(
        self, sequence: int, start: int, tokens: Sequence[int], output_last: bool = True
    ) -> None:
        """Append rows of one sequence at positions from `start`."""
        super().add(sequence, start, tokens, output_last)
        self._output[self.size - len(tokens) : self.size] = 1
