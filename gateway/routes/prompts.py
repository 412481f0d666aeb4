"""/api/v1/prompts: what people ask again and again."""

from __future__ import annotations

import asyncio

import pydantic_core
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kronk.gateway.access.router import Router
from kronk.gateway.access.rules import inference
from kronk.gateway.body import parse_body
from kronk.gateway.dialects.schemas import COUNT, TEXT, TRUTH, array, closed, listed
from kronk.gateway.library import prompt_requests as requests
from kronk.gateway.library.bodies import REFUSED, refused
from kronk.gateway.library.prompt_store import OwnPrompts
from kronk.gateway.library.prompts import (
    OBJECT,
    PROMPT,
    VERSION,
    Category,
    category_object,
    prompt_object,
)
from kronk.gateway.record import identity_of
from kronk.gateway.services import services_of

from .documents import JSON, answer_documents, optional_document, request_document

router = Router()

PATH = "/api/v1/prompts"
ONE = PATH + "/{prompt_id}"
# As what models do for people, but nothing of it is charged: no model writes anything.
ACCESS = inference("chat-completions", charged=False)
_DELETED = closed({"id": TEXT, "object": {"const": OBJECT}, "deleted": {"const": True}})
_USED = closed({"id": TEXT, "object": {"const": "kronk.prompt.use"}, "text": TEXT, "uses": COUNT})
_IMPORTED = closed(
    {"object": {"const": "kronk.import"}, "imported": array(PROMPT), "refused": REFUSED}
)
_CREATED = {201: answer_documents(PROMPT, "What is kept now.", errors=(413,))[200]}
_CATEGORIES = listed(requests.CATEGORY)


@router.get(
    PATH,
    access=ACCESS,
    openapi_extra={"parameters": requests.LIST_QUERY},
    responses=answer_documents(listed(PROMPT, has_more=TRUTH)),
    summary="List prompts",
)
async def prompts(request: Request) -> Response:
    """One's own prompts, by their names."""
    wanted, own = requests.parse_list(request.query_params), _own(request)

    def read() -> bytes:
        found, has_more = own.page(wanted)
        data = [prompt_object(one) for one in found]
        return pydantic_core.to_json({"object": "list", "data": data, "has_more": has_more})

    return Response(await asyncio.to_thread(read), media_type=JSON)


@router.post(
    PATH,
    access=ACCESS,
    openapi_extra=request_document(requests.CREATE_BODY),
    responses=_CREATED,
    status_code=201,
    summary="Keep a prompt",
)
async def create(request: Request) -> Response:
    """Keep a new prompt. `{{name}}` in its text is a variable, which is given when it is used."""
    new = await parse_body(request, requests.parse_new)
    made = await asyncio.to_thread(_own(request).create, new)
    return JSONResponse(prompt_object(made), 201)


@router.get(
    PATH + "/export",
    access=ACCESS,
    responses=answer_documents(requests.EXPORT),
    summary="Export prompts",
)
async def export(request: Request) -> Response:
    """All of one's prompts with their versions, and the categories, as a file that can be
    imported."""
    own = _own(request)
    body = await asyncio.to_thread(lambda: pydantic_core.to_json(own.export()))
    headers = {"Content-Disposition": 'attachment; filename="prompts.json"'}
    return Response(body, media_type=JSON, headers=headers)


@router.post(
    PATH + "/import",
    access=ACCESS,
    openapi_extra=request_document(requests.IMPORT_BODY),
    responses=answer_documents(_IMPORTED),
    summary="Import prompts",
)
async def import_(request: Request) -> Response:
    """Keep the prompts of an export beside those that are there, and the categories that are new.
    Those that cannot be kept, or are there already, are told with the reason."""
    good, bad, categories = await parse_body(request, requests.parse_import)
    kept, others = await asyncio.to_thread(_own(request).import_all, good, categories)
    told = {"imported": [prompt_object(one) for one in kept], "refused": refused(bad + others)}
    return JSONResponse({"object": "kronk.import", **told})


@router.get(
    PATH + "/categories",
    access=ACCESS,
    responses=answer_documents(_CATEGORIES),
    summary="Categories of prompts",
)
async def categories(request: Request) -> Response:
    """One's categories with their colours; some usual ones to begin with."""
    return _categories(await asyncio.to_thread(_own(request).categories))


