"""Models under a memory budget, with real processes."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.counting_model import counted
from harness.server import SMALL, Server, running_server
from harness.waiting import PATIENCE, wait_until

MIB = 2**20
# The counting model takes some 100 MiB with its process: there is room for one.
FOR_ONE = 160 * MIB


def budget(server: Server) -> dict[str, Any]:
    """Of main memory."""
    (found,) = [one for one in server.status()["budgets"] if one["device"] == "host"]
    return dict(found)


def test_two_models_share_the_memory_of_one_in_turns(start_server: Any, counting: Path) -> None:
    files = {f"{name}.gguf": counting for name in "AB"}
    server = start_server(files, {}, f"--memory-budget={FOR_ONE}", "--cache-ttl=0")
    for model in "ABAB":
        assert server.text(model, "from 7", max_tokens=3) == counted(7, 3)
        now = budget(server)
        assert 0 < now["reserved_bytes"] <= now["budget_bytes"] == FOR_ONE
        row = server.row(model)
        assert row["predicted_bytes"] == now["reserved_bytes"]
        # The process has what was expected of it; the rest is for its cache.
        cache = FOR_ONE // 8
        assert row["measured_bytes"] == pytest.approx(row["predicted_bytes"] - cache, rel=0.25)
    unloads = server.events("model unloads")
    assert [(event["model"], event["reason"]) for event in unloads] == [
        (model, "made room for another model") for model in "ABA"
    ]
    assert server.alarms() == []


def test_requests_for_both_at_once_are_all_served_and_nothing_is_over_the_budget(
    start_server: Any, counting: Path
) -> None:
    files = {f"{name}.gguf": counting for name in "AB"}
    server = start_server(files, {}, f"--memory-budget={FOR_ONE}", "--cache-ttl=0")
    answers: list[httpx.Response] = []

    def client(model: str) -> None:
        for _ in range(5):
            answers.append(server.chat(model, "from 7", max_tokens=3))

    clients = [threading.Thread(target=client, args=(model,)) for model in "AB"]
    for one in clients:
        one.start()
    most = 0
    while any(one.is_alive() for one in clients):
        most = max(most, budget(server)["reserved_bytes"])
    for one in clients:
        one.join(PATIENCE)
    assert [answer.status_code for answer in answers] == [200] * 10
    assert 0 < most <= FOR_ONE


def test_a_busy_model_keeps_its_memory_until_it_is_done(
    start_server: Any, counting: Path, slow: Path
) -> None:
    server = start_server(
        {"Busy.gguf": slow, "Other.gguf": counting},
        {},
        "--memory-budget=400MiB",
        "--cache-ttl=0",
    )
    with server.stream("Busy", "from 7", max_tokens=300) as busy:
        busy.wait_for_pieces(1)
        with server.stream("Other", "from 100", max_tokens=3) as other:
            server.wait_for_row("Other", queued=1)
            assert server.row("Busy")["state"] == "ready"
            other.wait_for_end()
            busy.wait_for_end()
            assert busy.text == counted(7, 300)
            assert other.text == counted(100, 3)
            assert other.times[0] > busy.times[-1]


def test_what_never_fits_is_a_507_with_the_numbers_in_every_dialect(
    start_server: Any, counting: Path
) -> None:
    server = start_server(
        {"Long.gguf": counting}, {"Long": {"context_window": 200_000}}, "--memory-budget=150MiB"
    )
    spare = wait_until(lambda: server.role_pid("spare"), "a spare")
    message = {"role": "user", "content": "Hello!"}
    said = "Long does not fit: it needs "
    few = {
        "/v1/chat/completions": {"max_tokens": 3},
        "/v1/messages": {"max_tokens": 3},
        "/api/chat": {"options": {"num_predict": 3}},
    }
    answers = {
        path: httpx.post(
            f"{server.url}{path}",
            json={"model": "Long", "messages": [message], **own},
            timeout=PATIENCE,
        )
        for path, own in few.items()
    }
    assert {answer.status_code for answer in answers.values()} == {507}
    openai = answers["/v1/chat/completions"].json()["error"]
    assert (openai["code"], openai["param"]) == ("insufficient_memory", "model")
    anthropic = answers["/v1/messages"].json()["error"]
    assert (anthropic["type"], anthropic["code"]) == ("api_error", "insufficient_memory")
    ollama = answers["/api/chat"].json()
    assert ollama["code"] == "insufficient_memory"
    for words in (openai["message"], anthropic["message"], ollama["error"]):
        assert words.startswith(said)
        assert "of the 150 MiB that models may take" in words
        assert "context_window: " in words
    # Refused at once: no process was used for it.
    assert server.role_pid("spare") == spare
    assert server.events("load started") == []


def test_the_advice_works(start_server: Any, counting: Path) -> None:
    files = {"Long.gguf": counting}
    config = {"context_window": 200_000, "n_seq_max": 1, "n_threads": 1}
    server = start_server(files, {"Long": config}, "--memory-budget=150MiB")
    message = server.chat("Long", "from 7").json()["error"]["message"]
    advised = int(message.split("context_window: ")[1].split(";")[0])
    path = server.base / "models.yaml"
    path.write_text(json.dumps({"models": {"Long": config | {"context_window": advised}}}))
    assert httpx.post(f"{server.url}/v1/kronk/reload", timeout=PATIENCE).status_code == 200
    assert server.text("Long", "from 7", max_tokens=3) == counted(7, 3)


def test_what_a_load_took_is_known_to_the_next_server(tmp_path: Path, counting: Path) -> None:
    files = {"A.gguf": counting}
    base = tmp_path / "base"
    with running_server(base, files) as server:
        server.text("A", "from 7", max_tokens=1)
        (first,) = server.events("load started")
        taken = server.row("A")["predicted_bytes"]
        # No prediction is right to the byte.
        assert first["reserved_bytes"] != taken
        wait_until((base / "db" / "model-sizes.json").exists, "the file of sizes")
    with running_server(base, {}, {"A": SMALL}) as server:
        server.text("A", "from 7", max_tokens=1)
        *_, second = server.events("load started")
        assert second["reserved_bytes"] == taken
