"""`kronk model history`: how the processes of models ended."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated, Any

import typer

from kronk.shared import departures
from kronk.shared.errors import Internal, ServerError
from kronk.shared.units import format_duration

from .client import Admin, NoServer, find_base_path, find_server, in_path
from .columns import aligned
from .options import ApiHost, BasePathOption

# Of a cause in the table.
_LONGEST_CAUSE = 100


def history(
    model: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="The model's id; all models without one.")
    ] = None,
    count: Annotated[
        int,
        typer.Option("--count", "-n", min=1, max=departures.MOST_TOLD, help="How many at most."),
    ] = 20,
    stacks: Annotated[
        bool,
        typer.Option("--stacks", help="Show what each process said last, and what it was doing."),
    ] = False,
    local: Annotated[
        bool, typer.Option("--local", help="Read this machine's file, without a server.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="A JSON list of objects, for scripts.")
    ] = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Show how processes of models ended, the latest first: unloads, crashes and kills."""
    if local:
        rows = _from_file(base_path, model, count)
    else:
        rows = _from_server(find_server(api_host, base_path), model, count)
    if as_json:
        print(json.dumps(rows))
    elif not rows:
        print("no process has ended yet" if model is None else f"no process of {model} has ended")
    else:
        print("\n".join(page(rows, with_model=model is None, stacks=stacks)))


def page(rows: list[dict[str, Any]], *, with_model: bool, stacks: bool) -> Iterator[str]:
    """The table; with `stacks` each row is followed by what its process wrote last."""
    heads = ("ENDED", *(("MODEL",) if with_model else ()), "RAN", "OUTCOME", "REQUESTS", "CAUSE")
    head, *lines = aligned(heads, [_cells(row, with_model) for row in rows])
    yield head
    for line, row in zip(lines, rows, strict=True):
        yield line
        if stacks:
            yield from (f"    {said}" for said in (*row["last_lines"], *row["stack"]))


def _cells(row: dict[str, Any], with_model: bool) -> tuple[str, ...]:
    cause = " ".join(str(row["cause"]).split())
    return (
        time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(row["ended"])),
        *((str(row["model"]),) if with_model else ()),
        format_duration(max(row["ended"] - row["started"], 0.0)),
        str(row["outcome"]),
        str(row["requests"]),
        cause if len(cause) <= _LONGEST_CAUSE else f"{cause[: _LONGEST_CAUSE - 1]}…",
    )


def _from_file(base_path: str | None, model: str | None, count: int) -> list[dict[str, Any]]:
    history = departures.read(find_base_path(base_path).history_file)
    return [asdict(departure) for departure in history.latest(model, count)]


def _from_server(admin: Admin, model: str | None, count: int) -> list[dict[str, Any]]:
    path = "/v1/kronk/history"
    if model is not None:
        path = f"/v1/kronk/models/{in_path(model)}/history"
    try:
        answer = admin.get(f"{path}?limit={count}")
    except NoServer as error:
        raise ServerError(f"{error.message}, or add --local to read the file") from error
    rows = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(rows, list):
        raise Internal(f"{admin.url} answered {path} in a form this version cannot read")
    return rows