@router.put(
    PATH + "/categories",
    access=ACCESS,
    openapi_extra=request_document(requests.CATEGORIES_BODY),
    responses=answer_documents(_CATEGORIES, errors=(409,)),
    summary="Change the categories of prompts",
)
async def set_categories(request: Request) -> Response:
    """Have these categories. With `was`, the name until now, prompts go with theirs; those of a
    category that is gone stay as they are. With `before`, the categories that the change was made
    from, it is refused (409) when they are others by now."""
    wanted = await parse_body(request, requests.parse_categories)
    return _categories(await asyncio.to_thread(_own(request).set_categories, wanted))


@router.get(ONE, access=ACCESS, responses=answer_documents(PROMPT), summary="One prompt")
async def prompt(request: Request, prompt_id: str) -> Response:
    """A prompt with the names of its variables."""
    return JSONResponse(prompt_object(await asyncio.to_thread(_own(request).get, prompt_id)))


@router.put(
    ONE,
    access=ACCESS,
    openapi_extra=request_document(requests.CHANGE_BODY),
    responses=answer_documents(PROMPT, errors=(409, 413)),
    summary="Change a prompt",
)
async def change(request: Request, prompt_id: str) -> Response:
    """Change what is given. Another text is another version, and the one before can be restored.
    With `version`, only if the text has not been changed since; else it is a 409."""
    own = _own(request)
    await asyncio.to_thread(own.get, prompt_id)
    asked = await parse_body(request, requests.parse_change)
    return JSONResponse(prompt_object(await asyncio.to_thread(own.change, prompt_id, asked)))


@router.delete(ONE, access=ACCESS, responses=answer_documents(_DELETED), summary="Delete a prompt")
async def delete(request: Request, prompt_id: str) -> Response:
    """Forget a prompt with all its versions, for good."""
    await asyncio.to_thread(_own(request).delete, prompt_id)
    return JSONResponse({"id": prompt_id, "object": OBJECT, "deleted": True})


@router.get(
    ONE + "/versions",
    access=ACCESS,
    responses=answer_documents(listed(VERSION)),
    summary="Versions of a prompt",
)
async def versions(request: Request, prompt_id: str) -> Response:
    """The texts that the prompt has and had, the newest first."""
    own = _own(request)

    def read() -> bytes:
        return pydantic_core.to_json({"object": "list", "data": own.versions(prompt_id)})

    return Response(await asyncio.to_thread(read), media_type=JSON)


@router.post(
    ONE + "/restore",
    access=ACCESS,
    openapi_extra=request_document(requests.RESTORE_BODY),
    responses=answer_documents(PROMPT, errors=(413,)),
    summary="Restore a version of a prompt",
)
async def restore(request: Request, prompt_id: str) -> Response:
    """Have an earlier text again, as the newest version: nothing of what came after it is lost."""
    own = _own(request)
    await asyncio.to_thread(own.get, prompt_id)
    version = await parse_body(request, requests.parse_restore)
    return JSONResponse(prompt_object(await asyncio.to_thread(own.restore, prompt_id, version)))


@router.post(
    ONE + "/use",
    access=ACCESS,
    openapi_extra=optional_document(requests.USE_BODY),
    responses=answer_documents(_USED, errors=(413,)),
    summary="Use a prompt",
)
async def use(request: Request, prompt_id: str) -> Response:
    """The text with the values of its variables in it. It counts as a use."""
    own = _own(request)
    await asyncio.to_thread(own.get, prompt_id)
    values = await parse_body(request, requests.parse_use)
    text, used = await asyncio.to_thread(own.use, prompt_id, values)
    told = {"id": used.id, "object": "kronk.prompt.use", "text": text, "uses": used.uses}
    return JSONResponse(told)


def _own(request: Request) -> OwnPrompts:
    """The prompts of who asks: those of others are not there."""
    return services_of(request).library.prompts.of(identity_of(request))


def _categories(found: tuple[Category, ...]) -> Response:
    return JSONResponse({"object": "list", "data": [category_object(one) for one in found]})
