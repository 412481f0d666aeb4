"""`kronk security key`: the keys that sign tokens."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from .local import AsJson, Local
from .options import ApiHost, BasePathOption
from .security_desk import desk

key_app = typer.Typer(
    help="List, make and delete the keys that sign tokens.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

KeyId = Annotated[
    str,
    typer.Option("--keyid", metavar="ID", help="As `kronk security key list` shows it."),
]
_WIDTH = 40


@key_app.command("list")
def list_keys(
    local: Local = False,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Show the master key and the others, the newest first: that one signs new tokens."""
    with desk(local, api_host, base_path) as found:
        rows = found.keys()
    if as_json:
        print(json.dumps(rows))
        return
    print(f"{'KEY ID':{_WIDTH}}CREATED")
    for row in rows:
        print(f"{row['id']:{_WIDTH}}{utc(row['created'])}")


@key_app.command()
def create(
    local: Local = False,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Make a key, which signs new tokens from now on. Those of other keys stay good."""
    with desk(local, api_host, base_path) as found:
        made = found.create_key()
    print(json.dumps(made) if as_json else f"made the key {made['id']}, which signs from now on")


@key_app.command()
def delete(
    keyid: KeyId,
    local: Local = False,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Delete a key, and with it all tokens that it has signed, at once. The master key stays."""
    with desk(local, api_host, base_path) as found:
        gone = found.delete_key(keyid)
    print(json.dumps(gone) if as_json else f"deleted the key {keyid}; its tokens are worth nothing")


def utc(moment: float) -> str:
    """`2024-01-15T10:30:00Z`."""
    return datetime.fromtimestamp(int(moment), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
