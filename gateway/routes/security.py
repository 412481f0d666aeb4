"""/v1/kronk/security: keys, and the tokens that they sign."""

from __future__ import annotations

import asyncio
import time

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kronk.gateway.access import token_requests as forms
from kronk.gateway.access.router import Router
from kronk.gateway.access.rules import ADMINISTRATION, DISCOVERY
from kronk.gateway.body import parse_body
from kronk.gateway.dialects.schemas import listed
from kronk.gateway.record import identity_of, record_of
from kronk.gateway.services import services_of
from kronk.shared.errors import Conflict
from kronk.shared.security.administration import Administration
from kronk.shared.security.overview import overview

from .documents import answer_documents, request_document

router = Router()

_BASE = "/v1/kronk/security"
# Tokens are not for caches.
_NOT_STORED = {"Cache-Control": "no-store"}


@router.get(
    _BASE,
    access=ADMINISTRATION,
    responses=answer_documents(forms.OVERVIEW),
    summary="The security settings in force",
)
async def security(request: Request) -> Response:
    """Who may do what here, by which rules, and how many keys, tokens and revocations there are."""
    services = services_of(request)
    found = await asyncio.to_thread(
        overview, services.settings, services.administration, time.time()
    )
    return JSONResponse(found | {"policy_problem": services.access.policy_problem})


@router.get(
    f"{_BASE}/whoami",
    access=DISCOVERY,
    responses=answer_documents(forms.WHO),
    summary="What the token grants that asks",
)
async def whoami(request: Request) -> Response:
    """Who the server takes the client for, until when, and what that may do."""
    who = identity_of(request)
    said = {
        "object": "kronk.identity",
        "subject": who.subject,
        "name": who.name,
        "admin": who.admin or who.via == "open",
        "via": who.via,
        "expires": who.expires,
        "models": None,
        "tokens": None,
        "concurrency": None,
    }
    return JSONResponse(said | who.grants.to_claims(), headers=_NOT_STORED)


@router.get(
    f"{_BASE}/keys",
    access=ADMINISTRATION,
    responses=answer_documents(listed(forms.KEY), errors=(409,)),
    summary="List keys",
)
async def keys(request: Request) -> Response:
    """The master key, then the others, the newest first: that one signs."""
    found = await asyncio.to_thread(_administration(request).keys)
    return JSONResponse({"object": "list", "data": found})


@router.post(
    f"{_BASE}/keys",
    access=ADMINISTRATION,
    responses=answer_documents(forms.KEY, errors=(409,)),
    summary="Make a key",
)
async def create_key(request: Request) -> Response:
    """A new key, which signs new tokens from now on. Those of the others stay good."""
    made = await asyncio.to_thread(_administration(request).create_key)
    record_of(request.scope).target = made["id"]
    return JSONResponse(made)


@router.delete(
    f"{_BASE}/keys/{{keyid}}",
    access=ADMINISTRATION,
    responses=answer_documents(forms.DELETED, errors=(409,)),
    summary="Delete a key",
)
async def delete_key(request: Request, keyid: str) -> Response:
    """Delete a key, and with it all tokens that it has signed, at once. The master key stays."""
    return JSONResponse(await asyncio.to_thread(_administration(request).delete_key, keyid))


@router.get(
    f"{_BASE}/tokens",
    access=ADMINISTRATION,
    responses=answer_documents(forms.TOKENS, errors=(409,)),
    summary="List tokens",
)
async def tokens(request: Request) -> Response:
    """What was issued, by whom, and whether it is still good; the latest first. Never the tokens
    themselves."""
    found = await asyncio.to_thread(_administration(request).tokens, time.time())
    return JSONResponse({"object": "list", "data": found})


@router.post(
    f"{_BASE}/tokens",
    access=ADMINISTRATION,
    openapi_extra=request_document(forms.TokenBody.model_json_schema),
    responses=answer_documents(forms.CREATED, errors=(409,)),
    summary="Make a token",
)
async def create_token(request: Request) -> Response:
    """A token, which is in this answer and nowhere else. `duration` is written `720h`, `endpoints`
    as in `chat-completions:1000/day`, `tokens` as in `100000/day`; `subject` makes it one more
    token of somebody who had one."""
    wish = await parse_body(request, forms.parse_token_wish)
    administration, by = _administration(request), _by(request)
    made = await asyncio.to_thread(administration.create_token, wish, by, time.time())
    record_of(request.scope).target = made["subject"]
    return JSONResponse(made, headers=_NOT_STORED)


@router.post(
    f"{_BASE}/tokens/inspect",
    access=ADMINISTRATION,
    openapi_extra=request_document(forms.InspectBody.model_json_schema),
    responses=answer_documents(forms.INSPECTION, errors=(409,)),
    summary="Look into a token",
)
async def inspect_token(request: Request) -> Response:
    """What stands in a token, whether it is good, and why not."""
    text = await parse_body(request, forms.parse_inspect)
    found = await asyncio.to_thread(_administration(request).inspect, text, time.time())
    return JSONResponse(found, headers=_NOT_STORED)


@router.post(
    f"{_BASE}/tokens/revoke",
    access=ADMINISTRATION,
    openapi_extra=request_document(forms.RevokeBody.model_json_schema),
    responses=answer_documents(forms.REVOKED, errors=(409,)),
    summary="Revoke tokens",
)
async def revoke_token(request: Request) -> Response:
    """End all tokens of a subject, at once and for good."""
    wish = await parse_body(request, forms.parse_revoke)
    administration, by = _administration(request), _by(request)
    gone = await asyncio.to_thread(administration.revoke, wish, by, time.time())
    record_of(request.scope).target = gone["subject"]
    return JSONResponse(gone)


@router.get(
    f"{_BASE}/revocations",
    access=ADMINISTRATION,
    responses=answer_documents(forms.REVOCATIONS, errors=(409,)),
    summary="List revocations",
)
async def revocations(request: Request) -> Response:
    """Whose tokens were revoked, when, by whom and why, for as long as that matters."""
    found = await asyncio.to_thread(_administration(request).revocations)
    return JSONResponse({"object": "list", "data": found})


def _administration(request: Request) -> Administration:
    services = services_of(request)
    if services.access.mode == "open":
        # Whoever reaches the server could make himself a token that is still good when it is
        # protected one day.
        raise Conflict(
            "nobody is asked who he is here, so nobody may make or end keys and tokens: start the "
            "server with --auth-enabled, or use --local on its machine"
        )
    if services.settings.auth_host is not None:
        raise Conflict(
            f"this server asks {services.settings.auth_host} about tokens; make and end them there"
        )
    return services.administration


def _by(request: Request) -> str:
    who = identity_of(request)
    return who.label if who.subject is None or who.name is None else f"{who.name} ({who.subject})"
