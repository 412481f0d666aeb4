"""Fetches a file over HTTP, going on where an earlier try ended."""

from __future__ import annotations

from .downloading import download
from .fetching import Progress, Wanted
from .http_remote import HttpRemote
from .partial import Partial
from .patience import Patience
from .sources import HttpSource, KronkSource


def remote_of(source: HttpSource) -> HttpRemote:
    """To read it from; only another Kronk is told a token, its own."""
    if not isinstance(source, KronkSource):
        return HttpRemote(source.url, str(source))
    authorization = f"Bearer {source.token}" if source.token else None
    advice = "give its token in KRONK_PEER_TOKEN, or with --token"
    return HttpRemote(source.url, str(source), {}, authorization, advice)


def fetch(
    source: HttpSource, partial: Partial, wanted: Wanted, progress: Progress, patience: Patience
) -> str:
    """The digest of the complete file; what an interruption leaves is continued next time."""
    return download(remote_of(source), partial, wanted, progress, patience)
