"""`kronk model resolve`: what a word would fetch, and what of it is here."""

from __future__ import annotations

import json
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from kronk.shared.errors import ServerError
from kronk.shared.models import preview, spelling
from kronk.shared.units import format_bytes

from .client import Admin, NoServer, find_server
from .columns import aligned
from .local import AsJson, Local, local_settings
from .options import ApiHost, BasePathOption

_HEADS = ("FILE", "ROLE", "SIZE", "SHA-256", "FROM", "HERE")
_HERE = {
    "same": "yes",
    "unverified": "not verified",
    "different": "another file",
    "absent": "no",
}
_SHORT_DIGEST = 12
# The server itself may wait for the hub.
_SECONDS = 60.0


def resolve(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE|ID", help=f"A catalog id, or {spelling.FORMS_IN_HELP}.")
    ],
    local: Local = False,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Show what a source would fetch; nothing is fetched."""
    if local:
        found = preview.preview(local_settings(base_path), source)
    else:
        found = _from_server(find_server(api_host, base_path), source)
    print(json.dumps(found) if as_json else page(found))


def _from_server(admin: Admin, source: str) -> dict[str, Any]:
    try:
        found = admin.get(f"/v1/kronk/resolve?{urlencode({'source': source})}", _SECONDS)
    except NoServer as error:
        raise ServerError(f"{error.message}, or add --local to ask from here") from error
    assert isinstance(found, dict)
    return found


def page(found: dict[str, Any]) -> str:
    """The plan for people."""
    facts = {
        "model": found["model"],
        "folder": found["folder"],
        "licence": found["licence"] or "not said",
        "revision": found["revision"],
        "gated": _gated(found["gated"]),
        "size": _total(found),
    }
    width = max(map(len, facts)) + 3
    lines = [f"{name:<{width}}{fact}" for name, fact in facts.items() if fact is not None]
    return "\n".join((*aligned(_HEADS, [_row(file) for file in found["files"]]), "", *lines))


def _row(file: dict[str, Any]) -> tuple[str, ...]:
    digest = file["sha256"]
    return (
        file["name"],
        file["role"],
        _size(file["size_bytes"]),
        digest[:_SHORT_DIGEST] if digest else "-",
        file["source"],
        _HERE[file["here"]],
    )


def _size(size: int | None) -> str:
    return "unknown" if size is None else format_bytes(size)


def _total(found: dict[str, Any]) -> str:
    missing = [file["size_bytes"] for file in found["files"] if file["here"] == "absent"]
    if not missing:
        return f"{_size(found['size_bytes'])}, nothing to fetch"
    rest = "unknown" if None in missing else format_bytes(sum(missing))
    return f"{_size(found['size_bytes'])}, to fetch: {rest}"


def _gated(gated: str | None) -> str | None:
    if gated is None:
        return None
    return "yes: accept its terms on the hub and set KRONK_HF_TOKEN"
