"""`kronk server logs`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import urlencode

import typer
from rich.console import Console

from kronk.shared.errors import InvalidArgument, KronkError, NotFound
from kronk.shared.log import LEVELS
from kronk.shared.logbook import names
from kronk.shared.logbook.query import PROCESSES, Query, parse
from kronk.shared.logbook.reader import MOST_LINES, Reader
from kronk.shared.models.configured import configured
from kronk.shared.paths import BasePath

from .client import Admin, find_base_path, find_server
from .local import Local, local_settings
from .log_following import LOGS, followed
from .loglines import readable
from .options import BasePathOption

_POLL = 0.25
_USUAL_LINES = 100


def logs(
    base_path: BasePathOption = None,
    api_host: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Ask the server of this address instead."),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with new lines until Ctrl-C.")
    ] = False,
    lines: Annotated[
        int | None,
        typer.Option(
            "--lines",
            "-n",
            min=0,
            max=MOST_LINES,
            help=f"How many old lines. (default: {_USUAL_LINES}; with --since {MOST_LINES})",
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", metavar="MODEL", help="Only of this model.")
    ] = None,
    level: Annotated[
        str | None,
        typer.Option("--level", metavar="LEVEL", help=f"This and above: {', '.join(LEVELS)}."),
    ] = None,
    request: Annotated[
        str | None, typer.Option("--request", metavar="ID", help="Only of this request.")
    ] = None,
    process: Annotated[
        str | None,
        typer.Option("--process", metavar="NAME", help=f"Only of {', '.join(PROCESSES)}."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="WHEN", help="Not older than 10m, or than that time."),
    ] = None,
    local: Local = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="The lines as they are, also on a terminal.")
    ] = False,
) -> None:
    """Show the server's log: readable on a terminal, the raw JSON lines in a pipe.

    The files of this machine are read, which works for a server that hangs or has ended, too;
    another server is asked for its own with --api-host.
    """
    asked = {
        "model": model,
        "level": level,
        "request": request,
        "process": process,
        "since": since,
    }
    query = parse(asked, datetime.now(UTC), prefix="--")
    if lines is None:
        lines = _USUAL_LINES if since is None else MOST_LINES
    show = _shower(as_json)
    if local and api_host is not None:
        raise InvalidArgument("--local reads the files here, and --api-host asks a server")
    if api_host is not None:
        _from_server(lambda: find_server(api_host, base_path), asked, lines, follow, show)
        return
    if model is not None:
        query = replace(query, models=_names(base_path, model))
    _from_files(find_base_path(base_path), query, lines, follow, show)


def _names(base_path: str | None, model: str) -> frozenset[str]:
    chosen = local_settings(base_path)
    try:
        return names.of_model(chosen.base, configured(chosen), model)
    except KronkError:
        # The log is to be read whatever has become of the models.
        return frozenset({model})


def _from_files(
    base: BasePath, query: Query, lines: int, follow: bool, show: Callable[[str], None]
) -> None:
    if not follow and not base.log_file.exists():
        raise NotFound(f"there is no log yet at {base.log_file}")
    with closing(Reader(base.log_file)) as reader:
        for line in reader.last(lines, query):
            show(line)
        while follow:
            for line in reader.more(query):
                show(line)
            time.sleep(_POLL)


def _from_server(
    find: Callable[[], Admin],
    asked: dict[str, str | None],
    lines: int,
    follow: bool,
    show: Callable[[str], None],
) -> None:
    said = {name: text for name, text in asked.items() if text is not None}
    if follow:
        for line in followed(find, said, lines, lambda note: typer.echo(note, err=True)):
            show(line)
    else:
        for found in find().get(f"{LOGS}?{urlencode({**said, 'lines': lines})}")["data"]:
            show(json.dumps(found, ensure_ascii=False))


def _shower(as_json: bool) -> Callable[[str], None]:
    console = Console(highlight=False, soft_wrap=True)
    if as_json or not console.is_terminal:
        return lambda line: print(line, flush=True)
    return lambda line: console.print(readable(line))
