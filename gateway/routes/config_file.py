"""The model-config file itself: GET and PUT /v1/kronk/config/file, POST .../check and .../edit."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kronk.gateway.access.router import Router
from kronk.gateway.access.rules import ADMINISTRATION, ASKING
from kronk.gateway.body import parse_body
from kronk.gateway.dialects.fields import first_error, load_object
from kronk.gateway.dialects.schemas import COUNT, NUMBER, TEXT, TRUTH, array, closed, nullable
from kronk.gateway.record import record_of
from kronk.gateway.services import Services, services_of
from kronk.shared.config import stored
from kronk.shared.config.change import changed
from kronk.shared.config.edit import CannotEdit
from kronk.shared.config.stored import Stored
from kronk.shared.errors import Conflict, InvalidArgument, KronkError, from_code
from kronk.shared.model_config import BadFile, examine
from kronk.shared.models import index
from kronk.shared.models.config_preview import preview

from .documents import answer_documents, request_document
from .kronk import STATUS_SECONDS
from .reload import RELOAD_SECONDS

router = Router()

_BASE = "/v1/kronk/config"
# Reading this much YAML takes two seconds; files of people have 10 kB.
MOST_BYTES = 256 * 1024

_TEXT = {"type": "string", "description": "The whole file, YAML.", "maxLength": MOST_BYTES}
_REVISION = {
    "anyOf": [TEXT, {"type": "null"}],
    "description": "The revision it was read with; null where there was no file.",
}
_SAVED = {"text": nullable(TEXT), "revision": nullable(TEXT), "modified": nullable(NUMBER)}
_PREVIOUS = nullable(closed({"text": TEXT, "revision": TEXT, "modified": NUMBER}))
FILE = closed({"object": {"const": "config_file"}, "path": TEXT, **_SAVED, "previous": _PREVIOUS})
_RELOADED = closed({"changed": array(TEXT), "later": array(TEXT)})
WRITTEN = closed(
    {
        "object": {"const": "config_file"},
        "path": TEXT,
        **_SAVED,
        "previous": _PREVIOUS,
        "reload": nullable(_RELOADED),
        # Why it is stored and not in force yet.
        "reload_problem": nullable(TEXT),
    }
)
_VALUES = {"type": "object"}
CHECK = closed(
    {
        "object": {"const": "config_check"},
        "valid": TRUTH,
        "problems": array(
            closed(
                {
                    "severity": {"enum": ["error", "warning"]},
                    "line": nullable(COUNT),
                    "column": nullable(COUNT),
                    "model": nullable(TEXT),
                    "key": nullable(TEXT),
                    "where": TEXT,
                    "message": TEXT,
                }
            )
        ),
        "models": array(
            closed(
                {
                    "id": TEXT,
                    "on_disk": TRUTH,
                    "configuration": _VALUES,
                    "origins": _VALUES,
                    "written": _VALUES,
                }
            )
        ),
        "changes": array(closed({"model": TEXT, "key": TEXT, "before": {}, "after": {}})),
        "reloaded": array(TEXT),
        "load": nullable(
            closed({"model": TEXT, "spec": nullable(_VALUES), "problem": nullable(TEXT)})
        ),
    }
)
EDITED = closed({"object": {"const": "config_edit"}, "text": TEXT})


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    text: str


class _WriteBody(_Body):
    model_config = ConfigDict(title="ConfigFileRequest")

    revision: str | None


class _CheckBody(_Body):
    model_config = ConfigDict(title="ConfigCheckRequest")

    model: str | None = None


class _EditBody(_Body):
    model_config = ConfigDict(title="ConfigEditRequest")

    model: str
    key: str
    value: Any


_Some = TypeVar("_Some", bound=_Body)


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    now: Stored
    before: Stored

    def json(self) -> dict[str, Any]:
        before = self.before
        return {
            "object": "config_file",
            "path": str(self.path),
            **_saved(self.now),
            "previous": None if before.data is None else _saved(before),
        }


@router.get(
    f"{_BASE}/file",
    access=ADMINISTRATION,
    responses=answer_documents(FILE, errors=(409,)),
    summary="The model-config file, as text",
)
async def config_file(request: Request) -> Response:
    """Where it is, what it says now, whether or not that is in force, and what it said before it
    was last written by `PUT`. Without `--model-config-file` it is `model_config.yaml` in the base
    path, which need not be there."""
    path = _path(services_of(request))
    found = await asyncio.to_thread(_read, path)
    return JSONResponse(found.json())


@router.put(
    f"{_BASE}/file",
    access=ADMINISTRATION,
    openapi_extra=request_document(closed({"text": _TEXT, "revision": _REVISION})),
    responses=answer_documents(WRITTEN, errors=(409,)),
    summary="Replace the model-config file",
)
async def write_config_file(request: Request) -> Response:
    """Store the text, where the file is still of that revision, and reload. A text with a mistake
    is a 400, and one that the reload refuses is taken back. What the file said before is kept
    beside it, under its name with `.previous`."""
    services = services_of(request)
    body = await parse_body(request, parse_write)
    path = _path(services)
    record_of(request.scope).target = str(path)
    before, now = await asyncio.to_thread(_write, services, path, body)
    said: dict[str, Any] = {"reload": None, "reload_problem": None}
    try:
        done = await services.link.reload(RELOAD_SECONDS)
    except KronkError as error:
        said["reload_problem"] = error.message
    else:
        if done.code is not None:
            await asyncio.to_thread(stored.take_back, path, now, before)
            raise from_code(done.code, done.message)
        await services.configuration.settled()
        said["reload"] = {"changed": list(done.changed), "later": list(done.later)}
    found = await asyncio.to_thread(_read, path)
    return JSONResponse(found.json() | said)


@router.post(
    f"{_BASE}/check",
    access=ASKING,
    openapi_extra=request_document(closed({"text": _TEXT}, {"model": nullable(TEXT)})),
    responses=answer_documents(CHECK),
    summary="What a text for the model-config file is worth",
)
async def check_config(request: Request) -> Response:
    """All mistakes of the text and what a load would stumble over, with their places; what it says
    and comes to for each model; what it would change, and which loaded models would be loaded
    anew. With `model`, what a worker would be told to load. Nothing is stored."""
    services = services_of(request)
    body = await parse_body(request, parse_check)
    status = await services.link.status(STATUS_SECONDS)
    loaded = {row.model for row in status.models if row.pid is not None}
    found = await asyncio.to_thread(
        preview,
        services.base,
        body.text,
        _path(services),
        services.configs,
        loaded,
        body.model,
    )
    return JSONResponse({"object": "config_check"} | found)


@router.post(
    f"{_BASE}/edit",
    access=ASKING,
    openapi_extra=request_document(
        closed({"text": _TEXT, "model": TEXT, "key": TEXT, "value": {}})
    ),
    responses=answer_documents(EDITED, errors=(409,)),
    summary="A text for the model-config file with one setting changed",
)
async def edit_config(request: Request) -> Response:
    """The text with this value for a model's key (`sampling_parameters.temperature`, too), or
    without the key where the value is null. Comments and all else stay as they are. A text that
    cannot be changed safely is a 409 that says why. Nothing is stored."""
    body = await parse_body(request, parse_edit)
    path = _path(services_of(request))
    try:
        text = await asyncio.to_thread(changed, body.text, path, body.model, body.key, body.value)
    except CannotEdit as error:
        raise Conflict(
            f"text: it is written in a way that no form can change: {error}", param="text"
        ) from error
    return JSONResponse({"object": "config_edit", "text": text})


def parse_write(body: bytes) -> _WriteBody:
    """A text to be stored."""
    return _parsed(_WriteBody, body)


def parse_check(body: bytes) -> _CheckBody:
    """A text to be looked at."""
    return _parsed(_CheckBody, body)


def parse_edit(body: bytes) -> _EditBody:
    """A text and what is to be changed in it."""
    found = _parsed(_EditBody, body)
    if not found.model.strip():
        raise InvalidArgument("model: expected the id of a model", param="model")
    return found


def _parsed(kind: type[_Some], body: bytes) -> _Some:
    try:
        found = kind.model_validate(load_object(body))
    except ValidationError as error:
        raise first_error(error) from error
    if len(found.text.encode()) > MOST_BYTES:
        raise InvalidArgument(f"text: expected {MOST_BYTES} bytes at most", param="text")
    return found


def _path(services: Services) -> Path:
    named = services.settings.model_config_file
    return named if named is not None else services.base.model_config


def _read(path: Path) -> _File:
    return _File(path, stored.read(path), stored.previous(path))


def _write(services: Services, path: Path, body: _WriteBody) -> tuple[Stored, Stored]:
    """What was there, and what is there now."""
    if not body.text.strip():
        # A reload takes an empty file for one that is being written.
        raise InvalidArgument("text: expected `models:` at least", param="text")
    configs, problems = examine(body.text, path)
    if problems:
        raise InvalidArgument(f"text: {BadFile(path.name, problems).message}", param="text")
    index.check_names(services.base.models, configs)
    before = stored.read(path)
    return before, stored.write(path, body.text, body.revision)


def _saved(found: Stored) -> dict[str, Any]:
    return {"text": found.text, "revision": found.revision, "modified": found.modified}
