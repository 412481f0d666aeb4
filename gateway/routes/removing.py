"""DELETE /v1/kronk/models/{model}: taking a model off the disk."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kronk.gateway.access.router import Router
from kronk.gateway.access.rules import ADMINISTRATION
from kronk.gateway.dialects.paging import parameter
from kronk.gateway.dialects.schemas import COUNT, TEXT, TRUTH, array, closed
from kronk.gateway.services import Services, services_of
from kronk.shared.errors import Conflict, InvalidArgument
from kronk.shared.models import removing
from kronk.shared.models.removing import Removal

from .documents import answer_documents
from .kronk import STATUS_SECONDS

router = Router()

_REMOVED = closed(
    {
        "object": {"const": "model.removed"},
        "model": TEXT,
        "files": array(TEXT),
        "size_bytes": COUNT,
        "removed": TRUTH,
    }
)
_FLAGS = [
    parameter("force", TRUTH, "Unload it first, without waiting for its requests."),
    parameter("dry_run", TRUTH, "Only say what would be removed."),
]
# In which nothing of the model runs.
_RESTING = ("absent", "backoff", "failed")


@router.delete(
    "/v1/kronk/models/{model:path}",
    access=ADMINISTRATION,
    openapi_extra={"parameters": _FLAGS},
    responses=answer_documents(_REMOVED, errors=(409,)),
    summary="Remove a model",
)
async def remove(request: Request, model: str) -> Response:
    """Delete a model's files, and what is known of them and kept for them. One that is loaded is
    refused, or with `force` unloaded first."""
    force, dry = (_flag(request, name) for name in ("force", "dry_run"))
    services = services_of(request)
    if dry:
        removal = await _plan(services, model)
    else:
        removal = await removed(services, model, force=force)
    return JSONResponse({"object": "model.removed", **removal.to_json(), "removed": not dry})


async def removed(services: Services, model: str, *, force: bool) -> Removal:
    """Remove a model; what was removed. `Conflict` when it is loaded, unless it is forced."""
    removal = await _plan(services, model)
    status = await services.link.status(STATUS_SECONDS)
    states = {row.model: row.state for row in status.models}
    loaded = [one for one in removal.ids if states.get(one, "absent") not in _RESTING]
    if loaded and not force:
        raise Conflict(
            f"model {loaded[0]} is {states[loaded[0]]}; unload it first (`kronk model unload "
            f"{loaded[0]}`), or force it",
            param="model",
        )
    for one in loaded:
        await services.link.manage("unload", one, force=True)
    await asyncio.to_thread(removing.remove, services.base, removal)
    return removal


async def _plan(services: Services, model: str) -> Removal:
    return await asyncio.to_thread(removing.plan, services.base, services.configs, model)


def _flag(request: Request, name: str) -> bool:
    text = request.query_params.get(name, "false")
    if text not in ("true", "false"):
        raise InvalidArgument(
            f"Invalid value for '{name}': expected true or false, got {text[:40]!r}", param=name
        )
    return text == "true"
