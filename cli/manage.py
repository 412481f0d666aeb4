"""`kronk model load | unload | pin | reset`: what an operator does to a model of the server."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from typing import Annotated, Any

import typer
from rich.console import Console

from kronk.shared.errors import Internal, KronkError, ServerError, from_code

from . import sse
from .client import Admin, find_server, in_path
from .load_screen import screen
from .options import ApiHost, BasePathOption
from .progress import waiting

_INTERRUPTED = 130

Name = Annotated[str, typer.Argument(metavar="NAME", help="The model's id, or an alias.")]


def load(
    model: Name,
    pin: Annotated[
        bool,
        typer.Option("--pin", help="Keep it loaded, until unpinned or the server stops."),
    ] = False,
    ttl: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION",
            help="How long it stays loaded while unused: 30m, or forever. (default: its own)",
            show_default=False,
        ),
    ] = None,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Load a model, and show how far that is."""
    admin = find_server(api_host, base_path)
    span = {} if ttl is None else {"ttl": "-1" if ttl == "forever" else ttl}
    body = {"stream": True, "pin": pin, **span}
    try:
        with admin.stream(_path(model, "load"), body) as lines:
            loaded = _shown(model, _events(lines))
    except KeyboardInterrupt:
        _say(_left(admin, model))
        raise typer.Exit(_INTERRUPTED) from None
    print(f"{loaded['message']} ({loaded['seconds']:.1f} s)")


def unload(
    model: Name,
    force: Annotated[
        bool, typer.Option("--force", help="Do not wait for its requests: they end with an error.")
    ] = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Unload a model when its requests have ended, and wait until its memory is free."""
    admin = find_server(api_host, base_path)
    words = None if force else _what_for(admin, model)
    try:
        with waiting(words) if words else nullcontext():
            answer = _post(admin, model, "unload", {"force": force})
    except KeyboardInterrupt:
        _say(f"{model} is unloaded when its requests have ended")
        raise typer.Exit(_INTERRUPTED) from None
    print(answer["message"])


def pin(
    model: Name,
    off: Annotated[bool, typer.Option("--off", help="Let it leave again.")] = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Keep a model loaded once it is, until it is unpinned or the server stops."""
    admin = find_server(api_host, base_path)
    print(_post(admin, model, "unpin" if off else "pin", {})["message"])


def reset(model: Name, api_host: ApiHost = None, base_path: BasePathOption = None) -> None:
    """Forget the failures of a model: it is tried when it is next wanted, without waiting."""
    admin = find_server(api_host, base_path)
    print(_post(admin, model, "reset", {})["message"])


def _path(model: str, action: str) -> str:
    return f"/v1/kronk/models/{in_path(model)}/{action}"


def _post(admin: Admin, model: str, action: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = admin.post(_path(model, action), body)
    if not isinstance(answer, dict) or "message" not in answer:
        raise Internal(f"{admin.url} answered {action} in a form this version cannot read")
    return answer


def _events(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """What the stream says, to its end; raises the error that it ends with."""
    for event in sse.objects(lines):
        if error := event.get("error"):
            raise from_code(error["code"], error["message"], error.get("param"))
        yield event
    raise ServerError("the connection broke before the model was loaded")


def _shown(model: str, events: Iterator[dict[str, Any]]) -> dict[str, Any]:
    with screen(Console(stderr=True, highlight=False), model) as show:
        for event in events:
            if event["object"] == "model.loaded":
                return event
            show(event)
    raise ServerError("the server did not say whether the model is loaded")


def _row(admin: Admin, model: str) -> dict[str, Any]:
    """What `kronk ps` has about the model; nothing where it has none, or cannot be asked."""
    try:
        found = admin.get(f"/v1/kronk/models/{in_path(model)}", timeout=5.0)["id"]
        rows = admin.get("/v1/kronk/ps", timeout=5.0)["data"]
    except (KronkError, LookupError, TypeError):
        return {}
    return next((row for row in rows if row["model"] == found), {})


def _left(admin: Admin, model: str) -> str:
    """What becomes of a load that is not waited for any more."""
    match _row(admin, model).get("state"):
        case "loading":
            return f"{model} goes on loading; `kronk ps` shows how far it is"
        case "ready":
            return f"{model} is loaded"
        case _:
            return f"{model} is not being loaded"


def _what_for(admin: Admin, model: str) -> str | None:
    """Why an unload takes its time; None where it does not."""
    running = _row(admin, model).get("active_streams") or 0
    if not running:
        return None
    requests = "request has" if running == 1 else f"{running} requests have"
    return f"{model} is unloaded when its {requests} ended (--force does not wait)"


def _say(words: str) -> None:
    print(words, file=sys.stderr)
