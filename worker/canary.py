"""`python -m kronk.worker.canary [MODEL]`: does this llama.cpp load a model and decode here?

A process of its own, because the answer "no" may be a SIGSEGV or SIGILL. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from kronk.shared.errors import KronkError

from . import gguf_file
from .main import prepare_environment

_ROWS = 32


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", type=Path, help="a GGUF file; default: a tiny own one")
    parser.add_argument("--no-extra-buffers", action="store_true", help="without REPACK and AMX")
    options = parser.parse_args()
    prepare_environment()
    try:
        facts = _try(options.model, extra_buffers=not options.no_extra_buffers)
    except KronkError as error:
        print(json.dumps({"ok": False, "error": error.message}))
        return 1
    print(json.dumps({"ok": True, **facts}))
    return 0


def _try(model: Path | None, *, extra_buffers: bool) -> dict[str, object]:
    if model is not None:
        gguf_file.check(model)
        return _decode(model, extra_buffers=extra_buffers)
    from . import canary_model

    with tempfile.TemporaryDirectory(prefix="kronk-canary-") as folder:
        path = Path(folder, "canary.gguf")
        canary_model.write(path)
        return _decode(path, extra_buffers=extra_buffers)


def _decode(path: Path, *, extra_buffers: bool) -> dict[str, object]:
    # These load llama.cpp, which must come after the environment is set.
    from kronk.shared.sizing.shape import default_threads

    from . import backends, library
    from .context import Context, ContextShape
    from .loader import cores, first_decode
    from .model import Model

    log = library.LlamaLog()
    model = Model(
        path,
        extra_buffers=extra_buffers,
        log=log,
        on_progress=lambda fraction: None,
    )
    model.require_generation()
    shape = ContextShape(
        n_ctx=256, n_batch=256, n_ubatch=256, n_seq_max=1, n_threads=default_threads(cores())
    )
    first_decode(Context(model, shape, log), _ROWS)
    return {
        "build": library.build(),
        "cpu": library.cpu_features(),
        "devices": [
            {
                "name": device.name,
                "description": device.description,
                "free_bytes": device.free_bytes,
                "total_bytes": device.total_bytes,
            }
            for device in backends.devices()
        ],
        "decode": "ok",
    }


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # llama.cpp's own tear-down has nothing to add, and has crashed before.
    os._exit(code)
