"""`kronk config`: the model-config file, and what the settings of models come to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from kronk.shared import exits
from kronk.shared.config import schema
from kronk.shared.errors import Internal, NotFound, ServerError
from kronk.shared.model_config import Problem, examine, read_file
from kronk.shared.models.config_check import warnings
from kronk.shared.models.config_shown import shown
from kronk.shared.models.configured import configured, recommended

from .client import Admin, NoServer, find_server
from .local import AsJson, Local, local_settings
from .options import ApiHost, BasePathOption
from .show import settings

config_app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)

# More lines than a screen has are of no use to anybody; JSON has all.
_MOST_SHOWN = 20


@config_app.command("check")
def check(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="The file; else the one that is configured."),
    ] = None,
    local: Local = False,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Say all that is wrong with a model-config file, and what a load would stumble over.

    Ends with 2 when a server would refuse the file; warnings alone are no failure.
    """
    file = file if file is not None else _configured_file(local, api_host, base_path)
    configs, problems = examine(read_file(file), file)
    base = local_settings(base_path).base
    noted = warnings(base, configs.over(recommended(base)))
    if as_json:
        rows = [_row("error", each) for each in problems] + [_row("warning", w) for w in noted]
        print(json.dumps({"file": str(file), "models": list(configs), "problems": rows}))
    else:
        print("\n".join(_report(str(file), len(configs), problems, noted)))
    if problems:
        raise typer.Exit(exits.USAGE)


@config_app.command("show")
def show(
    model: Annotated[
        str | None, typer.Argument(metavar="ID", help="One model, with every key.")
    ] = None,
    local: Local = False,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Show what the settings of models come to, and where each comes from.

    Without an ID: all models, with what is not the built-in default.
    """
    found = _local(base_path, model) if local else _of_server(api_host, base_path, model)
    if as_json:
        print(json.dumps(found))
        return
    pages = ["\n".join(_page(row, is_whole=model is not None)) for row in found["models"]]
    print("\n\n".join(pages) or "no models, and no settings of any")


@config_app.command("path")
def path(
    local: Local = False,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Say which model-config file is used."""
    file = _configured_file(local, api_host, base_path)
    print(json.dumps({"file": str(file)}) if as_json else file)


@config_app.command("schema")
def print_schema() -> None:
    """Print the JSON Schema of the model-config file, for editors."""
    print(schema.text(), end="")


def _configured_file(local: bool, api_host: str | None, base_path: str | None) -> Path:
    """The running server's, or else this machine's."""
    found = None
    if not local:
        try:
            found = _ask(find_server(api_host, base_path), None)["file"]
        except NoServer:
            found = None
    if found is None and (own := local_settings(base_path).config_file) is not None:
        found = str(own)
    if found is None:
        raise NotFound("no model-config file is set; --model-config-file is the server's flag")
    return Path(found)


def _local(base_path: str | None, model: str | None) -> dict[str, Any]:
    chosen = local_settings(base_path)
    file = chosen.config_file
    return {
        "object": "configuration",
        "file": str(file) if file is not None else None,
        "models": shown(chosen.base, configured(chosen), model),
    }


def _of_server(api_host: str | None, base_path: str | None, model: str | None) -> dict[str, Any]:
    try:
        return _ask(find_server(api_host, base_path), model)
    except NoServer as error:
        raise ServerError(f"{error.message}, or add --local to look at the files") from error


def _ask(admin: Admin, model: str | None) -> dict[str, Any]:
    query = f"?model={quote(model, safe='')}" if model is not None else ""
    answer = admin.get(f"/v1/kronk/config{query}")
    if not isinstance(answer, dict) or not {"file", "models"} <= answer.keys():
        raise Internal(f"{admin.url} answered /v1/kronk/config in a form this version cannot read")
    return answer


def _page(row: dict[str, Any], *, is_whole: bool) -> list[str]:
    values, origins = row["configuration"], row["origins"]
    if not is_whole:
        said = {key.partition(".")[0] for key, origin in origins.items() if origin != "default"}
        values = {key: value for key, value in values.items() if key in said}
    name = row["id"] if row["on_disk"] else f"{row['id']} (not on disk)"
    return [name, *(settings(values, origins) if values else ["  built-in defaults"])]


def _row(severity: str, problem: Problem) -> dict[str, Any]:
    place = problem.place
    return {
        "severity": severity,
        "line": place.line if place is not None else None,
        "column": place.column if place is not None else None,
        "model": problem.model,
        "key": problem.key,
        "message": problem.text,
    }


def _report(file: str, models: int, problems: list[Problem], noted: list[Problem]) -> list[str]:
    lines = [each.line(file) for each in problems[:_MOST_SHOWN]]
    if len(problems) > _MOST_SHOWN:
        lines.append(f"... and {_count(len(problems) - _MOST_SHOWN, 'more mistake')}")
    lines += [each.line(file, "warning: ") for each in noted[:_MOST_SHOWN]]
    if len(noted) > _MOST_SHOWN:
        lines.append(f"... and {_count(len(noted) - _MOST_SHOWN, 'more warning')}")
    verdict = _count(len(problems), "mistake") if problems else "no mistakes"
    warned = f", {_count(len(noted), 'warning')}" if noted else ""
    return [*lines, f"{file}: settings of {_count(models, 'model')}, {verdict}{warned}"]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
