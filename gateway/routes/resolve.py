"""GET /v1/kronk/resolve: what a word would fetch."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kronk.gateway.access.router import Router
from kronk.gateway.access.rules import ADMINISTRATION
from kronk.gateway.dialects.schemas import COUNT, TEXT, TRUTH, array, closed, nullable
from kronk.gateway.services import services_of
from kronk.shared.errors import InvalidArgument
from kronk.shared.models.preview import preview

from .documents import answer_documents

router = Router()

PLAN = closed(
    {
        "object": {"const": "model.plan"},
        "wanted": TEXT,
        "model": TEXT,
        "folder": TEXT,
        "licence": nullable(TEXT),
        "revision": nullable(TEXT),
        "gated": nullable(TEXT),
        "size_bytes": nullable(COUNT),
        "files": array(
            closed(
                {
                    "name": TEXT,
                    "path": TEXT,
                    "role": {"enum": ["model", "shard", "projector", "draft"]},
                    "size_bytes": nullable(COUNT),
                    "sha256": nullable(TEXT),
                    "source": TEXT,
                    "here": {"enum": ["same", "unverified", "different", "absent"]},
                }
            )
        ),
        # What else its repository has.
        "choices": array(
            closed(
                {
                    "quant": TEXT,
                    "source": TEXT,
                    "size_bytes": nullable(COUNT),
                    "projector": TRUTH,
                    "chosen": TRUTH,
                }
            )
        ),
    }
)
_QUERY = [
    {
        "name": "source",
        "in": "query",
        "required": True,
        "schema": TEXT,
        "description": "An id of the catalog, or a source as `kronk model pull` takes it.",
    }
]


@router.get(
    "/v1/kronk/resolve",
    access=ADMINISTRATION,
    responses=answer_documents(PLAN, errors=(404, 502)),
    openapi_extra={"parameters": _QUERY},
    summary="What a source would fetch",
)
async def resolve(request: Request) -> Response:
    """The files that `source` means, with sizes and digests, and whether they are here. The hub is
    asked where it is a repository of the hub; nothing is fetched."""
    wanted = request.query_params.get("source", "").strip()
    if not wanted:
        raise InvalidArgument("'source' is missing: what should be resolved?", param="source")
    settings = services_of(request).settings
    return JSONResponse(await asyncio.to_thread(preview, settings, wanted))
