"""/api/v1/notes: what people think of models."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kronk.gateway.access.router import Router
from kronk.gateway.access.rules import DISCOVERY
from kronk.gateway.body import parse_body
from kronk.gateway.dialects.schemas import listed
from kronk.gateway.library.notes import CHANGE_BODY, NOTE, Note, note_object, parse_note
from kronk.gateway.record import identity_of
from kronk.gateway.services import Services, services_of
from kronk.shared.models import index
from kronk.shared.models.listing import listing
from kronk.shared.security.identity import Identity

from .documents import answer_documents, request_document

router = Router()

PATH = "/api/v1/notes"


@router.get(
    PATH, access=DISCOVERY, responses=answer_documents(listed(NOTE)), summary="List one's notes"
)
async def notes(request: Request) -> Response:
    """One's own ratings of models and notes on them, by model."""
    own, identity = services_of(request).library.notes, identity_of(request)
    found = await asyncio.to_thread(own.all, identity)
    return JSONResponse({"object": "list", "data": [note_object(one) for one in found]})


@router.get(
    PATH + "/{model:path}",
    access=DISCOVERY,
    responses=answer_documents(NOTE),
    summary="One's note on a model",
)
async def note(request: Request, model: str) -> Response:
    """One's own rating of a model and note on it; null and "" where one has said nothing."""
    services, identity = services_of(request), identity_of(request)
    return JSONResponse(note_object(await asyncio.to_thread(_known, services, identity, model)))


@router.put(
    PATH + "/{model:path}",
    access=DISCOVERY,
    openapi_extra=request_document(CHANGE_BODY),
    responses=answer_documents(NOTE, errors=(413,)),
    summary="Rate a model",
)
async def change(request: Request, model: str) -> Response:
    """Say what one thinks of a model: what is left out stays as it was. Nobody else sees it."""
    services, identity = services_of(request), identity_of(request)
    fields = await parse_body(request, parse_note)
    known = await asyncio.to_thread(_known, services, identity, model)
    own = services.library.notes
    done = await asyncio.to_thread(own.change, identity, known.model, fields)
    return JSONResponse(note_object(done))


def _known(services: Services, identity: Identity, name: str) -> Note:
    """What was said of the model of that name. Of one that was removed, what was said by its id."""
    own = services.library.notes
    said = own.get(identity, name)
    if said.updated is not None:
        return said
    entry = index.locate(listing(services.base, services.configs), name)
    return own.get(identity, entry.id)
