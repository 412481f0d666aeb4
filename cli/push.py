"""`kronk push` and `kronk model push`: a model to another Kronk, or to a repository of the hub."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from kronk.shared.moving import target as targets
from kronk.shared.units import format_bytes

from .local import AsJson, Local
from .options import ApiHost, BasePathOption
from .working import Detach, Where, carry_out

push_app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

Token = Annotated[
    str | None,
    typer.Option(
        metavar="TOKEN",
        help="Token of the other server. (env: KRONK_PEER_TOKEN)",
        show_default=False,
    ),
]


@push_app.command("push")
def push(
    model: Annotated[str, typer.Argument(metavar="ID", help="The model's id.")],
    target: Annotated[str, typer.Argument(metavar="TARGET", help=f"Where to: {targets.FORMS}.")],
    token: Token = None,
    public: Annotated[
        bool, typer.Option("--public", help="Make a new repository of the hub public.")
    ] = False,
    local: Local = False,
    detach: Detach = False,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Bring a model with all its files to another Kronk, or to a repository of the hub."""
    where = Where(local, detach, as_json, api_host, base_path)
    # The hub's token is the server's own setting, and KRONK_PEER_TOKEN is no token of the hub.
    is_hub = target.lower().startswith("hf:")
    own = {"token": token} if token else {}
    params: dict[str, Any] = {"model": model, "target": target} | (own if is_hub else told(token))
    carry_out(where, "push", params | ({"public": True} if public else {}), _words)


def told(token: str | None) -> dict[str, str]:
    """The token of another server, as a parameter of a job. KRONK_TOKEN is this server's: often the
    admin's, which nobody else may learn."""
    found = token or os.environ.get("KRONK_PEER_TOKEN")
    return {"token": found} if found else {}


def _words(result: dict[str, Any]) -> str:
    count = result["files"]
    files = "1 file" if count == 1 else f"{count} files"
    return (
        f"{result['model']} is at {result['target']}: {files}, {format_bytes(result['size_bytes'])}"
    )
