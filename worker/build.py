"""Which llama.cpp this process computes with: known before the binding is imported, and for good.

Imports nothing of llama.cpp.
"""

from __future__ import annotations

import os


def use(folder: str | None) -> None:
    """Have the binding load its libraries from there; None: those that it came with, or where the
    operator has it look."""
    if folder is not None:
        os.environ["LLAMA_CPP_LIB_PATH"] = folder
        os.environ["MTMD_CPP_LIB"] = folder
