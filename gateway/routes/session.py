"""POST /v1/kronk/login and /logout, GET /v1/kronk/session, POST /v1/kronk/security/password: the
browser's login."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kronk.gateway.access.auditing import LOGIN, LOGOUT
from kronk.gateway.access.credentials import (
    SESSION_COOKIE,
    TLS_SESSION_COOKIE,
    credential_of,
)
from kronk.gateway.access.login_requests import (
    PASSWORD,
    SESSION,
    LoginBody,
    PasswordBody,
    parse_login,
    parse_password,
)
from kronk.gateway.access.router import Router
from kronk.gateway.access.rules import ADMINISTRATION, PUBLIC
from kronk.gateway.access.same_origin import check_login_request, check_session_request
from kronk.gateway.access.sessions import ADMIN, LIFETIME
from kronk.gateway.body import parse_body, read_body
from kronk.gateway.record import record_of
from kronk.gateway.services import Services, services_of
from kronk.shared.errors import Conflict, InvalidArgument
from kronk.shared.security import password
from kronk.shared.security.identity import Identity

from .documents import JSON, answer_documents, request_document

router = Router()

# Nobody knows yet who sends it.
_MOST_BYTES = 1024 * 1024


@router.post(
    LOGIN,
    access=PUBLIC,
    openapi_extra=request_document(LoginBody.model_json_schema),
    responses=answer_documents(SESSION, errors=(401, 403, 409, 429)),
    summary="Log in with a browser",
)
async def login(request: Request) -> Response:
    """Begin a session of the administrator's: the answer sets a cookie that scripts cannot read.
    Who fails too often has to wait."""
    services = services_of(request)
    check_login_request(request.scope["scheme"], request.scope["headers"])
    text = parse_login(await read_body(request, _MOST_BYTES))
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
        raise InvalidArgument(f"Content-Type: expected {JSON}", param="Content-Type")
    _check_asked_for(services)
    host = request.client.host if request.client is not None else None
    cookie = await services.logins.log_in(text, host)
    record_of(request.scope).identity = ADMIN
    answer = JSONResponse(_told(services, ADMIN, cookie))
    _give(answer, request, cookie, int(LIFETIME))
    return answer


@router.post(
    LOGOUT,
    access=PUBLIC,
    responses=answer_documents(SESSION, errors=(403,)),
    summary="Log out",
)
async def logout(request: Request) -> Response:
    """End the session of the cookie, at once and for good; without one this does nothing."""
    services, headers = services_of(request), request.scope["headers"]
    credential = credential_of(headers)
    if credential is not None and credential.kind == "session":
        check_session_request(request.method, request.scope["scheme"], headers)
        if services.sessions.find(credential.text) is not None:
            record_of(request.scope).identity = ADMIN
        await services.sessions.end(credential.text)
    answer = JSONResponse(_told(services, None, None))
    _give(answer, request, "", 0)
    return answer


@router.get(
    "/v1/kronk/session",
    access=PUBLIC,
    responses=answer_documents(SESSION),
    summary="Who am I",
)
async def session(request: Request) -> Response:
    """Who the server takes the client for, and whether there is something to log in for."""
    services = services_of(request)
    identity = await services.access.identify(request)
    known = identity if identity.via != "anonymous" else None
    cookie = None
    if known is not None and known.via == "session":
        cookie = credential_of(request.scope["headers"])
    return JSONResponse(_told(services, known, None if cookie is None else cookie.text))


@router.post(
    "/v1/kronk/security/password",
    access=ADMINISTRATION,
    openapi_extra=request_document(PasswordBody.model_json_schema),
    responses=answer_documents(PASSWORD, errors=(409,)),
    summary="Change the password of the browser's login",
)
async def change_password(request: Request) -> Response:
    """Put another password in force, `password` or else a random one, which the answer has. All
    sessions end, and failed logins are forgotten."""
    services = services_of(request)
    text = await parse_body(request, parse_password)
    _check_asked_for(services)
    keys = services.base.keys
    made = None
    if text is None:
        made = await asyncio.to_thread(password.reset, keys)
    else:
        await asyncio.to_thread(password.change, keys, text)
    return JSONResponse({"object": "kronk.password", "password": made})


def _check_asked_for(services: Services) -> None:
    if services.access.mode == "open":
        raise Conflict("nobody is asked for a password here: the server runs without --auth-mode")


def _told(services: Services, identity: Identity | None, cookie: str | None) -> dict[str, Any]:
    found = services.sessions.find(cookie) if cookie else None
    return {
        "object": "kronk.session",
        "mode": services.access.mode,
        "login": services.access.mode != "open",
        "user": identity
        and {
            "subject": identity.subject,
            "name": identity.name,
            "admin": identity.admin or identity.via == "open",
            "via": identity.via,
        },
        "expires": found and int(found.expires),
    }


def _give(answer: Response, request: Request, cookie: str, seconds: int) -> None:
    is_tls = request.scope["scheme"] == "https"
    answer.set_cookie(
        TLS_SESSION_COOKIE if is_tls else SESSION_COOKIE,
        cookie,
        max_age=seconds,
        path="/",
        secure=is_tls,
        httponly=True,
        samesite="strict",
    )
