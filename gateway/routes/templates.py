"""GET /v1/kronk/models/{model}/template: the chat template that a model is served with."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kronk.gateway.access.router import Router
from kronk.gateway.access.rules import ADMINISTRATION, READING
from kronk.gateway.dialects.schemas import TEXT, TRUTH, WHOLE, Schema, array, closed, nullable
from kronk.gateway.services import services_of
from kronk.gateway.sight import check_sight
from kronk.shared.templates import chosen

from .documents import answer_documents

router = Router()

_TEMPLATE: dict[str, Schema] = {
    "model": TEXT,
    "origin": {"enum": list(chosen.WORDS)},
    "path": nullable(TEXT),
    "name": nullable(TEXT),
    "reason": nullable(TEXT),
    "text": TEXT,
}
_FAULT = closed(
    {
        "kind": {"enum": ["go", "syntax"]},
        "line": WHOLE,
        "column": nullable(WHOLE),
        "text": TEXT,
        "message": TEXT,
        "words": TEXT,
    }
)
_CASE = closed(
    {"name": TEXT, "works": TRUTH, "note": nullable(TEXT), "error": nullable(TEXT), "text": TEXT}
)
_NOTE = closed({"code": TEXT, "line": nullable(WHOLE), "message": TEXT})
SHOWN = closed({**_TEMPLATE, "fault": nullable(_FAULT)})
REPORT = closed(
    {**_TEMPLATE, "fault": nullable(_FAULT), "cases": array(_CASE), "notes": array(_NOTE)}
)


@router.get(
    "/v1/kronk/models/{model:path}/template/test",
    access=ADMINISTRATION,
    responses=answer_documents(REPORT),
    summary="Try a model's chat template",
)
async def test(request: Request, model: str) -> Response:
    """What becomes of usual conversations, without loading the model."""
    services = services_of(request)

    def report() -> dict[str, object]:
        found, said = chosen.tried(chosen.of_model(services.base, services.configs, model))
        return chosen.as_json(found) | said

    return JSONResponse(await asyncio.to_thread(report))


@router.get(
    "/v1/kronk/models/{model:path}/template",
    access=READING,
    responses=answer_documents(SHOWN),
    summary="A model's chat template",
)
async def template(request: Request, model: str) -> Response:
    """The text that a load would use, and where it comes from."""
    check_sight(request, model)
    services = services_of(request)

    def found() -> dict[str, object]:
        used, said = chosen.tried(chosen.of_model(services.base, services.configs, model))
        return chosen.as_json(used) | {"fault": said["fault"]}

    return JSONResponse(await asyncio.to_thread(found))
