"""What to do about a refusal that has to do with who asks: which token is good enough."""

from __future__ import annotations

import shlex
from http import HTTPStatus
from pathlib import Path

# Where the base path of the server is not known: it may be on another machine.
SOMEBODY_ELSES = "keys/master.jwt below the server's base path"
_NOT_GRANTED = "endpoint not authorized"
_READING = "/v1/kronk/"
_NOT_FOR_READERS = "/v1/kronk/security/"
_GRANTS = {
    "/v1/chat/completions": "chat-completions",
    "/v1/batches": "batches",
    "/v1/files": "batches",
}


def operators_token(path: Path, auth_host: str | None) -> str:
    """Where a command finds the token of the operator, of a server on this machine or of the
    one that it asks about tokens."""
    if auth_host:
        return f"keys/master.jwt below the base path of {auth_host}"
    return f"export KRONK_TOKEN=$(cat {shlex.quote(str(path))})"


def remedy(status: int, message: str, method: str, path: str, operators: str) -> str:
    """What is added to a refusal's message; nothing where another token would not help."""
    if status == HTTPStatus.UNAUTHORIZED:
        wanted = "; the server wants a good token in KRONK_TOKEN, such as its operator's"
        return f"{wanted}: {operators}"
    if status != HTTPStatus.FORBIDDEN or message != _NOT_GRANTED:
        return ""
    grant = _grant(method, path)
    missing = f"; it takes one with the grant {grant}, or" if grant else "; it takes"
    return f"; the token in KRONK_TOKEN may not do this{missing} the operator's: {operators}"


def _grant(method: str, path: str) -> str | None:
    if method == "GET" and path.startswith(_READING) and not path.startswith(_NOT_FOR_READERS):
        return "monitoring"
    return next((name for begin, name in _GRANTS.items() if path.startswith(begin)), None)
