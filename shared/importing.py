"""What makes a process of ours start sooner: a third of its time went into nothing of use."""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def only_imports() -> Iterator[None]:
    """Around what a process imports at its start, and nothing else.

    Modules are no garbage: looking for some, again and again while they grow, finds nothing. And
    structlog and httpx load rich, with pygments and attrs, where it is installed: it colours what
    they write to a terminal, and our processes write lines of JSON.
    """
    is_new = "rich" not in sys.modules
    if is_new:
        # To the import statement: there is no such module.
        sys.modules["rich"] = None  # type: ignore[assignment]
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        if is_new:
            del sys.modules["rich"]
