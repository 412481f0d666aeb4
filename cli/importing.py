"""`kronk model import`: a GGUF of this machine becomes a model."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from kronk.shared.errors import InvalidArgument

from .local import AsJson, Local
from .options import ApiHost, BasePathOption
from .working import Detach, Where, carry_out


def import_model(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="A .gguf file. Further files of a split model and a projector beside it come too.",
        ),
    ],
    folder: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="ORG/FAMILY",
            help="Where it goes below the models folder. (default: local/ and its name)",
            show_default=False,
        ),
    ] = None,
    copy: Annotated[
        bool, typer.Option("--copy", help="A file of its own, whatever happens to the old one.")
    ] = False,
    link: Annotated[
        bool, typer.Option("--link", help="A symbolic link: the file stays where it is.")
    ] = False,
    move: Annotated[
        bool, typer.Option("--move", help="Take the file away from where it is.")
    ] = False,
    detach: Detach = False,
    local: Local = False,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Make a model of a local GGUF file: without a copy where the file system can, and verified.

    The server reads the path on its own host."""
    ways = [name for name, on in (("copy", copy), ("link", link), ("move", move)) if on]
    if len(ways) > 1:
        raise InvalidArgument(f"--{ways[0]} and --{ways[1]} exclude each other", param=ways[1])
    params = {"file": os.path.abspath(file), "how": ways[0] if ways else "auto"}
    if folder is not None:
        params["as"] = folder
    carry_out(Where(local, detach, as_json, api_host, base_path), "import", params, _words)


def _words(result: dict[str, Any]) -> str:
    files = [f"  {one['file']} ({one['how']})" for one in result["files"]]
    damaged = [f"damaged, by what the catalog knows: {name}" for name in result["damaged"]]
    return "\n".join([f"{result['model']} is a model now", *files, *damaged])
