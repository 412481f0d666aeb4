"""What happens around every request: its id, its line in the log, and the last catch for bugs."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Mapping
from typing import Protocol

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kronk.shared.errors import Internal, KronkError

from . import errors
from .access.admission import Outcome
from .access.auditing import AuditLog
from .access_line import facts_of
from .record import Record, record_of
from .telemetry.telemetry import Telemetry

# What is echoed in a header and written to the log must not be able to forge either.
_GOOD_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
# What a JWT looks like.
_TOKEN = re.compile(r"eyJ[\w-]{8,}\.[\w-]+\.[\w-]*")
# Characters. Else who may do nothing here could fill the log, and push out what is in it.
_LONGEST_PATH = 500
# Asked every few seconds by probes, `kronk ps --watch` and pages.
_PROBED = frozenset({"/v1/liveness", "/v1/readiness", "/v1/kronk/ps"})
_POLLED = frozenset({"/v1/kronk/logs", "/v1/kronk/jobs", "/v1/kronk/loads"})
# A page of the browser UI asks for dozens of them.
_ASSETS = "/assets/"
# Asked by other Kronks for each of their requests, which are in their logs.
_ASKED = "/v1/kronk/auth/"

# How an answer begins, by the kind of scope.
STARTS = frozenset({"http.response.start", "websocket.http.response.start"})
_SOCKET_SCHEMES = {"ws": "http", "wss": "https"}
_SWITCHED = 101
_SOCKET_FAILED = 1011
# In the scope of a request: its `Parts`.
DIRECT_PART = "kronk.parts"

log = structlog.get_logger()


class Activity:
    """How many requests are being answered; read by the parent watch from its own thread."""

    def __init__(self) -> None:
        self.count = 0


class Parts(Protocol):
    """Where parts of an answer that has begun can be written without waiting."""

    @property
    def has_room(self) -> bool:
        """A part could be written now."""

    def write(self, part: bytes) -> None:
        """Write a part that is not empty, as there is room for it."""


def direct_parts(scope: Scope) -> Parts | None:
    """What the server has for that; None where it has nothing."""
    parts: Parts | None = scope.get(DIRECT_PART)
    return parts


def direct_send(scope: Scope, send: Send) -> Send:
    """For body messages: the server's own `send`, past the layers that only look at the start.

    There are six of them, and a token that passes each costs more than all else done with it.
    """
    direct: Send = scope.get("kronk.send", send)
    return direct


class AccessLog:
    """Outermost: gives each request its id and writes its one line when it is over."""

    def __init__(
        self, app: ASGIApp, activity: Activity, audit: AuditLog, telemetry: Telemetry
    ) -> None:
        self.app = app
        self.telemetry = telemetry
        self.activity = activity
        self.audit = audit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            # It begins as a GET, and is judged as one.
            scope["method"] = "GET"
            scope["scheme"] = _SOCKET_SCHEMES.get(scope["scheme"], scope["scheme"])
        elif scope["type"] != "http":
            return await self.app(scope, receive, send)
        record = scope["kronk.record"] = Record(_request_id(scope))
        scope["kronk.send"] = send
        # Under the name that Anthropic's clients read too.
        identity = [(name, record.request_id.encode()) for name in (b"x-request-id", b"request-id")]

        async def numbered(message: Message) -> None:
            if message["type"] in STARTS or message["type"] == "websocket.accept":
                record.status = message.get("status", _SWITCHED)
                message["headers"] = [*message.get("headers", ()), *identity]
                if record.admission is not None and record.admission.headers:
                    message["headers"] += _encoded(record.admission.headers)
            await send(message)

        if self.telemetry.on_begin is not None:
            self.telemetry.on_begin(scope, record)
        known = record.ids
        structlog.contextvars.bind_contextvars(**known)
        self.activity.count += 1
        try:
            await self.app(scope, receive, numbered)
        except asyncio.CancelledError:
            # Only the server's shutdown cancels, for clients that do not take their last bytes;
            # this is the outermost frame of the request's task.
            record.error = "cut_off"
        finally:
            self.activity.count -= 1
            if record.admission is not None:
                record.admission.settle(_outcome(record))
            self.audit.request_over(scope, record)
            self.telemetry.request_ended(scope, record)
            self._write(scope, record)
            structlog.contextvars.unbind_contextvars(*known)

    def _write(self, scope: Scope, record: Record) -> None:
        path = scope["path"]
        is_asked_often = path in _POLLED or path.startswith((_ASKED, _ASSETS))
        is_usual = path in _PROBED or (is_asked_often and record.status == 200)
        write = log.debug if is_usual else log.info
        client = scope.get("client")
        write(
            "request",
            **record.ids,
            method=scope["method"],
            path=path_for_log(path),
            status=record.status,
            duration=round(time.monotonic() - record.started, 4),
            client=client and client[0],
            **facts_of(record),
        )


def path_for_log(path: str) -> str:
    """The path as the log has it: anybody may send a long one, and people put tokens into them."""
    shown = _TOKEN.sub("(token)", path)
    return shown if len(shown) <= _LONGEST_PATH else f"{shown[:_LONGEST_PATH]}..."


def _outcome(record: Record) -> Outcome:
    return Outcome(record.status, record.error, record.prompt_tokens or 0, record.tokens or 0)


def _encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _GOOD_ID.fullmatch(value):
            given: str = value.decode()
            return given
    return f"req-{secrets.token_hex(12)}"


class HeadAsGet:
    """Answers HEAD as GET; the server drops the body of what was asked with HEAD."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET", "kronk.head": True}
        await self.app(scope, receive, send)


class LastCatch:
    """Turns what nobody else caught into a 500 without details; the traceback goes to the log."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] in STARTS or message["type"] == "websocket.accept"
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception as error:
            if not isinstance(error, KronkError):
                log.exception("unexpected exception in a request")
                record_of(scope).is_bug = True
                error = Internal("The server failed; its log says why")
            record_of(scope).note_error(error)
            # Once started, nothing sensible can follow: the server closes the connection,
            # which tells the client that the answer is not whole.
            if not started:
                await errors.response(error, scope)(scope, receive, send)
            elif scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": _SOCKET_FAILED})
