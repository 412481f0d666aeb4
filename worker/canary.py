"""`python -m kronk.worker.canary [MODEL]`: does this llama.cpp load a model and decode here?

A process of its own, because the answer "no" may be a SIGSEGV or SIGILL. Prints one line of JSON.
With `--library FOLDER` it is another llama.cpp than the binding came with: a stranger, which is
executed only in the sandbox, with `--scratch` to write to, and compared with what the binding
expects before it is used.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from kronk.shared.errors import KronkError, ModelFailed
from kronk.shared.settings import resolve

from . import build, gguf_file
from .main import prepare_environment
from .sandbox import policy
from .sandbox.confine import Sandbox

_ROWS = 32


class _Unfit(Exception):
    """The library is not one that can be tried; the stage is where that was seen."""

    def __init__(self, stage: str, why: str) -> None:
        super().__init__(why)
        self.stage = stage


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", type=Path, help="a GGUF file; default: a tiny own one")
    parser.add_argument("--no-extra-buffers", action="store_true", help="without REPACK and AMX")
    parser.add_argument("--library", metavar="FOLDER", help="another build of llama.cpp")
    parser.add_argument(
        "--scratch", type=Path, help="an empty folder: who is in the sandbox cannot delete one"
    )
    options = parser.parse_args()
    prepare_environment()
    try:
        facts = _try(options)
    except _Unfit as error:
        print(json.dumps({"ok": False, "stage": error.stage, "error": str(error)}))
        return 1
    except KronkError as error:
        print(json.dumps({"ok": False, "stage": "decode", "error": error.message}))
        return 1
    print(json.dumps({"ok": True, **facts}))
    return 0


def _try(options: argparse.Namespace) -> dict[str, object]:
    if options.model is not None:
        gguf_file.check(options.model)
        return _with_library(options.model, options)
    from . import canary_model

    with ExitStack() as stack:
        folder = options.scratch or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="kronk-canary-"))
        )
        path = folder / "canary.gguf"
        canary_model.write(path)
        return _with_library(path, options)


def _with_library(path: Path, options: argparse.Namespace) -> dict[str, object]:
    if options.library is not None:
        if options.scratch is not None and resolve({}, os.environ).sandbox:
            Sandbox().enter(policy.from_start(options.scratch))
        build.use(options.library)
        _compare()
    return _decode(path, extra_buffers=not options.no_extra_buffers)


def _compare() -> None:
    try:
        from . import abi
    except AttributeError as error:
        # Of ctypes: "undefined symbol: llama_...", after the name of the file.
        raise _Unfit("abi", str(error).rpartition("/")[2]) from error
    except (OSError, RuntimeError) as error:
        raise _Unfit("load", str(error)) from error
    if found := abi.differences():
        raise _Unfit("abi", "; ".join(found))


def _decode(path: Path, *, extra_buffers: bool) -> dict[str, object]:
    # These load llama.cpp, which must come after the environment is set.
    from kronk.shared.sizing.shape import default_threads

    from . import backends, library
    from .context import Context, ContextShape
    from .loader import cores, first_decode
    from .model import Model

    backends.load_all()
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
    context = Context(model, shape, log)
    first_decode(context, _ROWS)
    if not np.isfinite(context.outputs(1)).all():
        raise ModelFailed("the decode gave numbers that are none")
    ggml, commit = backends.version()
    return {
        "build": library.build(),
        "cpu": library.cpu_features(),
        "ggml": ggml,
        "commit": commit,
        "devices": [
            {
                "name": device.name,
                "description": device.description,
                "gpu": device.is_gpu,
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
