"""`kronk catalog`: the models that Kronk knows by name."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from kronk.shared.errors import InvalidArgument
from kronk.shared.models import catalog, spelling
from kronk.shared.models.catalog import CatalogEntry
from kronk.shared.units import format_bytes

from . import pulling
from .client import find_server
from .columns import aligned
from .local import AsJson, Local, local_models, server_models
from .options import ApiHost, BasePathOption
from .working import Detach, Where

catalog_app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False
)

_HEADS = ("CATALOG", "MODEL ID", "PULLED", "ENDPOINT")

ModelId = Annotated[str, typer.Argument(metavar="ID", help="A model of `kronk catalog list`.")]


@catalog_app.command("list")
def list_catalog(
    local: Local = False,
    filter_category: Annotated[
        str | None,
        typer.Option(metavar="CATEGORY", help=f"Only one of {', '.join(catalog.CATEGORIES)}."),
    ] = None,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Show the models that can be fetched, and which are there already."""
    entries = _only(catalog.load(), filter_category)
    models = local_models(base_path) if local else server_models(find_server(api_host, base_path))
    pulled = _usable(models)
    rows = [
        (entry.category, entry.id, "yes" if entry.id in pulled else "no", entry.endpoint)
        for entry in entries
    ]
    print("\n".join(aligned(_HEADS, rows)))


@catalog_app.command("show")
def show(model_id: ModelId) -> None:
    """Show everything the catalog says about one model."""
    for name, value in details(catalog.find(catalog.load(), model_id)):
        print(f"{name + ':':<14}{value}")


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


def details(entry: CatalogEntry) -> list[tuple[str, str]]:
    """Names and values in the order they are shown."""
    rows = [
        ("Model", entry.id),
        ("Category", entry.category),
        ("Endpoint", entry.endpoint),
        ("Capabilities", ", ".join(entry.capabilities) or "-"),
        ("Licence", entry.licence),
        ("Description", entry.description),
        ("Folder", f"models/{entry.folder}"),
    ]
    for file in entry.files:
        size = format_bytes(file.size_bytes) if file.size_bytes else "unknown"
        rows += [
            ("Source", str(file.source)),
            ("Size", size),
            ("SHA-256", file.sha256 or "as the source says"),
        ]
    return rows


def _only(entries: list[CatalogEntry], category: str | None) -> list[CatalogEntry]:
    if category is None:
        return entries
    by_name = {name.lower(): name for name in catalog.CATEGORIES}
    if category.lower() not in by_name:
        raise InvalidArgument(
            f"--filter-category: expected one of {', '.join(catalog.CATEGORIES)}, got {category!r}",
            param="filter_category",
        )
    return [entry for entry in entries if entry.category == by_name[category.lower()]]


def _usable(models: list[dict[str, Any]]) -> set[str]:
    """By id and by the last part of it, which is a path where two folders have the same name."""
    ids = {str(model["id"]) for model in models if model["validated"]}
    return ids | {name.rpartition("/")[2] for name in ids}
