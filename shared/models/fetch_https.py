"""Fetches a file over HTTP, going on where an earlier try ended."""

from __future__ import annotations

from .downloading import download
from .fetching import Progress, Wanted
from .http_remote import HttpRemote
from .partial import Partial
from .patience import Patience
from .sources import HttpSource


def remote_of(source: HttpSource) -> HttpRemote:
    """To read it from; nobody is told a token."""
    return HttpRemote(source.url, str(source))


def fetch(
    source: HttpSource, partial: Partial, wanted: Wanted, progress: Progress, patience: Patience
) -> str:
    """The digest of the complete file; what an interruption leaves is continued next time."""
    return download(remote_of(source), partial, wanted, progress, patience)
