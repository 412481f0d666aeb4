"""`kronk model index` and `kronk model verify`: is everything on disk what it should be?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from kronk.shared import exits
from kronk.shared.errors import InvalidArgument

from .local import AsJson, Local
from .options import ApiHost, BasePathOption
from .working import Detach, Where, carry_out


def index_models(
    verify: Annotated[
        bool, typer.Option("--verify", help="Read every file whole and compare its digest, too.")
    ] = False,
    detach: Detach = False,
    local: Local = False,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Look through the models folder anew, and say what is wrong in it."""
    where = Where(local, detach, as_json, api_host, base_path)
    carry_out(where, "index", {"verify": True} if verify else {}, _index_words)


def verify_models(
    model: Annotated[
        str | None, typer.Argument(metavar="MODEL", help="The model's id.", show_default=False)
    ] = None,
    all_models: Annotated[bool, typer.Option("--all", help="Every file there is.")] = False,
    accept: Annotated[
        bool,
        typer.Option("--accept", help="Take the files as they are: that is right from now on."),
    ] = False,
    detach: Detach = False,
    local: Local = False,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Read a model's files whole and compare them with what they should be.

    Exit code 3 when one is damaged."""
    if (model is None) != all_models:
        raise InvalidArgument("expected a model's id, or --all", param="model")
    params: dict[str, Any] = {} if model is None else {"model": model}
    where = Where(local, detach, as_json, api_host, base_path)
    result = carry_out(
        where, "verify", params | ({"accept": True} if accept else {}), _verify_words
    )
    if result is not None and result["damaged"]:
        raise typer.Exit(exits.BAD_MODEL)


def _index_words(result: dict[str, Any]) -> str:
    return "\n".join(_index_lines(result))


def _index_lines(result: dict[str, Any]) -> Iterator[str]:
    yield f"{_count(result['models'], 'model')}, {_count(result['files'], 'file')}"
    if result["problem"] is not None:
        yield f"the index was made anew: {result['problem']}"
    for old, new in result["moved"].items():
        yield f"renamed: {old} is {new} now"
    for kind, words in (
        ("forgotten", "gone"),
        ("changed", "changed since it was verified"),
        ("damaged", "damaged"),
    ):
        for name in result[kind]:
            yield f"{words}: {name}"
    for model, reason in result["broken"].items():
        yield f"cannot be loaded: {model}: {reason}"


def _count(number: int, what: str) -> str:
    return f"1 {what}" if number == 1 else f"{number} {what}s"


def _verify_words(result: dict[str, Any]) -> str:
    return "\n".join(_verdict(one) for one in result["files"]) or "there are no model files"


def _verdict(one: dict[str, Any]) -> str:
    match one["result"]:
        case "verified":
            words = "as it should be"
        case "recorded":
            words = "nothing was known of it; its digest is recorded"
        case "accepted":
            words = "taken as it is"
        case "unreadable":
            words = f"cannot be read: {one['reason']}"
        case _:
            words = f"damaged: its sha256 is {one['sha256']}, expected {one['expected']}"
    return f"{one['file']}: {words}"
