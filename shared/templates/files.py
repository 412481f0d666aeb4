"""Templates by name: those of the user's folder, then those of a repository."""

from __future__ import annotations

from pathlib import Path

from kronk.shared.paths import BasePath
from kronk.shared.repositories import folder

SUFFIX = ".jinja"


def named(base: BasePath, name: str) -> Path | None:
    """The file of `<name>.jinja`, where there is one."""
    if Path(name).name != name:
        return None
    file = f"{name.removesuffix(SUFFIX)}{SUFFIX}"
    own = base.templates / file
    if own.is_file():
        return own
    fetched = folder.current(base.templates)
    if fetched is None:
        return None
    found = sorted(path for path in fetched.rglob(file) if path.is_file())
    # Through the link: a process that is started later finds what is in force then.
    return base.templates / folder.NAME / found[0].relative_to(fetched) if found else None


def is_fetched(base: BasePath, path: Path) -> bool:
    """Whether a file that `named` found is a repository's."""
    return path.is_relative_to(base.templates / folder.NAME)
