"""A subject that sends forty requests at once and one that sends one, through all processes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.fault_house import Engine, fault_house
from harness.server import Server, chat_body
from harness.waiting import PATIENCE, wait_until
from kronk.shared.security import tokens
from kronk.shared.security.grants import UNLIMITED, Grants
from kronk.shared.security.keys import Keyring

CROWD = 40
SLOTS = 2
# Half a second for the scripted engine, so that a request arrives while another is answered.
PROMPT = "from 1 pace 10"
TOKENS = 50
GRANTS = Grants({"chat-completions": UNLIMITED, "embeddings": UNLIMITED})


@pytest.fixture(params=["scripted", "real"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    engine: Engine = request.param
    config = {"Shared": {"n_seq_max": SLOTS, "queue_depth": CROWD}}
    flags = {"auth_mode": "protected"}
    with fault_house(tmp_path, ("Shared",), config, flags, engine=engine) as house:
        yield house


def test_who_sends_one_request_does_not_wait_for_all_of_anothers(server: Server) -> None:
    keyring = Keyring(server.base / "keys")
    now = time.time()
    crowd, single = (
        tokens.issue(keyring, "kronk", duration=3600.0, grants=GRANTS, now=now).token
        for _ in range(2)
    )
    admin = keyring.admin_file.read_text("utf-8").strip()
    asyncio.run(_ask(server, crowd, single, admin))


async def _ask(server: Server, crowd: str, single: str, admin: str) -> None:
    limits = httpx.Limits(max_connections=None)
    url = f"http://127.0.0.1:{server.port}"
    async with (
        asyncio.timeout(2 * PATIENCE),
        httpx.AsyncClient(base_url=url, limits=limits, timeout=PATIENCE) as client,
    ):
        ended = 0

        async def answer(token: str, max_tokens: int = TOKENS) -> int:
            nonlocal ended
            body = chat_body("Shared", PROMPT, max_tokens=max_tokens)
            said = await client.post("/v1/chat/completions", json=body, headers=_bearer(token))
            assert said.status_code == 200, said.text
            ended += 1
            return ended

        # The model is loaded.
        await answer(crowd, 1)
        many = [asyncio.create_task(answer(crowd)) for _ in range(CROWD)]
        await asyncio.to_thread(
            wait_until, lambda: _leases(url, admin) + ended > CROWD, "the crowd is in"
        )
        before = ended
        place = await answer(single)
        # Both slots may have come free while it was on its way, and again while it ran.
        assert place - before <= 4 * SLOTS
        for task in many:
            task.cancel()
        await asyncio.gather(*many, return_exceptions=True)


def _leases(url: str, admin: str) -> int:
    rows: Any = httpx.get(f"{url}/v1/kronk/ps", headers=_bearer(admin)).json()["data"]
    return sum(row["active_streams"] for row in rows)


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
