"""How a run reaches this server: as who began it has, and with his rights."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import HTTPConnection

from kronk.gateway.access.credentials import SESSION_COOKIE, TLS_SESSION_COOKIE, credential_of
from kronk.shared.benchmark.child import Place

# What `kronk bench` calls the server that it talks to.
OWN = "kronk"


def own_place(request: HTTPConnection, certificate: Path | None) -> Place:
    """The address at which this request has come in, which listens for others as well, and what
    its sender has said of himself. `certificate` is ours, where we speak TLS ourselves."""
    host, port = request.scope.get("server") or ("127.0.0.1", 80)
    credential = credential_of(request.scope["headers"])
    token = headers = None
    if credential is not None and credential.kind == "token":
        token = credential.text
    elif credential is not None:
        is_tls = certificate is not None and port is not None
        headers = _as_our_page(credential.text, host, port, is_tls=is_tls)
    return Place(
        OWN,
        host=host if port is not None else "localhost",
        port=port if port is not None else 80,
        # The server's address of a Unix socket has no port.
        unix=host if port is None else None,
        certificate=None if certificate is None else str(certificate),
        token=token,
        headers=headers or (),
    )


def _as_our_page(
    session: str, host: str, port: int | None, *, is_tls: bool
) -> tuple[tuple[str, str], ...]:
    """What a browser sends along with a page of this server."""
    scheme, name = ("https", TLS_SESSION_COOKIE) if is_tls else ("http", SESSION_COOKIE)
    shown = f"[{host}]" if ":" in host else host
    origin = f"{scheme}://localhost:80" if port is None else f"{scheme}://{shown}:{port}"
    return ("Cookie", f"{name}={session}"), ("Origin", origin)
