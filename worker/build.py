"""Which llama.cpp this process computes with: known before the binding is imported, and for good.

Imports nothing of llama.cpp.
"""

from __future__ import annotations

import os

from kronk.shared.wire.loading import LibrarySpec

BUNDLED = LibrarySpec().name


def use(folder: str | None) -> str | None:
    """Have the binding load its libraries from there; None: those that it came with, or where the
    operator has it look. Returns what is used: a build may have been removed meanwhile."""
    if folder is None or not os.path.isdir(folder):
        return None
    os.environ["LLAMA_CPP_LIB_PATH"] = folder
    os.environ["MTMD_CPP_LIB"] = folder
    return folder


def described(loaded: str | None, wanted: LibrarySpec) -> tuple[str, tuple[str, ...]]:
    """The name of the build that this process has, and why it is another than was wanted."""
    if loaded != wanted.folder:
        # Builds are of one host; a worker of another has what came with its binding.
        return BUNDLED, (f"the build {wanted.name} is not on this host: {BUNDLED} is used",)
    return wanted.name, () if wanted.reason is None else (wanted.reason,)
