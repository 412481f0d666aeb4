"""A gateway in this process, without a supervisor: what people keep, for some who have tokens."""

from __future__ import annotations

import asyncio
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx

from harness.subjects import ADMIN, ANN, BOB
from kronk.gateway.access.auditing import AuditLog
from kronk.gateway.access.control import AccessControl
from kronk.gateway.access.credentials import Credential
from kronk.gateway.access.rules import Gate
from kronk.gateway.app import make_app
from kronk.gateway.library.library import make_library
from kronk.gateway.middleware import Activity
from kronk.gateway.services import Services
from kronk.gateway.telemetry.telemetry import Telemetry
from kronk.shared import settings
from kronk.shared.database import Database
from kronk.shared.errors import Unauthenticated
from kronk.shared.security.identity import Identity
from kronk.shared.settings import Mode

from .access import Unlimited

TOKENS = {"ann": ANN, "bob": BOB, "admin": ADMIN}


class Known:
    """Tokens are names."""

    problem: str | None = None

    async def identify(self, credential: Credential) -> Identity:
        return TOKENS[credential.text]

    async def recheck(self, identity: Identity) -> None:
        pass

    async def check(self, gate: Gate, identity: Identity, problem: Unauthenticated | None) -> None:
        pass


class LibraryHouse:
    """Closes what it has opened with `close`; another one of the same folder finds what is kept."""

    def __init__(self, folder: Path, mode: Mode = "management", **more: Any) -> None:
        self.settings = settings.resolve({"base_path": str(folder)}, {})
        base, known = self.settings.base, Known()
        self.database = Database(base.db)
        nothing: dict[str, Any] = {field.name: None for field in fields(Services)}
        some: dict[str, Any] = {
            "settings": self.settings,
            "base": base,
            "activity": Activity(),
            "telemetry": Telemetry(),
            "audit": AuditLog(base),
            "database": self.database,
            "configuration": SimpleNamespace(models={}),
            "library": make_library(self.database),
            "access": AccessControl(mode, known, known, Unlimited()),
        }
        self.services = Services(**nothing | some | more)
        self.app = make_app(self.services)

    def close(self) -> None:
        self.database.close()

    def ask(self, method: str, path: str, token: str | None = "ann", **more: Any) -> httpx.Response:
        """The answer to `token`'s request."""
        headers = {"authorization": f"Bearer {token}"} if token else {}

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://127.0.0.1", headers=headers
            ) as client:
                return await client.request(method, f"/api/v1{path}", **more)

        return asyncio.run(send())

    def good(self, method: str, path: str, token: str | None = "ann", **more: Any) -> Any:
        """The JSON of the answer to a request that is good."""
        answer = self.ask(method, path, token, **more)
        assert answer.is_success, answer.text
        return answer.json()
