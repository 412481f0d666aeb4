"""A llama.cpp context and the batch it decodes. Owned by one thread, except `abort`.

Everything that would abort the process (LLAMA_MAX_SEQ, too many rows, rows without an output) is
checked here before the call.
"""

from __future__ import annotations

import ctypes
import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import llama_cpp.llama_cpp as lib
import numpy as np
import numpy.typing as npt

from kronk.shared.wire.loading import RopeSpec

from .engine_time import ENGINE_TIME
from .library import LlamaLog
from .model import Model

# ggml's type numbers; the binding names only some of them.
_CACHE_TYPES = {
    "f32": 0,
    "f16": 1,
    "q4_0": 2,
    "q4_1": 3,
    "q5_0": 6,
    "q5_1": 7,
    "q8_0": 8,
    "bf16": 30,
}
# The address itself: the binding's own prototype makes a pointer object that costs more to use.
_get_logits = lib._lib["llama_get_logits"]
_get_logits.argtypes = [lib.llama_context_p_ctypes]
_get_logits.restype = ctypes.c_void_p
_FLASH_ATTENTION = {"auto": -1, "disabled": 0, "enabled": 1}
_ROPE_SCALING = {
    "none": lib.LLAMA_ROPE_SCALING_TYPE_NONE,
    "linear": lib.LLAMA_ROPE_SCALING_TYPE_LINEAR,
    "yarn": lib.LLAMA_ROPE_SCALING_TYPE_YARN,
}


class DecodeResult(enum.Enum):
    """What became of one batch. NO_SPACE changed nothing; after ABORTED and FAILED some of the
    rows may be in the memory and the caller removes them."""

    OK = 0
    NO_SPACE = 1
    ABORTED = 2
    FAILED = 3


@dataclass(frozen=True, slots=True)
class ContextShape:
    """What a context is made by; `n_ctx` is the cells of all sequences together."""

    n_ctx: int
    n_batch: int
    n_ubatch: int
    n_seq_max: int
    n_threads: int
    # None: as many as `n_threads`.
    n_threads_batch: int | None = None
    # Rows of one decode that may have logits; None: one for each sequence.
    n_outputs_max: int | None = None
    cache_type_k: str = "f16"
    cache_type_v: str = "f16"
    flash_attention: str = "enabled"
    swa_full: bool = True
    offload_kqv: bool = True
    op_offload: bool = True
    rope: RopeSpec = field(default_factory=RopeSpec)
    # How the outputs of a sequence become one (llama.cpp's pooling type); None makes logits.
    pooling: int | None = None


def _rotate(params: lib.llama_context_params, rope: RopeSpec) -> None:
    """What is None stays at the default, which is what the GGUF says."""
    if rope.scaling is not None:
        params.rope_scaling_type = _ROPE_SCALING[rope.scaling]
    for name, value in (
        ("rope_freq_base", rope.freq_base),
        ("rope_freq_scale", rope.freq_scale),
        ("yarn_ext_factor", rope.yarn_ext_factor),
        ("yarn_attn_factor", rope.yarn_attn_factor),
        ("yarn_beta_fast", rope.yarn_beta_fast),
        ("yarn_beta_slow", rope.yarn_beta_slow),
        ("yarn_orig_ctx", rope.yarn_orig_ctx),
    ):
        if value is not None:
            setattr(params, name, value)


