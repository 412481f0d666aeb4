"""Ollama's routes about models: what there is, what is loaded, and what one of them can do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kronk import __version__
from kronk.gateway.access.discretion import discreet
from kronk.gateway.access.live import still_good
from kronk.gateway.access.router import Router
from kronk.gateway.access.rules import ADMINISTRATION, DISCOVERY, PUBLIC
from kronk.gateway.body import parse_body, while_connected
from kronk.gateway.dialects.ollama import listings, name
from kronk.gateway.dialects.ollama.answer import NDJSON
from kronk.gateway.dialects.ollama.details import Details
from kronk.gateway.dialects.ollama.pull import SUCCESS, is_source, wanted
from kronk.gateway.dialects.ollama.schemas import PULLED, RUNNING, SHOWN, TAGS, VERSION
from kronk.gateway.jobs.ollama import PullStream
from kronk.gateway.model_files import details_with
from kronk.gateway.record import admission_of, identity_of, record_of
from kronk.gateway.services import Services, services_of
from kronk.shared.errors import CallerError, InvalidArgument, ModelFailed, NotFound
from kronk.shared.jobs.kinds import kind_of
from kronk.shared.models import index, planning
from kronk.shared.models.catalog import CatalogEntry
from kronk.shared.models.chat_template import template_of
from kronk.shared.models.headers import headers_of
from kronk.shared.models.index import ModelEntry
from kronk.shared.models.resolve import resolve

from .documents import answer_documents, request_document
from .models import granted, scan
from .ollama import meant
from .removing import removed

router = Router()

STATUS_SECONDS = 2.0
# Ollama's routes that change models, and what does it here.
_REFUSED = {
    ("POST", "/api/push"): "models are not published from here",
    ("POST", "/api/create"): "a model's settings are in the model-config file",
    ("POST", "/api/copy"): "another name for a model is an alias in the model-config file",
    ("POST", "/api/blobs/{digest}"): "put the model's file into the models folder",
}


@router.get(
    "/api/version", access=PUBLIC, responses=answer_documents(VERSION), summary="Ollama's version"
)
async def version() -> Response:
    """The version of Ollama whose API this is, and Kronk's own."""
    return JSONResponse({"version": listings.VERSION, "kronk": __version__})


@router.get(
    "/api/tags",
    access=DISCOVERY,
    responses=answer_documents(TAGS),
    summary="Ollama's list of models",
)
async def tags(request: Request) -> Response:
    """The models that can be loaded, the newest first."""
    services = services_of(request)
    found = await _described(services, granted(request, await scan(services)))
    found.sort(key=lambda pair: -pair[0].modified)
    return JSONResponse({"models": [listings.tag(*pair) for pair in found]})


@router.get(
    "/api/ps",
    access=DISCOVERY,
    responses=answer_documents(RUNNING),
    summary="Ollama's running models",
)
async def running(request: Request) -> Response:
    """The models that are loaded."""
    services = services_of(request)
    status = await services.link.status(STATUS_SECONDS)
    rows = {row.model: row for row in status.models if row.state == "ready" and row.fitted}
    admission = admission_of(request)
    loaded = [
        entry
        for entry in await scan(services)
        if entry.id in rows and admission.allows_model(entry.id, services.configs)
    ]
    found = await _described(services, loaded)
    now = time.time_ns()
    models = [listings.running(entry, facts, rows[entry.id], now) for entry, facts in found]
    return JSONResponse({"models": models})


@router.post(
    "/api/show",
    access=DISCOVERY,
    openapi_extra=request_document(name.NameBody.model_json_schema),
    responses=answer_documents(SHOWN),
    summary="Ollama's description of a model",
)
async def show(request: Request) -> Response:
    """What a model's file and configuration say, and what it can be asked for."""
    services, named = services_of(request), await parse_body(request, name.parse)
    model = await meant(services, named.model)
    admission_of(request).check_model(model, services.configs)
    try:
        return JSONResponse(await asyncio.to_thread(_shown, services, model))
    except NotFound as error:
        raise discreet(error, identity_of(request), model) from error


