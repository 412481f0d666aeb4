"""POST, GET and DELETE /v1/files: what was uploaded, and what batches made."""

from __future__ import annotations

import asyncio
import os
import time
from typing import BinaryIO

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from kronk.gateway.access.router import Router
from kronk.gateway.access.rules import inference
from kronk.gateway.batches.files import Files, StoredFile
from kronk.gateway.batches.names import FILE as FILE_PREFIX
from kronk.gateway.batches.objects import deleted_object, file_object, list_object
from kronk.gateway.batches.requests import MOST_FILES_LISTED, list_query, page_of
from kronk.gateway.batches.schemas import (
    DELETED,
    FILE,
    UPLOAD,
    listed,
    purpose_parameter,
)
from kronk.gateway.batches.upload import receive as receive_upload
from kronk.gateway.body import disconnect_watch
from kronk.gateway.dialects.paging import Paging, parameters
from kronk.gateway.record import identity_of
from kronk.gateway.services import services_of
from kronk.shared.errors import Conflict
from kronk.shared.security.identity import Identity

from .documents import answer_documents, request_document

router = Router()

_SENT_AT_ONCE = 256 * 1024


@router.post(
    "/v1/files",
    access=inference("batches", charged=False),
    openapi_extra=request_document(UPLOAD, media_type="multipart/form-data"),
    responses=answer_documents(FILE) | {507: {"description": "The disk has no room for it."}},
    summary="Upload a file",
)
async def upload(request: Request) -> Response:
    """Store the form's `file`, 512 MiB at most."""
    files = services_of(request).files
    return JSONResponse(file_object(await receive_upload(request, files, identity_of(request))))


@router.get(
    "/v1/files",
    access=inference("batches", charged=False),
    openapi_extra={
        "parameters": [
            *parameters(MOST_FILES_LISTED, MOST_FILES_LISTED),
            purpose_parameter(),
        ]
    },
    responses=answer_documents(listed(FILE)),
    summary="List files",
)
async def files(request: Request) -> Response:
    """Files, the newest first, of one `purpose` if one is given."""
    query = request.query_params
    asked = list_query(query, FILE_PREFIX, MOST_FILES_LISTED, MOST_FILES_LISTED)
    found, has_more = await asyncio.to_thread(
        _listed, services_of(request).files, asked, query.get("purpose"), identity_of(request)
    )
    return JSONResponse(list_object([file_object(file) for file in found], has_more))


def _listed(
    files: Files, asked: Paging, purpose: str | None, identity: Identity
) -> tuple[list[StoredFile], bool]:
    found = files.all(time.time(), identity)
    known = {file.id: file for file in found if purpose in (None, file.purpose)}
    names, has_more = page_of(list(known), asked)
    return [known[name] for name in names], has_more


@router.get(
    "/v1/files/{file_id}",
    access=inference("batches", charged=False),
    responses=answer_documents(FILE),
    summary="One file",
)
async def file(request: Request, file_id: str) -> Response:
    """What is known of a file."""
    return JSONResponse(file_object(await _found(request, file_id)))


@router.delete(
    "/v1/files/{file_id}",
    access=inference("batches", charged=False),
    responses=answer_documents(DELETED, errors=(409,)),
    summary="Delete a file",
)
async def delete(request: Request, file_id: str) -> Response:
    """Delete a file that no running batch needs."""
    services = services_of(request)
    await _found(request, file_id)
    users = await asyncio.to_thread(services.batches.users_of_files)
    if file_id in users:
        user = users[file_id]
        # Administrators make batches of the files of others.
        name = user.id if identity_of(request).sees(user.owner) else "a batch"
        raise Conflict(
            f"The file {file_id} is in use by {name}, which has not ended", param="file_id"
        )
    await asyncio.to_thread(services.files.delete, file_id)
    return JSONResponse(deleted_object(file_id))


@router.get(
    "/v1/files/{file_id}/content",
    access=inference("batches", charged=False),
    responses={
        200: {"description": "Its bytes.", "content": {"application/octet-stream": {"schema": {}}}}
    },
    summary="A file's content",
)
async def content(request: Request, file_id: str) -> Response:
    """The bytes of a file."""
    await _found(request, file_id)
    return _Content(await asyncio.to_thread(services_of(request).files.open, file_id))


async def _found(request: Request, name: str) -> StoredFile:
    files = services_of(request).files
    return await asyncio.to_thread(files.get, name, time.time(), identity_of(request))


class _Content(Response):
    """Sends a file as it is read; it may be deleted meanwhile."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(media_type="application/octet-stream")
        self._file = file
        self._size = os.fstat(file.fileno()).st_size
        self.headers["content-length"] = str(self._size)
        # Whatever a file says it is, no browser shall run it as a page of this host.
        self.headers["content-disposition"] = "attachment"
        self.headers["x-content-type-options"] = "nosniff"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.Event()
        with self._file:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            async with disconnect_watch(receive, gone.set):
                left = self._size
                while left and not gone.is_set():
                    part = await asyncio.to_thread(self._file.read, min(left, _SENT_AT_ONCE))
                    if not part:
                        # Cut by somebody; the missing bytes show the client that it is not whole.
                        return
                    left -= len(part)
                    await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
