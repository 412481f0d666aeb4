"""/v1/kronk/blobs: files of models, for other Kronks to fetch and to upload."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kronk.gateway.access.router import Router
from kronk.gateway.access.rules import ADMINISTRATION
from kronk.gateway.blobs import blob_response, open_blob, parse_upload, receive
from kronk.gateway.dialects.schemas import COUNT, TEXT, TRUTH, Schema, array, closed, nullable
from kronk.gateway.services import services_of
from kronk.shared.moving import receiving
from kronk.shared.moving.files import Bundle, bundle, digested
from kronk.shared.moving.receiving import Upload

from .documents import answer_documents, request_document

router = Router()

# One model after the other is read: two would only be slower.
_READING = asyncio.Lock()

FILES = closed(
    {
        "object": {"const": "model.files"},
        "model": TEXT,
        "size_bytes": COUNT,
        "files": array(
            closed(
                {
                    "path": TEXT,
                    "role": {"enum": ["model", "shard", "projector", "draft"]},
                    "size_bytes": COUNT,
                    "sha256": nullable(TEXT),
                }
            )
        ),
    }
)
UPLOAD = closed(
    {
        "object": {"const": "blob.upload"},
        "path": TEXT,
        "sha256": TEXT,
        "size_bytes": COUNT,
        "offset": COUNT,
        "complete": TRUTH,
    }
)


def _query(name: str, schema: Schema, description: str, *, required: bool = False) -> Schema:
    return {
        "name": name,
        "in": "query",
        "required": required,
        "schema": schema,
        "description": description,
    }


_DIGEST: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_WHOLE = [
    _query("sha256", _DIGEST, "Of the whole file.", required=True),
    _query("size", {"type": "integer", "minimum": 24}, "Bytes of the whole file.", required=True),
]
_RANGE: Schema = {
    "name": "Content-Range",
    "in": "header",
    "required": False,
    "schema": TEXT,
    "description": "Which bytes the body has; all of them where it is not sent.",
}


@router.get(
    "/v1/kronk/models/{model:path}/files",
    access=ADMINISTRATION,
    responses=answer_documents(FILES),
    openapi_extra={
        "parameters": [
            _query("digests", {"enum": ["true", "false"]}, "Read files whose digest nobody knows.")
        ]
    },
    summary="Files of a model",
)
async def files(request: Request, model: str) -> Response:
    """The model's file with its shards and its projector, by their names below the models folder.
    A digest is null while nobody has verified the file, unless `digests` asks to read it."""
    services = services_of(request)
    base = services.base
    found = await asyncio.to_thread(bundle, base, services.configs, model)
    if request.query_params.get("digests") == "true":
        async with _READING:
            found = await asyncio.to_thread(digested, base, found, lambda phase, done, total: None)
    return JSONResponse(_files(found))


def _files(found: Bundle) -> dict[str, Any]:
    return {
        "object": "model.files",
        "model": found.id,
        "size_bytes": found.size_bytes,
        "files": [
            {
                "path": file.relative,
                "role": file.role,
                "size_bytes": file.size_bytes,
                "sha256": file.sha256,
            }
            for file in found.files
        ],
    }


@router.get(
    "/v1/kronk/blobs/{path:path}",
    access=ADMINISTRATION,
    responses={
        200: {"description": "Its bytes.", "content": {"application/octet-stream": {"schema": {}}}},
        206: {"description": "The bytes of `Range`."},
        416: {"description": "The file has no such bytes."},
    },
    summary="A model's file",
)
async def blob(request: Request, path: str) -> Response:
    """The bytes of a file below the models folder, or the span that `Range` asks for. `ETag` is the
    file's SHA-256 where that is known."""
    file, version = await asyncio.to_thread(open_blob, services_of(request).base, path)
    return blob_response(file, version, request.headers)


@router.get(
    "/v1/kronk/uploads/{path:path}",
    access=ADMINISTRATION,
    responses=answer_documents(UPLOAD, errors=(409, 507)),
    openapi_extra={"parameters": _WHOLE},
    summary="Where an upload stands",
)
async def standing(request: Request, path: str) -> Response:
    """How many bytes of a file have been uploaded. 409 where another file has the name, or somebody
    is writing it; 507 where the disk has no room for the rest."""
    upload, base = parse_upload(path, request.query_params), services_of(request).base
    found = await asyncio.to_thread(receiving.standing, base, upload)
    return _upload(upload, found.offset, complete=found.complete)


@router.put(
    "/v1/kronk/blobs/{path:path}",
    access=ADMINISTRATION,
    responses=answer_documents(UPLOAD, errors=(409, 507)),
    openapi_extra=request_document(
        {"type": "string", "format": "binary"},
        media_type="application/octet-stream",
        parameters=[*_WHOLE, _RANGE],
    ),
    summary="Upload a model's file",
)
async def put(request: Request, path: str) -> Response:
    """Add bytes to a file, in order. With its last byte it is verified and gets its name; until
    then nobody sees it, and a later request goes on where this one ends."""
    upload, base = parse_upload(path, request.query_params), services_of(request).base
    offset, complete = await receive(request, base, upload)
    return _upload(upload, offset, complete=complete)


def _upload(upload: Upload, offset: int, *, complete: bool) -> Response:
    return JSONResponse(
        {
            "object": "blob.upload",
            "path": upload.relative,
            "sha256": upload.sha256,
            "size_bytes": upload.size_bytes,
            "offset": offset,
            "complete": complete,
        }
    )
