"""Loads one model as a worker does, in a process of its own, and says what it took.

Run as `python load_once.py SPEC`, where SPEC is what `codec` writes of a `Load`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

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


def load_once(spec: LoadSpec) -> Took:
    """Load it, decode as many rows as it takes at a time, and look."""
    frame = codec.encode(0, [to_worker.Load(spec, "none")])
    done = subprocess.run(
        [sys.executable, __file__],
        input=frame,
        capture_output=True,
        check=False,
        timeout=60,
        env=dict(os.environ, OMP_WAIT_POLICY="passive"),
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return Took(**json.loads(done.stdout.splitlines()[-1]))


def _main() -> None:
    from kronk.worker.context import Batch
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
        batch.add(0, 0, [1] * fitted.n_ubatch, output_last=True)
        context.decode(batch)
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
