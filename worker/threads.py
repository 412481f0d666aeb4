"""Names for threads that `top -H` and /proc show."""

from __future__ import annotations

import threading
from pathlib import Path


def name_thread(name: str) -> None:
    """Name the calling thread; the kernel keeps 15 bytes."""
    Path(f"/proc/self/task/{threading.get_native_id()}/comm").write_text(name[:15])
