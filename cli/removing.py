"""`kronk model remove`: a model leaves the disk."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer

from kronk.shared.errors import Internal, ServerError
from kronk.shared.models import removing
from kronk.shared.models.configured import configured
from kronk.shared.security import audit
from kronk.shared.units import format_bytes

from .client import Admin, NoServer, find_server, in_path
from .local import AsJson, Local, local_settings
from .manage import Name
from .options import ApiHost, BasePathOption

_DECLINED = 1


def remove(
    model: Name,
    force: Annotated[
        bool, typer.Option("--force", help="Unload it first, without waiting for its requests.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    local: Local = False,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Delete a model's files. Asks first on a terminal."""
    is_asked = sys.stdin.isatty() and not yes
    if local:
        settings = local_settings(base_path)
        removal = removing.plan(settings.base, configured(settings), model)
        if is_asked:
            _ask(removal.to_json())
        with audit.by_operator(settings.base, "remove", model):
            removing.remove(settings.base, removal)
        result = {"object": "model.removed", **removal.to_json(), "removed": True}
    else:
        admin = find_server(api_host, base_path)
        if is_asked:
            _ask(_delete(admin, model, "?dry_run=true"))
        result = _delete(admin, model, "?force=true" if force else "")
    print(json.dumps(result) if as_json else f"{result['model']} is removed: {_what(result)}")


def _delete(admin: Admin, model: str, query: str) -> dict[str, Any]:
    try:
        answer = admin.delete(f"/v1/kronk/models/{in_path(model)}{query}", timeout=60.0)
    except NoServer as error:
        raise ServerError(f"{error.message}, or add --local to delete the files here") from error
    if not isinstance(answer, dict) or not {"model", "files", "size_bytes"} <= answer.keys():
        raise Internal(f"{admin.url} answered the removal in a form this version cannot read")
    return answer


def _ask(removal: dict[str, Any]) -> None:
    print("\n".join(f"  {file}" for file in removal["files"]), file=sys.stderr)
    if not typer.confirm(f"Delete {removal['model']}: {_what(removal)}?", err=True):
        raise typer.Exit(_DECLINED)


def _what(removal: dict[str, Any]) -> str:
    count = len(removal["files"])
    return f"{count} {'file' if count == 1 else 'files'}, {format_bytes(removal['size_bytes'])}"
