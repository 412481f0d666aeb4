"""`kronk model vram`: how much memory a model takes, and what would fit."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from kronk.shared import exits
from kronk.shared.errors import Internal, NotFound, ServerError
from kronk.shared.model_config import is_path
from kronk.shared.models import spelling
from kronk.shared.models.configured import configured
from kronk.shared.sizing import ask, question
from kronk.shared.sizing.question import Question

from . import vram_page
from .client import Admin, NoServer, find_server
from .local import AsJson, Local, local_settings
from .options import ApiHost, BasePathOption

_PANEL = "Settings to try instead of the model's own"
_MACHINE = "Another machine"
# Reading a header that is far away takes its time.
ASK_SECONDS = 120.0


def _try(metavar: str, help: str) -> Any:
    return typer.Option(metavar=metavar, help=help, show_default=False, rich_help_panel=_PANEL)


Window = Annotated[int | None, _try("TOKENS", "Tokens of one request.")]
Slots = Annotated[int | None, _try("N", "Requests at the same time (n_seq_max).")]
CacheK = Annotated[str | None, _try("TYPE", "What keys are stored as, such as q8_0.")]
CacheV = Annotated[str | None, _try("TYPE", "What values are stored as.")]
Layers = Annotated[str | None, _try("N|all|none", "Layers on the GPU.")]
ExpertLayers = Annotated[int | None, _try("N", "Layers whose experts stay in main memory.")]
Rows = Annotated[int | None, _try("N", "Tokens computed at a time.")]
Flash = Annotated[str | None, _try("enabled|disabled", "Fused attention.")]
Projector = Annotated[str | None, _try("PATH|none", "The file for images and audio.")]
Gpus = Annotated[
    list[str] | None,
    typer.Option(
        "--gpu",
        metavar="SIZE",
        help="A GPU with so much memory, such as 24GiB; may be repeated, or be none.",
        rich_help_panel=_MACHINE,
    ),
]
Memory = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="So much main memory, such as 32GiB.",
        show_default=False,
        rich_help_panel=_MACHINE,
    ),
]


def vram(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL|SOURCE",
            help="A model's id, a file, an id of the catalog, or a source (see `pull`), of which"
            " only the header is fetched.",
        ),
    ],
    context_window: Window = None,
    slots: Slots = None,
    cache_type_k: CacheK = None,
    cache_type_v: CacheV = None,
    n_gpu_layers: Layers = None,
    n_cpu_moe: ExpertLayers = None,
    n_ubatch: Rows = None,
    flash_attention: Flash = None,
    projector: Projector = None,
    gpu: Gpus = None,
    memory: Memory = None,
    local: Local = False,
    as_json: AsJson = False,
    api_host: ApiHost = None,
    base_path: BasePathOption = None,
) -> None:
    """Show how much memory a model takes, part by part, and what would fit.

    Ends with code 4 where it does not fit."""
    config = {
        "context_window": context_window,
        "n_seq_max": slots,
        "cache_type_k": cache_type_k,
        "cache_type_v": cache_type_v,
        "n_gpu_layers": _number(n_gpu_layers),
        "n_cpu_moe": n_cpu_moe,
        "n_ubatch": n_ubatch,
        "flash_attention": flash_attention,
        "projector": projector,
    }
    body = body_of(model, config, gpu, memory)
    found = answer(body, local=local, api_host=api_host, base_path=base_path)
    print(json.dumps(found) if as_json else vram_page.page(found))
    if found["verdict"] == "does_not_fit":
        raise typer.Exit(exits.NO_MEMORY)


def body_of(
    model: str, config: Mapping[str, Any], gpus: list[str] | None, memory: str | None
) -> dict[str, Any]:
    """The question as the API takes it."""
    said = {key: value for key, value in config.items() if value is not None}
    return {"model": model, "config": said, "machine": machine_of(gpus, memory)}


def machine_of(gpus: list[str] | None, memory: str | None) -> dict[str, Any]:
    """The machine that the flags describe; empty for the one there is."""
    machine: dict[str, Any] = {"memory": memory} if memory is not None else {}
    if gpus:
        machine["gpus"] = [] if gpus == ["none"] else gpus
    return machine


def answer(
    body: dict[str, Any], *, local: bool, api_host: str | None, base_path: str | None
) -> dict[str, Any]:
    """The estimate; files of this machine are looked at here, whoever is asked for the rest."""
    asked = question.read(body)
    path = _file(asked.wanted)
    if path is not None:
        return here(replace(asked, path=path), base_path)
    if local:
        return as_source(lambda body: here(question.read(body), base_path), body)
    admin = find_server(api_host, base_path)
    return as_source(lambda body: from_server(admin, body), body)


def as_source(
    ask: Callable[[dict[str, Any]], dict[str, Any]], body: dict[str, Any]
) -> dict[str, Any]:
    """What is asked of a word that may be a model's id, or a source."""
    try:
        return ask(body)
    except NotFound:
        word = body["model"]
        if not spelling.looks_like_source(word) or spelling.is_explicit(word):
            raise
        return ask({"source": word} | {key: body[key] for key in body if key != "model"})


def _file(wanted: str) -> Path | None:
    """The file that is meant, where no id and no source is."""
    path = Path(wanted).expanduser()
    is_meant = is_path(wanted) or (path.suffix.lower() == ".gguf" and path.is_file())
    return path if is_meant else None


def here(asked: Question, base_path: str | None) -> dict[str, Any]:
    """What the server would answer, were it idle."""
    chosen = local_settings(base_path)
    return ask.ask(chosen, configured(chosen), asked)


def from_server(admin: Admin, body: dict[str, Any]) -> dict[str, Any]:
    """What the running server says; without one the error names `--local`."""
    try:
        found = admin.post("/v1/kronk/vram", body, timeout=ASK_SECONDS)
    except NoServer as error:
        raise ServerError(f"{error.message}, or add --local to look at the files") from error
    if not isinstance(found, dict) or not {"model", "parts", "verdict"} <= found.keys():
        raise Internal(f"{admin.url} answered /v1/kronk/vram in a form this version cannot read")
    return found


def _number(layers: str | None) -> int | str | None:
    """As the configuration has it: a number, `all` or `none`."""
    if layers is None:
        return None
    try:
        return int(layers)
    except ValueError:
        return layers
