"""What `kronk doctor` says of the folder with the keys."""

from __future__ import annotations

import stat
from pathlib import Path

from kronk.shared.security.keys import folder_fault

from .checks import Finding, Grade

_NAME = "keys"


def keys(folder: Path) -> Finding:
    """Whether only their user may read them."""
    if not folder.is_dir():
        return Finding(_NAME, Grade.OK, "there are none: nobody is asked for a token")
    fault = folder_fault(folder)
    if fault is not None:
        advice = f"chmod 700 {folder}; who could read it should be thought to have its keys"
        return Finding(_NAME, Grade.FAIL, f"{folder}: {fault}", advice)
    try:
        open_ones = sorted(path for path in folder.iterdir() if _is_open(path))
    except OSError as error:
        return Finding(_NAME, Grade.WARN, f"{folder}: {error.strerror}", "run it as their user")
    if open_ones:
        names = ", ".join(path.name for path in open_ones)
        return Finding(
            _NAME,
            Grade.WARN,
            f"others may read {names}",
            f"chmod 600 {folder}/*.pem {folder}/*.jwt",
        )
    return Finding(_NAME, Grade.OK, f"in {folder}, for their user alone")


def _is_open(path: Path) -> bool:
    facts = path.lstat()
    return stat.S_ISREG(facts.st_mode) and bool(facts.st_mode & (stat.S_IRWXG | stat.S_IRWXO))
