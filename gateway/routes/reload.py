"""POST /v1/kronk/reload: the model configuration read anew."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kronk.gateway.access.router import Router
from kronk.gateway.access.rules import ADMINISTRATION
from kronk.gateway.dialects.schemas import TEXT, array, closed
from kronk.gateway.services import services_of
from kronk.shared.errors import from_code

from .documents import answer_documents

router = Router()

# A models folder on a slow disk is looked through for each model that is loaded.
RELOAD_SECONDS = 30.0
RELOADED = closed({"object": {"const": "reload"}, "changed": array(TEXT), "later": array(TEXT)})


@router.post(
    "/v1/kronk/reload",
    access=ADMINISTRATION,
    responses=answer_documents(RELOADED),
    summary="Read the model configuration again",
)
async def reload(request: Request) -> Response:
    """Read the model-config file again. A file that is wrong is refused, and the old configuration
    stays. `changed` are the names whose settings are others now; `later` the models of them that
    are in use and go on as before until their requests have ended."""
    services = services_of(request)
    done = await services.link.reload(RELOAD_SECONDS)
    if done.code is not None:
        raise from_code(done.code, done.message)
    await services.configuration.settled()
    return JSONResponse(
        {"object": "reload", "changed": list(done.changed), "later": list(done.later)}
    )
