"""What was fetched. Apart from how, as that takes an HTTP client, which few who read files need."""

from __future__ import annotations

from dataclasses import dataclass

from .url import RepositoryUrl


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a repository has."""

    where: RepositoryUrl
    # By their paths in it.
    files: dict[str, bytes]
    # The commit, or what else tells this state from others; None where nothing does.
    revision: str | None