@router.post(
    "/api/pull",
    access=ADMINISTRATION,
    openapi_extra=request_document(name.NameBody.model_json_schema),
    responses=answer_documents(PULLED, events="one such object.", media_type=NDJSON),
    summary="Ollama's pull",
)
async def pull(request: Request) -> Response:
    """Fetch a model, by a job that goes on when the client leaves; one that is here is not fetched.
    Names are ids of the catalog, sources, or `hf.co/owner/repo:quant`."""
    services, named = services_of(request), await parse_body(request, name.parse)
    record_of(request.scope).target = named.model
    if await _is_here(services, named.model):
        return JSONResponse(SUCCESS, media_type=NDJSON if named.stream else None)
    kind, params = kind_of("pull"), {"wanted": wanted(named.model)}
    await asyncio.to_thread(_check, services, named.model, params["wanted"])
    kind.validate(params)
    job, _ = await services.jobs.create(kind, params)
    check = still_good(services.access, identity_of(request))
    stream = PullStream(services.jobs, job, check)
    if named.stream:
        return stream
    await while_connected(request.receive, stream.until_done())
    return JSONResponse(SUCCESS)


async def _is_here(services: Services, model: str) -> bool:
    try:
        index.pick(await scan(services), await meant(services, model), services.configs)
    except NotFound:
        return False
    return True


def _check(services: Services, model: str, word: str) -> None:
    """What can be told without the network. What names no source is a model's name: it is an id of
    the catalog, or there is no such model."""
    meant: object = None
    try:
        meant = planning.check(services.settings, word)
    except CallerError as error:
        if is_source(model):
            raise type(error)(f"model: {error.message}", param="model") from error
    if not is_source(model) and not isinstance(meant, CatalogEntry):
        raise NotFound(
            f"model {model!r:.100} is not here and not in the catalog; one of the hub is"
            " hf.co/owner/repo:quant",
            param="model",
        )


@router.delete(
    "/api/delete",
    access=ADMINISTRATION,
    openapi_extra=request_document(name.NameBody.model_json_schema),
    responses=answer_documents(PULLED, errors=(409,)),
    summary="Ollama's removal of a model",
)
async def delete(request: Request) -> Response:
    """Delete a model's files. One that is loaded is refused: unload it first, with a `keep_alive`
    of 0."""
    services, named = services_of(request), await parse_body(request, name.parse)
    record_of(request.scope).target = named.model
    await removed(services, await meant(services, named.model), force=False)
    return JSONResponse({"status": "success"})


def _refusal(path: str, words: str) -> Callable[[], Awaitable[Response]]:
    async def refuse() -> Response:
        raise InvalidArgument(f"{path} is not supported by Kronk: {words}")

    return refuse


for (_method, _path), _words in _REFUSED.items():
    router.gated_route(_method, _path, access=ADMINISTRATION, include_in_schema=False)(
        _refusal(_path, _words)
    )


async def _described(
    services: Services, entries: Iterable[ModelEntry]
) -> list[tuple[ModelEntry, Details]]:
    """The entries that are whole, with their details; a thread waits for what reads them."""
    known = details_with(headers_of(services.base))

    def read() -> list[tuple[ModelEntry, Details]]:
        pairs = known.of(entry for entry in entries if entry.validated)
        return [(entry, facts) for entry, facts in pairs if facts is not None]

    return await asyncio.to_thread(read)


def _shown(services: Services, model: str) -> dict[str, Any]:
    entries = index.scan(services.base.models, services.configs)
    spec = resolve(services.base, services.configs, model)
    entry = index.locate(entries, spec.model)
    headers = headers_of(services.base)
    header = headers.read(entry.path)
    ((_, facts),) = details_with(headers).of([entry])
    if facts is None:
        raise ModelFailed(f"model {entry.id} cannot be loaded: a part is broken", param="model")
    template = template_of(header, spec.template)
    projector = None if spec.projector is None else headers.read(Path(spec.projector))
    return listings.shown(entry, header, facts, template, projector, spec.sampling)
