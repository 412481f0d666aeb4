"""`kronk security audit`: who administered what."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import typer

from kronk.shared.errors import Internal, ServerError
from kronk.shared.security import audit as log

from .client import Admin, NoServer, find_base_path, find_server
from .columns import aligned
from .local import AsJson, Local
from .options import ApiHost, BasePathOption

_PATH = "/v1/kronk/security/audit"
_MOST = 1000
_POLL_SECONDS = 1.0
_HEADS = ("TIME", "WHO", "FROM", "ACTION", "TARGET", "RESULT")
_NONE = "-"

Row = dict[str, Any]


def audit(
    count: Annotated[
        int, typer.Option("--count", "-n", min=1, max=_MOST, help="How many at most.")
    ] = 50,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with new lines until Ctrl-C.")
    ] = False,
    local: Local = False,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Show who administered what, the latest last: logins, keys, tokens, models, refusals."""

    def latest(most: int) -> list[Row]:
        found = (
            _from_file(base_path, most)
            if local
            else _from_server(find_server(api_host, base_path), most)
        )
        return found[::-1]

    if follow:
        for row in _followed(count, latest):
            print(json.dumps(row) if as_json else "   ".join(cells(row)), flush=True)
    rows = latest(count)
    if as_json:
        print(json.dumps(rows))
    elif not rows:
        print("nothing has been administered yet")
    else:
        print("\n".join(aligned(_HEADS, [cells(row) for row in rows])))


def cells(row: Row) -> tuple[str, ...]:
    """A row of the table. What clients have sent cannot steer the terminal."""
    found = (
        _local_time(str(row["time"])),
        _who(row),
        row["client"] or _NONE,
        str(row["action"]),
        row["target"] or _NONE,
        _result(row),
    )
    return tuple("".join(c if c.isprintable() else "?" for c in cell) for cell in found)


def _who(row: Row) -> str:
    name = row["name"] or row["subject"]
    if name is None:
        return str(row["via"] or _NONE)
    return f"{name} ({row['via']})"


def _result(row: Row) -> str:
    more = [str(row[key]) for key in ("status", "code") if row[key] is not None]
    if row["suppressed"]:
        more.append(f"{row['suppressed']} more before")
    return f"{row['result']} ({', '.join(more)})" if more else str(row["result"])


def _local_time(stamp: str) -> str:
    try:
        return datetime.fromisoformat(stamp).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except ValueError:
        return stamp


def _followed(count: int, latest: Callable[[int], list[Row]]) -> Iterator[Row]:
    rows = latest(_MOST)
    yield from rows[-count:]
    while True:
        known = {row["id"] for row in rows}
        time.sleep(_POLL_SECONDS)
        rows = latest(_MOST)
        yield from (row for row in rows if row["id"] not in known)


def _from_file(base_path: str | None, most: int) -> list[Row]:
    found, _ = log.read(find_base_path(base_path), most)
    return [asdict(entry) for entry in found]


def _from_server(admin: Admin, most: int) -> list[Row]:
    try:
        answer = admin.get(f"{_PATH}?limit={most}")
    except NoServer as error:
        raise ServerError(f"{error.message}, or add --local to read the file") from error
    rows = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(rows, list):
        raise Internal(f"{admin.url} answered {_PATH} in a form this version cannot read")
    return rows
