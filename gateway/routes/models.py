"""GET /v1/models and GET /v1/models/{id}: the models that requests may name."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kronk.gateway.access.discretion import discreet
from kronk.gateway.access.router import Router
from kronk.gateway.access.rules import DISCOVERY
from kronk.gateway.dialects.anthropic import models as anthropic
from kronk.gateway.dialects.schemas import MODEL, MODELS, TEXT, Schema
from kronk.gateway.record import admission_of, identity_of
from kronk.gateway.services import Services, services_of
from kronk.shared.errors import NotFound
from kronk.shared.models import index
from kronk.shared.models.headers import headers_of
from kronk.shared.models.listing import listing
from kronk.shared.models.sweep import sweep_of

from .documents import answer_documents

router = Router()

_VERSION: Schema = {
    "name": anthropic.VERSION_HEADER,
    "in": "header",
    "required": False,
    "schema": TEXT,
    "description": "Sent by Anthropic's clients, which get their own form of the answer.",
}
_PAGE: list[Schema] = [
    {
        "name": name,
        "in": "query",
        "required": False,
        "schema": schema,
        "description": f"{meaning}; in Anthropic's form only.",
    }
    for name, schema, meaning in (
        ("limit", {"type": "integer", "minimum": 1, "maximum": anthropic.MOST_LIMIT}, "Models"),
        ("after_id", TEXT, "Those after the model of this id"),
        ("before_id", TEXT, "Those before the model of this id"),
    )
]


async def scan(services: Services) -> list[index.ModelEntry]:
    """All models on disk, read in a thread. Files that nobody has looked at yet are looked at
    afterwards, without anybody waiting."""
    base, headers = services.base, headers_of(services.base)

    def judged() -> list[index.ModelEntry]:
        found = listing(base, services.configs)
        good = (entry for entry in found if entry.validated)
        if not all(headers.is_known(file.path) for entry in good for file in entry.files):
            sweep_of(base).wake()
        return found

    return await asyncio.to_thread(judged)


def granted(request: Request, known: Iterable[index.ModelEntry]) -> list[index.ModelEntry]:
    """An entry for each name of a model that who asks may use."""
    admission, configs = admission_of(request), services_of(request).configs
    return [entry for entry in index.listed(known) if admission.allows_model(entry.id, configs)]


@router.get(
    "/v1/models",
    access=DISCOVERY,
    responses=answer_documents({"anyOf": [MODELS, anthropic.MODELS]}),
    openapi_extra={"parameters": [_VERSION, *_PAGE]},
    summary="List models",
)
async def models(request: Request) -> Response:
    """The models that can be loaded, an entry for each alias too: there are clients that look for
    the name they were given."""
    scanned = await scan(services_of(request))
    entries = granted(request, (entry for entry in scanned if entry.validated))
    if anthropic.VERSION_HEADER in request.headers:
        return JSONResponse(anthropic.models(entries, request.query_params))
    return JSONResponse({"object": "list", "data": [_model(entry) for entry in entries]})


@router.get(
    "/v1/models/{model:path}",
    access=DISCOVERY,
    responses=answer_documents({"anyOf": [MODEL, anthropic.MODEL]}),
    openapi_extra={"parameters": [_VERSION]},
    summary="One model",
)
async def model(request: Request, model: str) -> Response:
    """One model by its id or alias; both may have slashes."""
    services = services_of(request)
    # Whether there is such a model is not told to who may not use it.
    admission_of(request).check_model(model, services.configs)
    entries = [entry for entry in await scan(services) if entry.validated]
    try:
        resolved = index.pick(entries, model, services.configs)
    except NotFound as error:
        raise discreet(error, identity_of(request), model) from error
    listed = {entry.id: entry for entry in index.listed(entries)}
    entry = listed.get(model, listed[resolved.id])
    is_anthropic = anthropic.VERSION_HEADER in request.headers
    return JSONResponse(anthropic.model(entry) if is_anthropic else _model(entry))


def _model(entry: index.ModelEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "object": "model",
        "created": int(entry.modified),
        "owned_by": "kronk",
    }
