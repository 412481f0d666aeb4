"""GET /v1/kronk/config, /v1/kronk/config/schema and /v1/kronk/presets."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kronk.gateway.access.router import Router
from kronk.gateway.access.rules import READING
from kronk.gateway.dialects.paging import parameter
from kronk.gateway.dialects.schemas import TEXT, TRUTH, array, closed, listed, nullable
from kronk.gateway.services import services_of
from kronk.shared import sampling_presets
from kronk.shared.config import schema
from kronk.shared.models.config_shown import shown

from .documents import answer_documents

router = Router()

_VALUES = {"type": "object"}
_ROW = closed({"id": TEXT, "on_disk": TRUTH, "configuration": _VALUES, "origins": _VALUES})
CONFIG = closed(
    {"object": {"const": "configuration"}, "file": nullable(TEXT), "models": array(_ROW)}
)
PRESETS = listed(
    closed({"id": TEXT, "object": {"const": "preset"}, "meaning": TEXT, "parameters": _VALUES})
)
_QUERY = {"parameters": [parameter("model", TEXT, "Only this one, by any of its names.")]}


@router.get(
    "/v1/kronk/config",
    access=READING,
    responses=answer_documents(CONFIG, errors=(404,)),
    openapi_extra=_QUERY,
    summary="Settings of models",
)
async def config(request: Request) -> Response:
    """What is in force for each model, key by key, and where each value comes from: `default`,
    `catalog`, `preset coding`, `file models.yaml:12`."""
    services = services_of(request)
    model = request.query_params.get("model") or None
    rows = await asyncio.to_thread(shown, services.base, services.configs, model)
    file = services.settings.config_file
    return JSONResponse(
        {"object": "configuration", "file": str(file) if file is not None else None, "models": rows}
    )


@router.get(
    "/v1/kronk/config/schema",
    access=READING,
    responses=answer_documents({"type": "object"}),
    summary="JSON Schema of the model-config file",
)
async def config_schema(request: Request) -> Response:
    """For editors: what keys there are, what each means and takes."""
    return JSONResponse(schema.document())


@router.get(
    "/v1/kronk/presets",
    access=READING,
    responses=answer_documents(PRESETS),
    summary="Sampling presets",
)
async def presets(request: Request) -> Response:
    """Names for `sampling_preset`, and the sampling parameters that each stands for."""
    return JSONResponse(
        {
            "object": "list",
            "data": [
                {
                    "id": name,
                    "object": "preset",
                    "meaning": sampling_presets.meaning(name),
                    "parameters": sampling_presets.values(name),
                }
                for name in sampling_presets.NAMES
            ],
        }
    )
