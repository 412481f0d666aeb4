"""POST /v1/kronk/auth/...: what another Kronk, which has this one as `--auth-host`, asks."""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kronk.gateway.access.delegation import questions
from kronk.gateway.access.router import Router
from kronk.gateway.access.rules import DELEGATION
from kronk.gateway.body import parse_body
from kronk.gateway.record import record_of
from kronk.gateway.services import Services, services_of
from kronk.shared.errors import Conflict, Unauthenticated
from kronk.shared.security.identity import Identity

from .documents import answer_documents, request_document

router = Router()


@router.post(
    questions.IDENTIFY,
    access=DELEGATION,
    openapi_extra=request_document(questions.IdentifyBody.model_json_schema),
    responses=answer_documents(questions.IDENTIFIED, errors=(409,)),
    summary="Whose token this is",
)
async def identify(request: Request) -> Response:
    """Who has the token in the body, and what that was granted. One that is not good is an answer
    too: a 401 is about the token in the header."""
    asked = await parse_body(request, partial(questions.parse, questions.IdentifyBody))
    services = _knowing(services_of(request))
    try:
        identity = await services.access.whose(asked.token)
    except Unauthenticated as error:
        return JSONResponse(questions.invalid_object("auth.identity", error))
    return JSONResponse(questions.identity_object(identity))


@router.post(
    questions.RECHECK,
    access=DELEGATION,
    openapi_extra=request_document(questions.RecheckBody.model_json_schema),
    responses=answer_documents(questions.RECHECKED, errors=(409,)),
    summary="Whether a token is still good",
)
async def recheck(request: Request) -> Response:
    """Whether what was said of a token is still true, for work that goes on without it."""
    asked = await parse_body(request, partial(questions.parse, questions.RecheckBody))
    services = _knowing(services_of(request))
    try:
        await services.access.recheck(_identity(asked))
    except Unauthenticated as error:
        return JSONResponse(questions.invalid_object("auth.recheck", error))
    return JSONResponse({"object": "auth.recheck", "valid": True})


@router.post(
    questions.CHARGE,
    access=DELEGATION,
    openapi_extra=request_document(questions.ChargeBody.model_json_schema),
    responses=answer_documents(questions.CHARGED, errors=(409,)),
    summary="Count a call",
)
async def charge(request: Request) -> Response:
    """Count a call of somebody at the other Kronk, unless a limit does not allow it. Asked again
    with the same `request_id`, it is counted once and answered alike."""
    asked, grants = await parse_body(request, questions.parse_charge)
    services = _knowing(services_of(request))
    try:
        await services.access.recheck(_identity(asked))
    except Unauthenticated as error:
        return JSONResponse(questions.invalid_object("auth.charge", error))
    charged = await services.remote_calls.charge(_asker(request), asked, grants)
    return JSONResponse(questions.charge_object(asked.request_id, charged))


@router.post(
    questions.SETTLE,
    access=DELEGATION,
    openapi_extra=request_document(questions.SettleBody.model_json_schema),
    responses=answer_documents(questions.SETTLED, errors=(409,)),
    summary="What a call came to",
)
async def settle(request: Request) -> Response:
    """Give back a call that was counted, or count its tokens. Only the first word about a call
    counts; `known` is false for what was never counted, or is over for long."""
    asked = await parse_body(request, partial(questions.parse, questions.SettleBody))
    services = _knowing(services_of(request))
    known = await services.remote_calls.settle(_asker(request), asked)
    return JSONResponse(questions.settled_object(asked.charge, known))


def _knowing(services: Services) -> Services:
    """The services, where tokens and counts are kept here."""
    if services.settings.mode == "open":
        raise Conflict("This server checks no tokens: it was started without --auth-enabled")
    if services.settings.auth_host is not None:
        raise Conflict("This server asks another one about tokens, with --auth-host: ask that one")
    return services


def _identity(asked: questions.RecheckBody) -> Identity:
    return Identity(asked.subject, key=asked.key)


def _asker(request: Request) -> str:
    """What a Kronk's calls are kept apart by: the subject of its own token."""
    identity = record_of(request.scope).identity
    return identity.subject or "" if identity is not None else ""
