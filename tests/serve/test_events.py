"""The live state of a real server that asks for tokens: slots at work, loads, ends, and who sees
what. The tests follow one another on one server."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from harness import watching
from harness.server import KRONK, Server, chat_body, launch, running_server
from harness.terminal import Terminal
from harness.waiting import PATIENCE
from harness.watching import Told, Watcher
from kronk.shared.paths import BasePath

MODEL = "Slow"


class Town:
    """A server, and its administrator."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.admin = bearer(BasePath(server.base).admin_token.read_text("ascii").strip())
        self.http = httpx.Client(base_url=server.url, headers=self.admin, timeout=PATIENCE)

    def token(self, **wish: Any) -> tuple[str, dict[str, str]]:
        """The subject of a new token, and the header that has it."""
        answer = self.http.post("/v1/kronk/security/tokens", json={"duration": "1h", **wish})
        assert answer.status_code == 200, answer.text
        found = answer.json()
        return found["subject"], bearer(found["token"])

    def chat(self, max_tokens: int) -> httpx.Response:
        body = chat_body(MODEL, "from 7", max_tokens=max_tokens)
        return self.http.post("/v1/chat/completions", json=body)

    def pid(self) -> int:
        """Of the model's process."""
        [row] = self.http.get("/v1/kronk/ps").json()["data"]
        return int(row["pid"])


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, slow: Path) -> Iterator[Town]:
    base = tmp_path_factory.mktemp("town")
    with running_server(base, {f"{MODEL}.gguf": slow}, {}, "--auth-mode=protected") as server:
        town = Town(server)
        yield town
        town.http.close()


def model_of(state: Told) -> Told | None:
    return next((row for row in state["models"] if row["model"] == MODEL), None)


def has_slot(phase: str) -> Any:
    """States in which a slot of the model is at that."""

    def found(told: Told) -> bool:
        row = model_of(told) if told["type"] == "state" else None
        return row is not None and any(slot["phase"] == phase for slot in row["slots"])

    return found


def test_a_load_a_stream_an_unload_and_a_crash_are_seen_on_both_ways(town: Town) -> None:
    with ExitStack() as stack:
        watchers = [
            stack.enter_context(way(town.server.url, town.admin))
            for way in (watching.sse, watching.socket)
        ]
        for watcher in watchers:
            watcher.state()
        body = chat_body(MODEL, "from 7", max_tokens=900, stream=True)
        with town.http.stream("POST", "/v1/chat/completions", json=body) as stream:
            name = stream.headers["x-request-id"]
            for watcher in watchers:
                assert watcher.event("model.ready")["model"] == MODEL
                _assert_generating(watcher, name)
        for action, kind in (("unload", "model.unloaded"), ("crash", "model.crashed")):
            assert town.chat(1).status_code == 200
            pid = town.pid()
            if action == "unload":
                town.http.post(f"/v1/kronk/models/{MODEL}/unload")
            else:
                town.server.kill(pid, signal.SIGKILL)
            for watcher in watchers:
                event = watcher.event(kind)
                assert event["model"] == MODEL
                assert event["reason"]


def _assert_generating(watcher: Watcher, name: str) -> None:
    state = watcher.wait_for(has_slot("generating"))
    row = model_of(state)
    assert row is not None
    [slot] = [slot for slot in row["slots"] if slot["phase"] == "generating"]
    # A request's id, as logs and the client know it, and whose it is: an administrator asks.
    assert name
    assert slot["request"]
    assert slot["by"]
    assert slot["prompt_done"] == slot["prompt"] > 0
    assert slot["rows"] >= slot["generated"] > 0
    kinds = {cache["kind"]: cache for cache in row["caches"]}
    assert kinds["slots"]["bytes"] > 0
    roles = {one["role"]: one for one in state["processes"]}
    assert {"supervisor", "gateway", "worker"} <= set(roles)
    assert roles["worker"]["model"] == MODEL
    assert state["system"]["memory"]["total_bytes"] > 0
    assert state["server"]["mode"] == "protected"


@pytest.mark.parametrize(
    ("wish", "status"),
    [
        (None, 401),
        ({"endpoints": ["chat-completions:unlimited"]}, 403),
    ],
)
def test_who_may_not_read_gets_neither(town: Town, wish: Any, status: int) -> None:
    headers = {} if wish is None else town.token(**wish)[1]
    answer = httpx.get(f"{town.server.url}{watching.EVENTS}", headers=headers, timeout=PATIENCE)
    assert answer.status_code == status
    with pytest.raises(InvalidStatus) as refused:
        watching.opened(town.server.url, headers)
    assert refused.value.response.status_code == status
    assert json.loads(refused.value.response.body)["error"]["code"]


def test_a_token_for_other_models_sees_none_of_this_one_and_ends_when_it_is_revoked(
    town: Town,
) -> None:
    assert town.chat(1).status_code == 200
    subject, headers = town.token(endpoints=["monitoring"], models=["other-*"])
    _, wide = town.token(endpoints=["monitoring"])
    url = town.server.url
    with (
        watching.sse(url, headers) as narrow,
        watching.socket(url, headers) as socket,
        watching.sse(url, wide) as all_models,
    ):
        assert MODEL not in json.dumps(narrow.state())
        row = model_of(all_models.wait_for(has_slot("idle")))
        assert row is not None
        assert {slot["by"] for slot in row["slots"]} == {None}
        town.http.post("/v1/kronk/security/tokens/revoke", json={"subject": subject})
        for watcher in (narrow, socket):
            end = watcher.end()
            assert (end["reason"], end["message"]) == ("unauthenticated", "the token was revoked")
        assert socket.code == 1008
        # Who was not revoked watches on.
        all_models.state()


def test_what_is_read_at_once_shows_no_other_models_either(town: Town) -> None:
    assert town.chat(1).status_code == 200
    _, narrow = town.token(endpoints=["monitoring"], models=["other-*"])
    _, wide = town.token(endpoints=["monitoring"], models=[MODEL])

    def read(path: str, headers: dict[str, str]) -> httpx.Response:
        return httpx.get(f"{town.server.url}/v1/kronk/{path}", headers=headers, timeout=PATIENCE)

    for path in ("ps", "history", "models", "loads", "statistics"):
        answer = read(path, narrow)
        assert (answer.status_code, answer.json()["data"]) == (200, [])
    for path in ("ps", "models", "statistics"):
        assert MODEL in read(path, wide).text
    for path in (f"models/{MODEL}", f"models/{MODEL}/history", f"statistics/{MODEL}"):
        assert read(path, narrow).status_code == 403
        assert read(path, wide).status_code == 200


def test_ps_watch_shows_slots_and_survives_a_restart(town: Town, slow: Path) -> None:
    server = town.server
    command = [KRONK, "ps", "--watch", f"--base-path={server.base}"]
    with Terminal(command, server.mark) as screen:
        screen.wait_for(MODEL)
        body = chat_body(MODEL, "from 7", max_tokens=900, stream=True)
        with town.http.stream("POST", "/v1/chat/completions", json=body):
            screen.wait_for("generating")
        town.http.post(f"/v1/kronk/models/{MODEL}/unload")
        screen.wait_for(f"{MODEL} was unloaded")
        assert server.stop() == 0
        screen.wait_for("trying again")
        again = launch(server.base, server.port, "--auth-mode=protected")
        try:
            screen.wait_for("the server was restarted")
            screen.type("\x03")
            assert screen.process.wait(PATIENCE) == 0
            assert "Traceback" not in screen.shown
        finally:
            assert again.stop() == 0
