"""`kronk model`: the models on disk, and what an operator does to them."""

from __future__ import annotations

import json
import os
import time
from typing import Annotated, Any

import typer

from kronk.shared import settings
from kronk.shared.errors import Internal, ServerError
from kronk.shared.model_config import load_file
from kronk.shared.models import catalog, details, index, sources
from kronk.shared.models.catalog import CatalogEntry
from kronk.shared.models.headers import headers_of
from kronk.shared.paths import BasePath
from kronk.shared.units import format_bytes

from . import manage, show
from .client import Admin, NoServer, find_server
from .columns import aligned
from .history import history
from .options import ApiHost, BasePathOption
from .pulling import pull_here

model_app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)

model_app.command("history")(history)
for _command in (manage.load, manage.unload, manage.pin, manage.reset):
    model_app.command()(_command)

Local = Annotated[
    bool, typer.Option("--local", help="Work on this machine's files, without a server.")
]

_HEADS = ("MODEL ID", "SIZE", "MODIFIED", "VALIDATED")


@model_app.command("list")
def list_models(
    local: Local = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="A JSON list of objects, for scripts.")
    ] = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Show the models in the models folder."""
    models = local_models(base_path) if local else server_models(find_server(api_host, base_path))
    if as_json:
        print(json.dumps(models))
    elif not models:
        print("no models; `kronk catalog list --local` shows what can be fetched")
    else:
        print("\n".join(aligned(_HEADS, [_row(model) for model in models])))


@model_app.command("show")
def show_model(
    model: Annotated[str, typer.Argument(metavar="ID", help="The model's id.")],
    local: Local = False,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object, for scripts.")] = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Show a model's file, its configuration and what was fitted."""
    if local:
        found = local_details(base_path, model)
    else:
        found = show.from_server(find_server(api_host, base_path), model)
    print(json.dumps(found) if as_json else show.page(found))


@model_app.command("pull")
def pull(
    source_or_id: Annotated[
        str, typer.Argument(metavar="SOURCE|ID", help=f"A catalog id, or {sources.FORMS}.")
    ],
    local: Local = False,
    base_path: BasePathOption = None,
) -> None:
    """Fetch a model from a source, or by its id in the catalog."""
    wanted: CatalogEntry | str = source_or_id
    if not sources.looks_like_source(source_or_id):
        wanted = catalog.find(catalog.load(), source_or_id)
    print(pull_here(local_base(base_path), wanted, local=local))


def local_base(base_path: str | None) -> BasePath:
    """The base path by flag, environment or default, as the server would choose it."""
    return BasePath(settings.resolve({"base_path": base_path}, os.environ).base_path)


def local_models(base_path: str | None) -> list[dict[str, Any]]:
    """What the server would answer, from this machine's files."""
    chosen = settings.resolve({"base_path": base_path}, os.environ)
    base = BasePath(chosen.base_path)
    found = index.scan(base.models, load_file(chosen.model_config_file))
    return [
        {
            "id": entry.id,
            "path": str(entry.path),
            "size_bytes": entry.size_bytes,
            "modified": entry.modified,
            "validated": entry.validated,
            "reason": entry.reason,
            "aliases": list(entry.aliases),
        }
        for entry in headers_of(base).judged(found)
    ]


def local_details(base_path: str | None, model: str) -> dict[str, Any]:
    """What the server would answer about a model that is not loaded."""
    chosen = settings.resolve({"base_path": base_path}, os.environ)
    configs = load_file(chosen.model_config_file)
    found = details.describe(BasePath(chosen.base_path), configs, model)
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


def _row(model: dict[str, Any]) -> tuple[str, ...]:
    changed = time.strftime("%Y-%m-%d %H:%M", time.localtime(model["modified"]))
    verdict = "yes" if model["validated"] else f"no: {model['reason']}"
    return model["id"], format_bytes(model["size_bytes"]), changed, verdict
