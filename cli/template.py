"""`kronk model template`: the chat template of a model, shown and tried."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from kronk.shared.errors import Internal, ServerError
from kronk.shared.models.configured import configured
from kronk.shared.templates import chosen, reader

from .client import NoServer, find_server, in_path
from .columns import aligned
from .local import AsJson, Local, local_settings
from .options import ApiHost, BasePathOption

template_app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False
)

_HEADS = ("CONVERSATION", "WORKS", "")


@template_app.command("show")
def show(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model's id.")],
    local: Local = False,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Show the template that a model is served with; where it comes from goes to stderr."""
    if local:
        used, said = chosen.tried(_local(base_path, model))
        found = chosen.as_json(used) | {"fault": said["fault"]}
    else:
        found = _from_server(model, "/template", api_host, base_path)
    if as_json:
        print(json.dumps(found))
        return
    print(_origin(found), file=sys.stderr)
    if found["fault"] is not None and found["reason"] is None:
        print(f"warning: it {found['fault']['words']}", file=sys.stderr)
    print(found["text"], end="" if found["text"].endswith("\n") else "\n")


@template_app.command("test")
def test(
    model_or_file: Annotated[
        str,
        typer.Argument(metavar="MODEL|FILE", help="A model's id, or the path of a .jinja file."),
    ],
    local: Local = False,
    as_json: AsJson = False,
    show_text: Annotated[
        bool, typer.Option("--show", help="What each conversation becomes, too.")
    ] = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Try a template with usual conversations, without loading a model; the exit code is 1 where it
    cannot be used."""
    if _is_file(model_or_file):
        report = _of_file(Path(model_or_file))
    elif local:
        found, said = chosen.tried(_local(base_path, model_or_file))
        report = chosen.as_json(found) | said
    else:
        report = _from_server(model_or_file, "/template/test", api_host, base_path)
    print(json.dumps(report) if as_json else "\n".join(page(report, is_long=show_text)))
    if not usable(report):
        raise typer.Exit(1)


def usable(report: dict[str, Any]) -> bool:
    """Whether it is a template that writes the simplest of conversations."""
    return report["fault"] is None and bool(report["cases"]) and report["cases"][0]["works"]


def page(report: dict[str, Any], *, is_long: bool) -> Iterator[str]:
    """For people."""
    yield _origin(report)
    if report["fault"] is not None:
        yield f"the template {report['fault']['words']}"
    rows = [
        (case["name"], "yes" if case["works"] else "no", _why(case)) for case in report["cases"]
    ]
    if rows:
        yield ""
        yield from aligned(_HEADS, rows)
    for note in report["notes"]:
        yield ""
        yield f"warning: it {note['message']}"
    for case in report["cases"] if is_long else ():
        if case["works"]:
            yield ""
            yield f"--- {case['name']}"
            yield case["text"]


def _why(case: dict[str, Any]) -> str:
    return str(case["error"] or case["note"] or "")


def _origin(found: dict[str, Any]) -> str:
    words = chosen.WORDS.get(found["origin"], str(found["origin"]))
    named = f" called {found['name']}" if found["name"] else ""
    path = f": {found['path']}" if found["path"] else ""
    reason = f", because {found['reason']}" if found["reason"] else ""
    return f"template: {words}{named}{path}{reason}"


def _is_file(text: str) -> bool:
    return text.endswith(".jinja") or (text.startswith(("/", "./", "../")) and Path(text).is_file())


def _of_file(path: Path) -> dict[str, Any]:
    found = chosen.Chosen("", chosen.read(path), "file", str(path), None, None, {})
    return chosen.as_json(found) | {"model": None} | reader.check(found.text, {})


def _local(base_path: str | None, model: str) -> chosen.Chosen:
    settings = local_settings(base_path)
    return chosen.of_model(settings.base, configured(settings), model)


def _from_server(
    model: str, action: str, api_host: str | None, base_path: str | None
) -> dict[str, Any]:
    admin = find_server(api_host, base_path)
    try:
        answer = admin.get(f"/v1/kronk/models/{in_path(model)}{action}", timeout=60.0)
    except NoServer as error:
        raise ServerError(f"{error.message}, or add --local to look at the files") from error
    if not isinstance(answer, dict) or "origin" not in answer:
        raise Internal(f"{admin.url} answered {action} in a form this version cannot read")
    return answer
