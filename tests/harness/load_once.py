"""Loads one model as a worker does, in a process of its own, and says what it took.

Run as `python load_once.py SPEC`, where SPEC is what `codec` writes of a `Load`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from kronk.shared.sizing.shape import guessed, rows
from kronk.shared.wire import codec, to_worker
from kronk.shared.wire.loading import LoadSpec


@dataclass(frozen=True, slots=True)
class Took:
    """Bytes: as llama.cpp reported them, and as the kernel counts the process."""

    kv_bytes: int
    compute_bytes: int
    n_ctx: int
    slots: int
    n_ubatch: int
    private_bytes: int
    mapped_bytes: int
    # Private and mapped, of the process with all its libraries before it loads anything: that
    # depends on what is installed beside Kronk, and how.
    bare_bytes: int

    @property
    def all_bytes(self) -> int:
        """What the process has."""
        return self.private_bytes + self.mapped_bytes


def load_once(spec: LoadSpec, fill: Literal["one step", "all cells"] = "one step") -> Took:
    """Load it, decode as many rows as it takes at a time, and look: at the start of its context, or
    at the end of it, where a step needs the most scratch memory."""
    frame = codec.encode(0, [to_worker.Load(spec, "none")])
    done = subprocess.run(
        [sys.executable, __file__, fill],
        input=frame,
        capture_output=True,
        check=False,
        timeout=60 if fill == "one step" else 600,
        env=dict(os.environ, OMP_WAIT_POLICY="passive"),
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return Took(**json.loads(done.stdout.splitlines()[-1]))


def _outputs(spec: LoadSpec, fitted: Any) -> int:
    """Rows of a decode that may have logits."""
    return rows(spec.context, fitted.n_ctx, fitted.slots, guessed(spec))[2]


def _fill(context: Any, step: Callable[[int, int, int], None], fitted: Any) -> None:
    """Have something in all cells, the last of it computed last. What one slot holds is computed,
    the others get a copy."""
    import ctypes

    import llama_cpp.llama_cpp as lib

    def held() -> Any:
        size = lib.llama_state_seq_get_size(context.handle, 0)
        state = (ctypes.c_uint8 * size)()
        lib.llama_state_seq_get_data(context.handle, state, size, 0)
        return state

    def computed(slot: int, end: int) -> None:
        for start in range(0, end, most):
            step(slot, start, min(most, end - start))

    end, most, last = fitted.n_ctx, fitted.n_ubatch, fitted.slots - 1
    if not last or lib.llama_model_n_swa(lib.llama_get_model(context.handle)):
        # A copy of a sliding window would have no more than the window.
        for slot in range(last + 1):
            computed(slot, end)
        return
    computed(0, end - most)
    short = held()
    step(0, end - most, most)
    whole = held()
    for slot in range(1, last):
        assert lib.llama_state_seq_set_data(context.handle, whole, len(whole), slot)
    assert lib.llama_state_seq_set_data(context.handle, short, len(short), last)
    step(last, end - most, most)


def _read_texts(context: Any, fitted: Any) -> None:
    """One step of a pooled model, as large as it may be."""
    from kronk.worker.context import DecodeResult
    from kronk.worker.pooled.context import PooledBatch

    batch = PooledBatch(fitted.n_ubatch)
    if fitted.kv_bytes:
        # A text that is read in parts, its last one now.
        for start in range(0, fitted.n_ctx, fitted.n_ubatch):
            batch.clear()
            batch.add(0, start, [1] * min(fitted.n_ubatch, fitted.n_ctx - start))
            assert context.decode(batch) == DecodeResult.OK
        return
    for sequence in range(fitted.slots):
        count = min(fitted.n_ubatch - batch.size, fitted.n_ctx)
        if count:
            batch.add(sequence, 0, [1] * count)
    assert context.decode(batch) == DecodeResult.OK


def _main() -> None:
    from kronk.worker.context import Batch, DecodeResult
    from kronk.worker.library import LlamaLog
    from kronk.worker.loader import Loaded, load
    from kronk.worker.taken import measure

    (order,) = to_worker.CONTROL.decode(sys.stdin.buffer.read())[1]
    assert isinstance(order, to_worker.Load)
    bare = measure()
    assert bare is not None
    loaded = load(order.spec, log_lines=LlamaLog(), report=lambda _: None, emit=lambda _: None)
    fitted = loaded.fitted
    if isinstance(loaded, Loaded):
        context, batch = loaded.engine._context, Batch(fitted.n_ubatch)
        outputs = _outputs(order.spec, fitted)

        def step(slot: int, start: int, count: int) -> None:
            batch.clear()
            batch.add(slot, start, [1] * count, output_last=True)
            batch.output_all(min(outputs, count))
            assert context.decode(batch) == DecodeResult.OK

        if sys.argv[1] == "all cells":
            _fill(context, step, fitted)
        else:
            step(0, 0, fitted.n_ubatch)
    elif sys.argv[1] == "all cells":
        _read_texts(loaded.engine._context, fitted)
    taken = measure()
    assert taken is not None
    facts = Took(
        fitted.kv_bytes,
        fitted.compute_bytes,
        fitted.n_ctx,
        fitted.slots,
        fitted.n_ubatch,
        taken.private_bytes,
        taken.mapped_bytes,
        bare.private_bytes + bare.mapped_bytes,
    )
    print(json.dumps({name: getattr(facts, name) for name in Took.__slots__}))
    sys.stdout.flush()
    # As workers end: without llama.cpp's destructors.
    os._exit(0)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    _main()
