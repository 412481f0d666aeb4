"""/api/v1/conversations: what people keep of their chats."""

from __future__ import annotations

import asyncio

import pydantic_core
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kronk.gateway.access.router import Router
from kronk.gateway.access.rules import inference
from kronk.gateway.body import parse_body, while_connected
from kronk.gateway.dialects.schemas import COUNT, TEXT, TRUTH, array, closed, listed
from kronk.gateway.library import exporting, importing, requests
from kronk.gateway.library.bodies import REFUSED, refused
from kronk.gateway.library.conversation_store import Found, OwnConversations
from kronk.gateway.library.conversations import FOUND, OBJECT, SUMMARY, summary
from kronk.gateway.library.titles import title_of
from kronk.gateway.record import identity_of
from kronk.gateway.services import services_of

from .documents import JSON, answer_documents, request_document

router = Router()

PATH = "/api/v1/conversations"
ONE = PATH + "/{conversation_id}"
MARKDOWN = "text/markdown; charset=utf-8"
# As what models do for people, but nothing of it is charged: no model writes anything.
ACCESS = inference("chat-completions", charged=False)
_DELETED = closed({"id": TEXT, "object": {"const": OBJECT}, "deleted": {"const": True}})
_STATS = closed(
    {
        "object": {"const": "kronk.conversation.stats"},
        **dict.fromkeys(
            ("conversations", "archived", "messages", "bytes", "most_conversations", "most_bytes"),
            COUNT,
        ),
        "models": {"type": "object", "additionalProperties": COUNT},
    }
)
_IMPORTED = closed(
    {"object": {"const": "kronk.import"}, "imported": array(SUMMARY), "refused": REFUSED}
)
_CREATED = {201: answer_documents(SUMMARY, "What is kept now.", errors=(413,))[200]}


@router.get(
    PATH,
    access=ACCESS,
    openapi_extra={"parameters": requests.LIST_QUERY},
    responses=answer_documents(listed(FOUND, has_more=TRUTH)),
    summary="List conversations",
)
async def conversations(request: Request) -> Response:
    """One's own conversations without their messages, the last one changed first. With `query` each
    has what stands around the words that were looked for."""
    wanted = requests.parse_list(request.query_params)
    found, has_more = await asyncio.to_thread(_own(request).page, wanted)
    data = [_found(one, is_searched=bool(wanted.query)) for one in found]
    return JSONResponse({"object": "list", "data": data, "has_more": has_more})


@router.post(
    PATH,
    access=ACCESS,
    openapi_extra=request_document(requests.CREATE_BODY),
    responses=_CREATED,
    status_code=201,
    summary="Keep a conversation",
)
async def create(request: Request) -> Response:
    """Keep a new conversation. Without a title its first message is the title, for as long as
    nobody gives it another."""
    new = await parse_body(request, requests.parse_new)
    row = await asyncio.to_thread(_own(request).create, new)
    return JSONResponse(summary(row), 201)


@router.post(
    PATH + "/import",
    access=ACCESS,
    openapi_extra=request_document(importing.IMPORT_BODY),
    responses=answer_documents(_IMPORTED),
    summary="Import conversations",
)
async def import_(request: Request) -> Response:
    """Keep the conversations of an export, or a single one, as new ones: what is there stays as it
    is. Those that cannot be kept are told with the reason."""
    good, bad = await parse_body(request, importing.parse_import)
    kept, full = await asyncio.to_thread(_own(request).import_all, good)
    told = {"imported": [summary(row) for row in kept], "refused": refused(bad + full)}
    return JSONResponse({"object": "kronk.import", **told})


@router.get(
    PATH + "/stats",
    access=ACCESS,
    responses=answer_documents(_STATS),
    summary="Figures of conversations",
)
async def stats(request: Request) -> Response:
    """How many conversations there are, how much they take, and how much they may."""
    return JSONResponse(await asyncio.to_thread(_own(request).stats))


@router.get(
    ONE,
    access=ACCESS,
    responses=answer_documents(exporting.WHOLE),
    summary="One conversation",
)
async def conversation(request: Request, conversation_id: str) -> Response:
    """A conversation with its messages."""
    own = _own(request)

    def read() -> bytes:
        row, document = own.get(conversation_id)
        return pydantic_core.to_json(summary(row) | {"document": document})

    return Response(await asyncio.to_thread(read), media_type=JSON)


@router.put(
    ONE,
    access=ACCESS,
    openapi_extra=request_document(requests.CHANGE_BODY),
    responses=answer_documents(SUMMARY, errors=(409, 413)),
    summary="Change a conversation",
)
async def change(request: Request, conversation_id: str) -> Response:
    """Change what is given: title (null is the first message again), archive, model, messages. With
    `revision`, only if nobody has changed it since; else it is a 409."""
    own = _own(request)
    await asyncio.to_thread(own.row, conversation_id)
    asked = await parse_body(request, requests.parse_change)
    return JSONResponse(summary(await asyncio.to_thread(own.change, conversation_id, asked)))


@router.delete(
    ONE, access=ACCESS, responses=answer_documents(_DELETED), summary="Delete a conversation"
)
async def delete(request: Request, conversation_id: str) -> Response:
    """Forget a conversation, for good."""
    await asyncio.to_thread(_own(request).delete, conversation_id)
    return JSONResponse({"id": conversation_id, "object": OBJECT, "deleted": True})


@router.post(
    ONE + "/title",
    access=ACCESS,
    openapi_extra={"requestBody": {"required": False, "content": {JSON: {"schema": {}}}}},
    responses=answer_documents(SUMMARY),
    summary="Have the model make a title",
)
async def title(request: Request, conversation_id: str) -> Response:
    """Have the conversation's model read its first exchange and write a title, as a chat with a
    few tokens that counts as one. That is done only while the model is loaded and has nothing else
    to do; otherwise, and where somebody has given a title, all stays as it is: `titled_by` says
    whose title it is."""
    services, own, identity = services_of(request), _own(request), identity_of(request)
    row, document = await asyncio.to_thread(own.get, conversation_id)
    if row.titled_by != "user":
        asking = title_of(services, row, document, identity)
        made = await while_connected(request.receive, asking)
        if made is not None:
            row = await asyncio.to_thread(own.note_title, row.id, made, "model", row.revision)
    return JSONResponse(summary(row))


@router.get(
    ONE + "/export",
    access=ACCESS,
    openapi_extra={"parameters": [requests.FORMAT_QUERY]},
    responses=answer_documents(exporting.EXPORT, also={"text/markdown": TEXT}),
    summary="Export a conversation",
)
async def export(request: Request, conversation_id: str) -> Response:
    """The conversation as a file: JSON with everything, which can be imported, or Markdown of the
    branch that is looked at."""
    own, wanted = _own(request), requests.parse_format(request.query_params)

    def read() -> tuple[bytes, str]:
        row, document = own.get(conversation_id)
        if wanted == "markdown":
            name = exporting.file_name(row, "md")
            return exporting.to_markdown(row, document).encode(), name
        return pydantic_core.to_json(exporting.to_json([(row, document)])), exporting.file_name(
            row, "json"
        )

    body, name = await asyncio.to_thread(read)
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(body, media_type=MARKDOWN if wanted == "markdown" else JSON, headers=headers)


def _own(request: Request) -> OwnConversations:
    """The conversations of who asks: those of others are not there."""
    return services_of(request).library.conversations.of(identity_of(request))


def _found(one: Found, *, is_searched: bool) -> dict[str, object]:
    return summary(one.row) | ({"snippet": one.snippet} if is_searched else {})
