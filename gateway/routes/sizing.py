"""POST /v1/kronk/vram and /v1/kronk/autotune: how much memory a model takes, what would fit, and
which settings suit the machine."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kronk.gateway.access.router import Router
from kronk.gateway.access.rules import ASKING
from kronk.gateway.body import parse_body
from kronk.gateway.dialects.fields import load_object
from kronk.gateway.dialects.schemas import COUNT, TEXT, TRUTH, array, closed, nullable
from kronk.gateway.services import Services, services_of
from kronk.shared.errors import InvalidArgument
from kronk.shared.model_config import NO_PROJECTOR, is_path
from kronk.shared.sizing import ask, question, tuning
from kronk.shared.sizing.autotune import Wanted
from kronk.shared.sizing.question import Question
from kronk.shared.sizing.room import Room
from kronk.shared.wire.status import ModelStatus

from .documents import answer_documents, request_document
from .kronk import STATUS_SECONDS

router = Router()

_SIZE = {"anyOf": [{"type": "integer"}, {"type": "string"}]}
_BODY: dict[str, Any] = {
    "type": "object",
    "properties": {
        "model": {"type": "string", "description": "An id, an alias, or an id of the catalog."},
        "source": {"type": "string", "description": "A source, of which only headers are read."},
        "config": {
            "type": "object",
            "description": "Keys of the model configuration to try instead of the model's own.",
        },
        "machine": {
            "type": "object",
            "description": "Another machine than the server's.",
            "properties": {"memory": _SIZE, "gpus": {"type": "array", "items": _SIZE}},
            "additionalProperties": False,
        },
    },
    "additionalProperties": False,
}
_BYTES: dict[str, Any] = {"type": "object", "additionalProperties": COUNT}
_SIZES = closed({"devices": _BYTES, "bytes": COUNT})
ESTIMATE = closed(
    {
        "object": {"const": "estimate"},
        "model": TEXT,
        "origin": {"enum": ["disk", "remote"]},
        "fetched_bytes": COUNT,
        "architecture": TEXT,
        "parameters": COUNT,
        "file_bytes": COUNT,
        "trained_context": nullable(COUNT),
        "layers": closed({"count": COUNT, "on_gpus": COUNT, "kinds": _BYTES}),
        "experts": nullable({"type": "object"}),
        "settings": {"type": "object"},
        "parts": array(
            closed({"part": TEXT, "kind": nullable(TEXT), "devices": _BYTES, "bytes": COUNT})
        ),
        "predicted": _SIZES,
        "measured": nullable(_SIZES),
        "set_aside": closed(
            {
                "devices": _BYTES,
                "bytes": COUNT,
                "prefix_cache_bytes": COUNT,
                "kept_media_bytes": COUNT,
            }
        ),
        "machine": closed({"imagined": TRUTH, "devices": array({"type": "object"})}),
        "verdict": {"enum": ["fits", "fits_without_idle", "has_to_wait", "does_not_fit"]},
        "largest_context": COUNT,
        "most_slots": COUNT,
        "grid": array(
            closed(
                {"context_window": COUNT, "cache_type": TEXT, "total_bytes": COUNT, "fits": TRUTH}
            )
        ),
        "advice": array(TEXT),
    }
)
_TUNING_BODY = _BODY | {
    "properties": {
        **_BODY["properties"],
        "slots": {"type": "integer", "description": "Requests at a time that there must be."},
        "context": {"type": "integer", "description": "Tokens of a request that are enough."},
    }
}
TUNING = closed(
    {
        "object": {"const": "autotune"},
        "model": TEXT,
        "fits": TRUTH,
        "settings": {"type": "object"},
        "choices": array(closed({"key": TEXT, "value": {}, "why": TEXT})),
        "configured_as": TEXT,
        "model_config_file": nullable(TEXT),
        "yaml": TEXT,
        "estimate": ESTIMATE,
    }
)


@router.post(
    "/v1/kronk/vram",
    access=ASKING,
    openapi_extra=request_document(_BODY),
    responses=answer_documents(ESTIMATE),
    summary="How much memory a model takes",
)
async def vram(request: Request) -> Response:
    """The parts of a model by device, whether it fits, and what else would: for a model here, or
    for one elsewhere, of which only the header is fetched."""
    services = services_of(request)
    asked = await parse_body(request, read_question)
    standing = [] if asked.is_imagined else await rooms(services, asked)
    found = await asyncio.to_thread(ask.ask, services.settings, services.configs, asked, standing)
    return JSONResponse(found)


@router.post(
    "/v1/kronk/autotune",
    access=ASKING,
    openapi_extra=request_document(_TUNING_BODY),
    responses=answer_documents(TUNING),
    summary="Settings that suit a model and a machine",
)
async def autotune(request: Request) -> Response:
    """Context, slots, cache type and layers on the GPU for a model, each with its reason. `slots`
    and `context` are those that there should be. Nothing is changed."""
    services = services_of(request)
    asked, wanted = await parse_body(request, read_tuning)
    standing = [] if asked.is_imagined else await rooms(services, asked)
    found = await asyncio.to_thread(
        tuning.tune, services.settings, services.configs, asked, wanted, standing
    )
    return JSONResponse(found)


def read_question(body: bytes) -> Question:
    """The question of a request, which names no file of this machine."""
    return _without_files(question.read(load_object(body)))


def read_tuning(body: bytes) -> tuple[Question, Wanted]:
    """The same, with what is wanted."""
    asked, wanted = tuning.read(load_object(body))
    return _without_files(asked), wanted


def _without_files(asked: Question) -> Question:
    if asked.config.get("projector", NO_PROJECTOR) != NO_PROJECTOR:
        raise InvalidArgument(
            "config.projector: expected none; a file is looked at by `kronk model vram` only",
            param="config.projector",
        )
    if is_path(asked.config.get("draft_model", "")):
        raise InvalidArgument("config.draft_model: expected an id", param="config.draft_model")
    return asked


async def rooms(services: Services, asked: Question) -> list[Room]:
    """The memory of the running server, and what of it other models have."""
    status = await services.link.status(STATUS_SECONDS)
    own = [model.promised for model in status.models if model.model == asked.wanted]
    idle = [
        model.promised for model in status.models if _is_idle(model) and model.model != asked.wanted
    ]
    return [
        Room(
            one.device,
            one.total_bytes,
            one.budget_bytes,
            # A model makes room for itself.
            one.reserved_bytes - _sum(own, one.device),
            _sum(idle, one.device),
        )
        for one in status.budgets
    ]


def _sum(models: Iterable[Mapping[str, int]], device: str) -> int:
    return sum(devices.get(device, 0) for devices in models)


def _is_idle(model: ModelStatus) -> bool:
    """Whether it would make room for another."""
    return model.idle_seconds is not None and not model.pinned and model.host is None