class Batch:
    """Rows for one decode: numpy arrays that llama.cpp reads in place."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.size = 0
        self._token = np.zeros(capacity, np.int32)
        self._pos = np.zeros(capacity, np.int32)
        # For a few rows, plain item access costs a tenth of numpy's.
        self._token_items = self._token.data
        self._pos_items = self._pos.data
        self._count = np.ones(capacity, np.int32)
        self._seq = np.zeros(capacity, np.int32)
        self._seq_at = self._seq.ctypes.data + 4 * np.arange(capacity, dtype=np.uint64)
        self._output = np.zeros(capacity, np.int8)
        int32 = ctypes.POINTER(ctypes.c_int32)
        self._struct = lib.llama_batch(
            n_tokens=0,
            token=self._token.ctypes.data_as(int32),
            embd=None,
            pos=self._pos.ctypes.data_as(int32),
            n_seq_id=self._count.ctypes.data_as(int32),
            seq_id=self._seq_at.ctypes.data_as(ctypes.POINTER(int32)),
            logits=self._output.ctypes.data_as(ctypes.POINTER(ctypes.c_int8)),
        )

    def clear(self) -> None:
        """Start a new batch."""
        self.size = 0

    def add(self, sequence: int, start: int, tokens: Sequence[int], output_last: bool) -> None:
        """Append rows of one sequence at positions from `start`."""
        end = self.size + len(tokens)
        assert self.size < end <= self.capacity, "a batch over its capacity aborts the process"
        rows = slice(self.size, end)
        self._token[rows] = tokens
        self._pos[rows] = np.arange(start, start + len(tokens))
        self._seq[rows] = sequence
        self._output[rows] = 0
        self._output[end - 1] = output_last
        self.size = end

    def output_all(self, count: int) -> None:
        """Also want logits of the last `count` rows."""
        self._output[self.size - count : self.size] = 1

    def advance(self, tokens: Sequence[int]) -> None:
        """The same rows again, each with its next token at the next position."""
        token, pos = self._token_items, self._pos_items
        for row, value in enumerate(tokens):
            token[row] = value
            pos[row] += 1

    def struct(self) -> lib.llama_batch:
        """For llama_decode; valid until the next change."""
        self._struct.n_tokens = self.size
        return self._struct


class Rows(Protocol):
    """What can be decoded: a `Batch`, or rows of embeddings."""

    def struct(self) -> lib.llama_batch:
        """For llama_decode; valid until the next change."""


class Context:
    """One llama.cpp context with a unified KV cache shared by all sequences."""

    def __init__(self, model: Model, shape: ContextShape, log: LlamaLog) -> None:
        params = lib.llama_context_default_params()
        params.n_ctx = shape.n_ctx
        params.n_batch = shape.n_batch
        params.n_ubatch = shape.n_ubatch
        params.n_seq_max = shape.n_seq_max
        # One output row per sequence: the default sizes the compute buffer for n_batch rows of
        # logits, which is half a gigabyte for a vocabulary of 262,144.
        params.n_outputs_max = shape.n_outputs_max or shape.n_seq_max
        params.n_threads = shape.n_threads
        params.n_threads_batch = shape.n_threads_batch or shape.n_threads
        params.type_k = _CACHE_TYPES[shape.cache_type_k]
        params.type_v = _CACHE_TYPES[shape.cache_type_v]
        params.flash_attn_type = _FLASH_ATTENTION[shape.flash_attention]
        params.swa_full = shape.swa_full
        params.offload_kqv = shape.offload_kqv
        params.op_offload = shape.op_offload
        params.kv_unified = True
        _rotate(params, shape.rope)
        params.no_perf = True
        if shape.pooling is not None:
            params.embeddings = True
            params.pooling_type = shape.pooling
        handle = lib.llama_init_from_model(model.handle, params)
        if not handle:
            raise log.failure(
                f"llama.cpp cannot create a context of {shape.n_ctx} tokens in all"
                f" ({shape.n_seq_max} slots): {log.explain()}. Reduce context_window or n_seq_max,"
                " or set cache_type_k and cache_type_v to q8_0"
            )
        self.handle = handle
        self._threads = (shape.n_threads, shape.n_threads_batch or shape.n_threads)
        self.n_ctx: int = lib.llama_n_ctx(handle)
        self._memory = lib.llama_get_memory(handle)
        self._n_vocab = model.n_vocab
        self._outputs = np.zeros((0, self._n_vocab), np.float32)
        self._outputs_at = (0, 0)
        self._abort = ctypes.create_string_buffer(2)
        # The same as a Python object, which is the cheaper one to look at.
        self._is_aborted = False
        self._arm_abort()

    def _arm_abort(self) -> None:
        # strlen as the callback: it is zero until a byte is set, and no Python runs in decode.
        strlen = ctypes.CDLL(None).strlen
        self._abort_callback = ctypes.cast(strlen, lib.ggml_abort_callback)
        lib.llama_set_abort_callback(
            self.handle, self._abort_callback, ctypes.cast(self._abort, ctypes.c_void_p)
        )

    def abort(self) -> None:
        """End the decode that runs now. From any thread; stays set until `rearm`."""
        self._abort[0] = b"\x01"
        self._is_aborted = True

    @property
    def is_aborted(self) -> bool:
        """`abort` was called since the last `rearm`."""
        return self._is_aborted

    def rearm(self) -> None:
        """Allow decodes again."""
        if self._is_aborted:
            self._is_aborted = False
            self._abort[0] = b"\x00"

    def use_threads(self, count: int) -> None:
        """From the next decode on; with as many as it was made with, all those for prompts too."""
        most, most_batch = self._threads
        batch = most_batch if count >= most else min(count, most_batch)
        lib.llama_set_n_threads(self.handle, count, batch)

    def decode(self, batch: Rows) -> DecodeResult:
        """Run the batch; logits of its output rows are valid until the next call."""
        ENGINE_TIME.begins()
        code: int = lib.llama_decode(self.handle, batch.struct())
        ENGINE_TIME.ends()
        if code == 0:
            return DecodeResult.OK
        if code in (1, 2):
            return DecodeResult(code)
        return DecodeResult.FAILED

    def see_ahead(self, whether: bool) -> None:
        """From the next decode on, whether rows attend to those behind them."""
        lib.llama_set_causal_attn(self.handle, not whether)

    def outputs(self, count: int) -> npt.NDArray[np.float32]:
        """The `count` output rows of the last decode, in batch order; gone with the next."""
        address: int = _get_logits(self.handle)
        assert address, "no row of the batch was marked as output"
        if self._outputs_at != (address, count):
            # The buffer moves when it grows; making the view anew each step costs more than this.
            values = (ctypes.c_float * (count * self._n_vocab)).from_address(address)
            self._outputs = np.ctypeslib.as_array(values).reshape(count, self._n_vocab)
            self._outputs_at = (address, count)
        return self._outputs

    def forget(self, sequence: int, start: int = 0) -> None:
        """Remove a sequence's positions from `start` on; recurrent memory only as a whole."""
        lib.llama_memory_seq_rm(self._memory, sequence, start or -1, -1)
