"""`kronk security usage`: how many calls and tokens each subject has used."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from kronk.shared.errors import Internal, ServerError
from kronk.shared.security.usage_report import local_report

from .client import Admin, NoServer, find_server
from .columns import aligned
from .local import AsJson, Local, local_settings
from .options import ApiHost, BasePathOption

_ROUTE = "/v1/kronk/security/usage"
_WINDOWS = ("day", "month", "year")
_HEADS = (
    "SUBJECT",
    "NAME",
    "ENDPOINT",
    *(f"CALLS/{window.upper()}" for window in _WINDOWS),
    *(f"TOKENS/{window.upper()}" for window in _WINDOWS),
)
_HEADS_OF_DAYS = ("DAY", "ENDPOINT", "CALLS", "PROMPT TOKENS", "COMPLETION TOKENS")


def usage(
    subject: Annotated[
        str | None, typer.Option(metavar="ID", help="Only this subject, with each day.")
    ] = None,
    local: Local = False,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Show the calls and tokens of each subject in this day, month and year of UTC."""
    if local:
        told = local_report(local_settings(base_path).base, time.time(), subject)
    else:
        told = _asked(find_server(api_host, base_path), subject)
    if as_json:
        print(json.dumps(told))
    elif not told["data"] and not told.get("days"):
        print("nothing was used yet" if subject is None else f"{subject} has used nothing yet")
    else:
        print("\n".join(_page(told)))


def _asked(admin: Admin, subject: str | None) -> dict[str, Any]:
    """All pages of the server's answer as one."""
    query: dict[str, str] = {} if subject is None else {"subject": subject}
    told = _part(admin, query)
    rows, part = list(told["data"]), told
    while part["has_more"] and part["data"]:
        part = _part(admin, {**query, "after": part["data"][-1]["subject"]})
        rows += part["data"]
    return {**told, "data": rows, "has_more": False}


def _part(admin: Admin, query: dict[str, str]) -> dict[str, Any]:
    try:
        answer = admin.get(f"{_ROUTE}?{urlencode(query)}")
    except NoServer as error:
        raise ServerError(f"{error.message}, or add --local to look at the files") from error
    rows = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(rows, list) or not isinstance(answer.get("has_more"), bool):
        raise Internal(f"{admin.url} answered {_ROUTE} in a form this version cannot read")
    return dict(answer)


def _page(told: dict[str, Any]) -> Iterator[str]:
    if told["data"]:
        yield from aligned(_HEADS, [_cells(row) for row in told["data"]])
    if told.get("days"):
        if told["data"]:
            yield ""
        yield from aligned(_HEADS_OF_DAYS, [_cells_of_day(row) for row in told["days"]])


def _cells(row: dict[str, Any]) -> list[str]:
    amounts = [row[window] for window in _WINDOWS]
    calls = [str(amount["calls"]) for amount in amounts]
    tokens = [str(amount["prompt_tokens"] + amount["completion_tokens"]) for amount in amounts]
    return [row["subject"], row["name"] or "-", row["endpoint"], *calls, *tokens]


def _cells_of_day(row: dict[str, Any]) -> list[str]:
    numbers = (row["calls"], row["prompt_tokens"], row["completion_tokens"])
    return [row["day"], row["endpoint"], *map(str, numbers)]
