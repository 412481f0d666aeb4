"""Whether a request that a browser has put the session's cookie on was made by our own page.

SameSite=Strict alone does not say so: other ports of a host are the same site.
"""

from __future__ import annotations

from collections.abc import Iterable

from kronk.shared.errors import PermissionDenied

_SAFE = ("GET", "HEAD")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}

Headers = Iterable[tuple[bytes, bytes]]


def check_session_request(method: str, scheme: str, headers: Headers) -> None:
    """`PermissionDenied` for a change that is not asked for by a page of this server's own."""
    if method not in _SAFE and not _is_ours(scheme, tuple(headers), is_needed=True):
        raise PermissionDenied(
            "a session may change things from pages of this server only; behind a proxy, "
            "--trusted-proxies says whose word counts for the address of the page",
            param="Origin",
        )


def check_session_socket(scheme: str, headers: Headers) -> None:
    """`PermissionDenied` for a WebSocket that no page of this server's own opens: what a GET brings
    CORS keeps from other pages, and what a WebSocket brings nothing does."""
    if not _is_ours(scheme, tuple(headers), is_needed=True):
        raise PermissionDenied(
            "a session opens WebSockets from pages of this server only", param="Origin"
        )


def check_login_request(scheme: str, headers: Headers) -> None:
    """`PermissionDenied` for a login from another page; programs send no `Origin`."""
    if not _is_ours(scheme, tuple(headers), is_needed=False):
        raise PermissionDenied("one can log in from pages of this server only", param="Origin")


def _is_ours(scheme: str, headers: tuple[tuple[bytes, bytes], ...], *, is_needed: bool) -> bool:
    origins = [value for name, value in headers if name == b"origin"]
    hosts = [value for name, value in headers if name == b"host"]
    if not origins:
        return not is_needed
    if len(origins) != 1 or len(hosts) != 1:
        return False
    own = f"{scheme}://{hosts[0].decode('latin-1')}"
    return _plain(origins[0].decode("latin-1")) == _plain(own)


def _plain(origin: str) -> str:
    """As browsers write it: in small letters, without the scheme's own port."""
    lowered = origin.lower()
    return lowered.removesuffix(_DEFAULT_PORTS.get(lowered.partition("://")[0], "\0"))
