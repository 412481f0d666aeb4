"""`kronk model`: the models on disk, and what an operator does to them."""

from __future__ import annotations

import json
import time
from typing import Annotated, Any

import typer

from kronk.shared.errors import InvalidArgument
from kronk.shared.models import spelling
from kronk.shared.units import format_bytes

from . import importing, indexing, manage, pulling, removing, show
from .autotune import autotune
from .client import find_server
from .columns import aligned
from .history import history
from .local import AsJson, Local, local_details, local_models, server_models
from .options import ApiHost, BasePathOption
from .push import Token, push, told
from .resolve import resolve
from .statistics import stats
from .template import template_app
from .vram import vram
from .working import Detach, Where

model_app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)

model_app.add_typer(template_app, name="template", help="Show and try a model's chat template.")
model_app.command("history")(history)
model_app.command("push")(push)
model_app.command("resolve")(resolve)
model_app.command("import")(importing.import_model)
model_app.command("index")(indexing.index_models)
model_app.command("verify")(indexing.verify_models)
model_app.command("remove")(removing.remove)
model_app.command("vram")(vram)
model_app.command("stats")(stats)
model_app.command("autotune")(autotune)
for _command in (manage.load, manage.unload, manage.pin, manage.reset):
    model_app.command()(_command)

_HEADS = ("MODEL ID", "SIZE", "MODIFIED", "VALIDATED")


@model_app.command("list")
def list_models(
    local: Local = False,
    as_json: AsJson = False,
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
    as_json: AsJson = False,
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
        str, typer.Argument(metavar="SOURCE|ID", help=f"A catalog id, or {spelling.FORMS_IN_HELP}.")
    ],
    host: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="URL",
            help="Another Kronk that has the model: https://host or http://host:port.",
            show_default=False,
        ),
    ] = None,
    token: Token = None,
    local: Local = False,
    detach: Detach = False,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Fetch a model from a source, by its id in the catalog, or from another Kronk."""
    where = Where(local, detach, as_json, api_host, base_path)
    if host is not None:
        pulling.pull_from(where, source_or_id, host, told(token))
        return
    if token is not None:
        raise InvalidArgument("--token is for --from; the hub's is KRONK_HF_TOKEN", param="token")
    pulling.pull(where, source_or_id)


def _row(model: dict[str, Any]) -> tuple[str, ...]:
    changed = time.strftime("%Y-%m-%d %H:%M", time.localtime(model["modified"]))
    note = model.get("note")
    good = "yes" if note is None else f"yes; {note}"
    verdict = good if model["validated"] else f"no: {model['reason']}"
    return model["id"], format_bytes(model["size_bytes"]), changed, verdict
