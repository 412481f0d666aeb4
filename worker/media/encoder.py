"""From pixels and samples to embeddings: the opened projector, and how to stop it at work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import llama_cpp.llama_cpp as lib
import llama_cpp.mtmd_cpp as mtmd
import numpy as np

from kronk.shared.errors import Internal
from kronk.worker.engine_time import ENGINE_TIME

from .clip import Embeddings

# Of an encoder's graph between two checkpoints: a few layers.
_OPERATIONS = 64


class Checkpoints:
    """Places in an encoder's graph where it can be asked to stop: an encoding may take a minute on
    a small machine. Keep it as long as the projector."""

    def __init__(self) -> None:
        self.callback = lib.ggml_backend_sched_eval_callback(self._at)
        # Called at each place; False ends the encoding.
        self.go_on: Callable[[], bool] = _always
        self.was_stopped = False
        self._seen = 0

    def begin(self, go_on: Callable[[], bool]) -> None:
        """Another encoding."""
        self.go_on, self.was_stopped, self._seen = go_on, False, 0

    def _at(self, _: object, is_question: bool, __: object) -> bool:
        """Asked of each operation whether to compute up to it only; then told that it was."""
        if is_question:
            self._seen += 1
            return self._seen % _OPERATIONS == 0
        # Some encoders have a graph for each tile: what is stopped stays so.
        self.was_stopped = self.was_stopped or not self.go_on()
        return not self.was_stopped


def _always() -> bool:
    return True


class Encoder:
    """The opened projector. `encode` is for one thread at a time; all else for any."""

    def __init__(
        self, handle: Any, checkpoints: Checkpoints, *, width: int, has_sections: bool
    ) -> None:
        self.handle = handle
        self._checkpoints = checkpoints
        # Values of an embedding.
        self.width = width
        # The model places rows by M-RoPE.
        self.has_sections = has_sections

    def encode(self, chunk: Any, rows: int, go_on: Callable[[], bool]) -> Embeddings | None:
        """The embeddings of a chunk; None where `go_on`, which is asked now and then, said no."""
        self._checkpoints.begin(go_on)
        ENGINE_TIME.begins()
        code = mtmd.mtmd_encode_chunk(self.handle, chunk)
        ENGINE_TIME.ends()
        if code != 0:
            raise Internal("llama.cpp failed to encode an image or a recording")
        if self._checkpoints.was_stopped:
            return None
        found = mtmd.mtmd_get_output_embd(self.handle)
        return np.ctypeslib.as_array(found, (rows, self.width)).astype(np.float32)

    def close(self) -> None:
        """Free it."""
        mtmd.mtmd_free(self.handle)
