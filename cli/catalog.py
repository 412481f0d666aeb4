"""`kronk catalog`: the models that Kronk knows by name."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Annotated, Any
from urllib.parse import urlencode

import typer
import yaml

from kronk.shared.errors import Internal, InvalidArgument, ServerError
from kronk.shared.models import catalog, catalog_view, spelling
from kronk.shared.units import format_bytes

from . import pulling
from .catalog_update import pull_templates, update
from .client import Admin, NoServer, find_server, in_path
from .columns import aligned
from .local import AsJson, Local, local_models, local_settings
from .options import ApiHost, BasePathOption
from .working import Detach, Where

catalog_app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False
)
catalog_app.command("update")(update)
catalog_app.command("pull-templates")(pull_templates)

_HEADS = ("CATALOG", "MODEL ID", "PULLED", "ENDPOINT")
_WIDE = (*_HEADS, "SIZE", "CAPABILITIES", "LICENCE")
_ROUTE = "/v1/kronk/catalog"

ModelId = Annotated[str, typer.Argument(metavar="ID", help="A model of `kronk catalog list`.")]


@catalog_app.command("list")
def list_catalog(
    local: Local = False,
    filter_category: Annotated[
        str | None,
        typer.Option(
            metavar="CATEGORY",
            help=f"Only those with this in their names, of {', '.join(catalog.CATEGORIES)}.",
        ),
    ] = None,
    wide: Annotated[
        bool, typer.Option("--wide", help="Size, capabilities and licence too.")
    ] = False,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Show the models that can be fetched, and which are there already."""
    if filter_category is not None:
        catalog.categories(filter_category, "--filter-category")
    if local:
        rows, faults = _local_rows(base_path, filter_category)
    else:
        rows, faults = _server_rows(find_server(api_host, base_path), filter_category)
    for fault in faults:
        print(f"warning: {' '.join(fault.split())}", file=sys.stderr)
    if as_json:
        print(json.dumps(rows))
    else:
        cells = [_cells(row, is_wide=wide) for row in rows]
        print("\n".join(aligned(_WIDE if wide else _HEADS, cells)))


@catalog_app.command("show")
def show(
    model_id: ModelId,
    local: Local = False,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Show everything the catalog says about one model."""
    if local:
        entry = catalog.find(catalog.known(local_settings(base_path).base), model_id)
        found = catalog_view.row(entry, entry.id in catalog_view.usable(local_models(base_path)))
    else:
        server = find_server(api_host, base_path)
        found = _ask(server, f"{_ROUTE}/{in_path(model_id, 'entry')}")
        if "files" not in found:
            raise _unreadable(server)
    if as_json:
        print(json.dumps(found))
    else:
        for name, value in details(found):
            print(f"{name + ':':<14}{value}".rstrip())


@catalog_app.command("pull")
def pull(
    model_id: ModelId,
    local: Local = False,
    detach: Detach = False,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Fetch a model of the catalog."""
    if spelling.looks_like_source(model_id):
        raise InvalidArgument(
            f"{model_id!r} is no id of the catalog; `kronk model pull` fetches from sources",
            param="model_id",
        )
    pulling.pull(Where(local, detach, as_json, api_host, base_path), model_id)


def details(entry: dict[str, Any]) -> list[tuple[str, str]]:
    """Names and values in the order they are shown."""
    context = f"{entry['context']} tokens" if entry["context"] else "unknown"
    rows = [
        ("Model", entry["id"]),
        ("Category", entry["category"]),
        ("Endpoint", entry["endpoint"]),
        ("Capabilities", ", ".join(entry["capabilities"]) or "-"),
        ("Parameters", entry["parameters"] or "unknown"),
        ("Quantisation", entry["quantisation"] or "unknown"),
        ("Trained for", context),
        ("Size", _size(entry)),
        ("Licence", entry["licence"] + (", to be accepted at the hub" if entry["gated"] else "")),
        ("Description", entry["description"]),
        ("Pulled", "yes" if entry["pulled"] else "no"),
        ("Folder", f"models/{entry['folder']}"),
        ("From", "Kronk" if entry["origin"] == catalog_view.SHIPPED else entry["origin"]),
    ]
    for file in entry["files"]:
        rows += [
            ("File", f"{file['source']} ({file['role']}, {_size(file)})"),
            ("SHA-256", file["sha256"] or "as the source says"),
        ]
    return rows + [("Config", line) for line in _config_lines(entry["config"])]


def _config_lines(config: dict[str, Any]) -> Iterable[str]:
    return yaml.safe_dump(config, sort_keys=False).splitlines() if config else ()


def _size(thing: dict[str, Any]) -> str:
    if thing["size_bytes"] is None:
        return "unknown"
    about = "" if thing["size_is_exact"] else "about "
    return about + format_bytes(thing["size_bytes"])


def _cells(row: dict[str, Any], *, is_wide: bool) -> tuple[str, ...]:
    usual = (row["category"], row["id"], "yes" if row["pulled"] else "no", row["endpoint"])
    if not is_wide:
        return usual
    return (*usual, _size(row), ",".join(row["capabilities"]) or "-", row["licence"])


def _local_rows(
    base_path: str | None, category: str | None
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    known = catalog.catalog_of(local_settings(base_path).base)
    wanted = catalog.of_category(known.entries, category)
    names = catalog_view.usable(local_models(base_path))
    return [catalog_view.row(entry, entry.id in names) for entry in wanted], known.faults


def _server_rows(
    server: Admin, category: str | None
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    query = f"?{urlencode({'category': category})}" if category is not None else ""
    answer = _ask(server, _ROUTE + query)
    if not isinstance(answer.get("data"), list) or not isinstance(answer.get("faults"), list):
        raise _unreadable(server)
    return answer["data"], tuple(answer["faults"])


def _ask(server: Admin, path: str) -> dict[str, Any]:
    try:
        answer = server.get(path)
    except NoServer as error:
        raise ServerError(f"{error.message}, or add --local to look at the files") from error
    if not isinstance(answer, dict):
        raise _unreadable(server)
    return answer


def _unreadable(server: Admin) -> Internal:
    return Internal(f"{server.url} answered {_ROUTE} in a form this version cannot read")
