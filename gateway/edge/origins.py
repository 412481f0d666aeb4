"""Which web pages may have a browser do something here.

CORS keeps pages of others from reading answers. It does not keep them from sending a POST that a
form could send, and Kronk reads a body whatever its type is called; nor from a GET that has us look
something up elsewhere; and of WebSockets it knows nothing. Browsers say where a request comes from,
and no page can make them say otherwise; programs say nothing. Links that a user follows stay links.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

_READS = frozenset({"GET", "HEAD"})
_PORTS = {"http": 80, "https": 443}


def is_foreign(
    method: str,
    origin: str | None,
    site: str | None,
    mode: str | None,
    host: str | None,
    allowed: Sequence[str],
) -> bool:
    """Whether a page sends it that is neither ours nor in `allowed`.

    `origin`, `site`, `mode` and `host` are Origin, Sec-Fetch-Site, Sec-Fetch-Mode and Host. Where
    the browser itself says how the two are related, that counts: it knows, also behind a proxy that
    speaks TLS for us. OPTIONS is CORS's to answer.
    """
    if method == "OPTIONS" or (origin is None and site is None):
        return False
    if method in _READS and mode == "navigate":
        return False
    if "*" in allowed or (origin is not None and origin in allowed):
        return False
    if site is not None:
        # `none`: the user's own doing, such as the address bar.
        return site not in ("same-origin", "none")
    return origin is not None and _authority(origin) != (host or "").lower()


def _authority(origin: str) -> str | None:
    """Host and port as `Host` would have them; None for `null` and what is no origin."""
    try:
        parts = urlsplit(origin.lower())
        port = parts.port
    except ValueError:
        return None
    if not parts.hostname or parts.username is not None:
        return None
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return name if port in (None, _PORTS.get(parts.scheme)) else f"{name}:{port}"
