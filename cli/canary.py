"""Whether llama.cpp works here, tried in child processes: a bad build ends them and not us."""

from __future__ import annotations

from kronk.shared.trial import Ended, run

_IMPORT = "import llama_cpp; print(llama_cpp.__version__)"


def import_library() -> Ended:
    """Load llama.cpp's Python binding."""
    return run("-c", _IMPORT)


def tiny_decode(*, extra_buffers: bool) -> Ended:
    """Load a tiny model and decode a few tokens; `facts` is what the child reports."""
    return run("-m", "kronk.worker.canary", *([] if extra_buffers else ["--no-extra-buffers"]))


def probe() -> Ended:
    """What a confined process here cannot do; `facts` is what it found."""
    return run("-m", "kronk.worker.sandbox.probe")
