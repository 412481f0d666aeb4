"""What commands do with `--local`: work on this machine's files, without a server."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from kronk.shared import settings
from kronk.shared.errors import Internal, ServerError
from kronk.shared.models import details
from kronk.shared.models.configured import configured
from kronk.shared.models.listing import listing
from kronk.shared.settings import Settings

from .client import Admin, NoServer

Local = Annotated[
    bool, typer.Option("--local", help="Work on this machine's files, without a server.")
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON, for scripts.")]


def local_settings(base_path: str | None) -> Settings:
    """By flag, environment or default, as the server would choose them."""
    return settings.resolve({"base_path": base_path}, os.environ)


def local_models(base_path: str | None) -> list[dict[str, Any]]:
    """What the server would answer, from this machine's files."""
    chosen = local_settings(base_path)
    found = listing(chosen.base, configured(chosen))
    return [
        {
            "id": entry.id,
            "path": str(entry.path),
            "size_bytes": entry.size_bytes,
            "modified": entry.modified,
            "validated": entry.validated,
            "reason": entry.reason,
            "aliases": list(entry.aliases),
            "integrity": entry.integrity,
            "note": entry.note,
        }
        for entry in found
    ]


def local_details(base_path: str | None, model: str) -> dict[str, Any]:
    """What the server would answer about a model that is not loaded."""
    chosen = local_settings(base_path)
    found = details.describe_with_memory(chosen, configured(chosen), model)
    return found | {"state": None, "fitted": None}


def server_models(admin: Admin) -> list[dict[str, Any]]:
    """What the running server says it has; without one the error names `--local`."""
    try:
        answer = admin.get("/v1/kronk/models")
    except NoServer as error:
        raise ServerError(f"{error.message}, or add --local to look at the files") from error
    rows = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(rows, list) or not all(_readable(row) for row in rows):
        raise Internal(f"{admin.url} answered /v1/kronk/models in a form this version cannot read")
    return rows


def _readable(row: object) -> bool:
    keys = ("id", "size_bytes", "modified", "validated", "reason")
    return isinstance(row, dict) and all(key in row for key in keys)
