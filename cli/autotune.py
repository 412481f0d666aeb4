"""`kronk model autotune`: settings that suit a model and this machine."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from kronk.shared import exits
from kronk.shared.config.edit import CannotEdit, with_settings
from kronk.shared.errors import Internal, KronkError, ServerError
from kronk.shared.files import write_atomically
from kronk.shared.models.configured import configured
from kronk.shared.sizing import tuning
from kronk.shared.units import format_bytes

from .client import Admin, NoServer, find_server
from .columns import aligned
from .local import AsJson, Local, local_settings
from .options import ApiHost, BasePathOption
from .vram import ASK_SECONDS, Gpus, Memory, as_source, machine_of

_WANTED_SLOTS = typer.Option(
    metavar="N", help="Requests at the same time that there must be.", show_default=False
)
_WANTED_CONTEXT = typer.Option(
    metavar="TOKENS", help="Tokens of one request that would be enough.", show_default=False
)


def autotune(
    model: Annotated[
        str, typer.Argument(metavar="MODEL|SOURCE", help="A model's id, or a source (see `vram`).")
    ],
    slots_wanted: Annotated[int | None, _WANTED_SLOTS] = None,
    context_wanted: Annotated[int | None, _WANTED_CONTEXT] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Write it into the model-config file.")
    ] = False,
    gpu: Gpus = None,
    memory: Memory = None,
    local: Local = False,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Propose context, slots, cache type and layers on the GPU for a model, with reasons.

    Ends with code 4 where nothing fits."""
    wants = {"slots": slots_wanted, "context": context_wanted}
    body: dict[str, Any] = {"model": model, "machine": machine_of(gpu, memory)}
    body |= {key: value for key, value in wants.items() if value is not None}
    if local:
        found = as_source(lambda body: _here(body, base_path), body)
    else:
        admin = find_server(api_host, base_path)
        found = as_source(lambda body: _from_server(admin, body), body)
    print(json.dumps(found) if as_json else page(found))
    if not found["fits"]:
        raise typer.Exit(exits.NO_MEMORY)
    if apply:
        print(_applied(found), file=sys.stderr)


def page(found: dict[str, Any]) -> str:
    """For people."""
    return "\n".join(_lines(found))


def _lines(found: dict[str, Any]) -> Iterator[str]:
    estimate = found["estimate"]
    if not found["fits"]:
        yield f"{found['model']} does not fit this machine, however small its context is:"
        yield from _sizes(estimate)
        return
    rows = [(f"{choice['key']}: {choice['value']}", choice["why"]) for choice in found["choices"]]
    yield from list(aligned(("", ""), rows))[1:]
    yield ""
    yield from _sizes(estimate)
    yield ""
    yield found["yaml"].rstrip("\n")


def _sizes(estimate: dict[str, Any]) -> Iterator[str]:
    budgets = {one["device"]: one["budget_bytes"] for one in estimate["machine"]["devices"]}
    for device, size in estimate["set_aside"]["devices"].items():
        of = f" of {format_bytes(budgets[device])}" if device in budgets else ""
        yield f"{device}: {format_bytes(size)}{of}"


def _applied(found: dict[str, Any]) -> str:
    """Write it, and say so; `KronkError` where that cannot be done safely."""
    named = found["model_config_file"]
    if named is None:
        raise _NotApplied(
            "there is no model-config file (--model-config-file): put the settings into one"
        )
    if found["estimate"]["origin"] != "disk":
        raise _NotApplied("the model is not here yet: pull it first")
    path = Path(named).resolve()
    try:
        old = path.read_bytes().decode("utf-8") if path.exists() else ""
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
        is_crlf = 0 < old.count("\n") == old.count("\r\n")
        text = old.replace("\r\n", "\n")
        new = with_settings(text, path, found["configured_as"], found["settings"])
        if is_crlf:
            new = new.replace("\n", "\r\n")
        write_atomically(path, new.encode(), mode)
    except CannotEdit as error:
        raise _NotApplied(f"{path} was left as it is: {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise _NotApplied(f"{path}: {error}") from error
    return f"written to {path}; `kronk server reload` makes it take effect"


class _NotApplied(KronkError):
    """The settings were printed, and nobody wrote them down."""


def _here(body: dict[str, Any], base_path: str | None) -> dict[str, Any]:
    chosen = local_settings(base_path)
    asked, wanted = tuning.read(body)
    return tuning.tune(chosen, configured(chosen), asked, wanted)


def _from_server(admin: Admin, body: dict[str, Any]) -> dict[str, Any]:
    try:
        found = admin.post("/v1/kronk/autotune", body, timeout=ASK_SECONDS)
    except NoServer as error:
        raise ServerError(f"{error.message}, or add --local to look at the files") from error
    if not isinstance(found, dict) or not {"model", "choices", "estimate"} <= found.keys():
        raise Internal(f"{admin.url} answered autotune in a form this version cannot read")
    return found
