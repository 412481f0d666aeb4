"""`kronk model stats`: what models were asked and what they cost, over all servers."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from kronk.shared.database import Database
from kronk.shared.errors import Internal, ServerError
from kronk.shared.telemetry import statistics_table
from kronk.shared.units import format_bytes, format_duration

from .client import Admin, NoServer, find_base_path, find_server, in_path
from .columns import aligned
from .local import AsJson, Local
from .options import ApiHost, BasePathOption

_PATH = "/v1/kronk/statistics"
_HEADS = (
    "MODEL",
    "REQUESTS",
    "ERRORS",
    "TOKENS IN",
    "CACHED",
    "TOKENS OUT",
    "TTFT",
    "TOKENS/S",
    "LOADS",
    "LOAD TIME",
    "CRASHES",
    "LAST USED",
)
_NONE = "-"

Rows = list[dict[str, Any]]


def stats(
    model: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="The model's id; all models without one.")
    ] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Forget them: they begin anew.")] = False,
    local: Local = False,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Show what models were asked, how fast they answered and what became of them."""
    if reset:
        count = _reset(local, model, api_host, base_path)
        print(json.dumps({"models": count}) if as_json else f"forgot the statistics of {count}")
        return
    if local:
        rows = _from_database(base_path, model)
    else:
        rows = _from_server(find_server(api_host, base_path), model)
    if as_json:
        print(json.dumps(rows if model is None else rows[0]))
    elif not rows:
        print("no model has been used yet")
    else:
        print("\n".join(table(rows) if model is None else page(rows[0])))


def table(rows: Rows) -> Iterator[str]:
    """A line for each, the latest used first."""
    ordered = sorted(rows, key=lambda row: row["last_used"] or 0.0, reverse=True)
    return aligned(_HEADS, [_cells(row) for row in ordered])


def page(row: dict[str, Any]) -> Iterator[str]:
    """Everything about one."""
    told = {
        "model": row["model"],
        "since": _time(row["since"]),
        "last used": _time(row["last_used"]),
        "requests": f"{row['requests']}: {row['done']} done, {row['cancelled']} cancelled"
        + _listed(row["errors"]),
        "tokens in": f"{row['prompt_tokens']}, of them {_share(row)} cached",
        "tokens out": f"{row['completion_tokens']}, of them {row['reasoning_tokens']} thinking",
        "first token": _spread(row["ttft_seconds"], "s"),
        "reads": _spread(row["prefill_tokens_per_second"], "tokens/s"),
        "writes": _spread(row["decode_tokens_per_second"], "tokens/s"),
        "loads": f"{row['load_seconds']['count']}; {_spread(row['load_seconds'], 's')}",
        "unloaded": _listed(row["evictions"], "") or _NONE,
        "crashed": _listed(row["crashes"], "") or _NONE,
        "peak memory": _NONE
        if row["peak_rss_bytes"] is None
        else format_bytes(row["peak_rss_bytes"]),
    }
    width = max(map(len, told))
    for name, value in told.items():
        yield f"{name:<{width}}  {value}"
    if row["contexts"]:
        yield ""
        yield from aligned(
            ("CONTEXT UP TO", "TOKENS", "TOKENS/S"),
            [
                (
                    _NONE if one["up_to"] is None else str(one["up_to"]),
                    str(one["tokens"]),
                    _rounded(one["tokens_per_second"]),
                )
                for one in row["contexts"]
            ],
        )


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    loads = row["load_seconds"]
    return (
        row["model"],
        str(row["requests"]),
        str(sum(row["errors"].values())),
        str(row["prompt_tokens"]),
        _share(row),
        str(row["completion_tokens"]),
        _NONE if row["ttft_seconds"]["avg"] is None else f"{row['ttft_seconds']['avg']:.2f} s",
        _rounded(row["decode_tokens_per_second"]["avg"]),
        str(loads["count"]),
        _NONE if loads["avg"] is None else format_duration(loads["avg"]),
        str(sum(row["crashes"].values())),
        _time(row["last_used"]),
    )


def _share(row: dict[str, Any]) -> str:
    whole = row["prompt_tokens"]
    return f"{100 * row['cached_tokens'] / whole:.0f} %" if whole else _NONE


def _rounded(value: float | None) -> str:
    return _NONE if value is None else f"{value:.1f}"


def _spread(values: dict[str, Any], unit: str) -> str:
    if values["avg"] is None:
        return _NONE
    low, high = values["min"], values["max"]
    return f"{values['avg']:.2f} {unit} on average, {low:.2f} to {high:.2f}"


def _listed(counts: dict[str, int], lead: str = "; ") -> str:
    text = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    return f"{lead}{text}" if text else ""


def _time(seconds: float | None) -> str:
    if seconds is None:
        return _NONE
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def _from_database(base_path: str | None, model: str | None) -> Rows:
    folder = find_base_path(base_path).db
    if not (folder / "data.mdb").exists():
        if model is not None:
            raise statistics_table.not_found(model)
        return []
    database = Database(folder)
    try:
        records = database.table(statistics_table.TABLE)
        if model is not None:
            return [statistics_table.one_of(records, model)]
        return statistics_table.everything(records)
    finally:
        database.close()


def _from_server(admin: Admin, model: str | None) -> Rows:
    path = _PATH if model is None else f"{_PATH}/{in_path(model)}"
    try:
        answer = admin.get(path)
    except NoServer as error:
        raise ServerError(f"{error.message}, or add --local to read the database") from error
    rows = [answer] if model is not None else _data(answer)
    if rows is None or not all(isinstance(row, dict) and "model" in row for row in rows):
        raise Internal(f"{admin.url} answered {path} in a form this version cannot read")
    return rows


def _data(answer: object) -> Rows | None:
    rows = answer.get("data") if isinstance(answer, dict) else None
    return rows if isinstance(rows, list) else None


def _reset(local: bool, model: str | None, api_host: str | None, base_path: str | None) -> int:
    if not local:
        path = _PATH if model is None else f"{_PATH}/{in_path(model)}"
        answer = find_server(api_host, base_path).delete(path)
        return int(answer["models"])
    folder = find_base_path(base_path).db
    if not (folder / "data.mdb").exists():
        if model is not None:
            raise statistics_table.not_found(model)
        return 0
    database = Database(folder)
    try:
        return statistics_table.reset(database.table(statistics_table.TABLE), model)
    finally:
        database.close()
