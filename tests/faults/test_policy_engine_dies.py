"""A gateway whose engine of policies is killed, or whose policies change while it serves."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from fakes.gateway_house import House

PATIENCE = 20.0
POLICY = """package kronk.authorization

import data.kronk.modes
import rego.v1

default allow := false

allow if reason == "ok"

reason := modes.reason if modes.reason != "ok"

else := "%s"

# Ends a process with ZeroMQ in it, as the gateway's is.
day := time.weekday([time.now_ns(), "Europe/Berlin"])
"""


class Policed:
    """A gateway in mode `protected` with policies of its own."""

    def __init__(self, house: House, folder: Path) -> None:
        self.house = house
        self.folder = folder
        token = (house.base / "keys" / "master.jwt").read_text().strip()
        self.client = httpx.Client(
            base_url=house.url, headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE
        )

    def write(self, reason: str, models: str = "null") -> None:
        new = self.folder / "new"
        new.write_text(POLICY % reason + f"\nmodels := {models}\n")
        new.rename(self.folder / "authorization.rego")

    def ask(self) -> tuple[int, str]:
        answer = self.client.get("/v1/models")
        return answer.status_code, answer.text

    def wait_for(self, status: int, text: str = "") -> None:
        """Ask until that is the answer."""
        deadline = time.monotonic() + PATIENCE
        while True:
            found = self.ask()
            if found[0] == status and text in found[1]:
                return
            assert time.monotonic() < deadline, found
            time.sleep(0.05)

    def wait_for_models(self, status: int, path: str, body: dict[str, Any]) -> None:
        """Ask for an answer of a model until that is the status."""
        deadline = time.monotonic() + PATIENCE
        while self.client.post(path, json=body).status_code != status:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def engines(self) -> list[psutil.Process]:
        children = psutil.Process(self.house.process.pid).children()
        return [child for child in children if "kronk.gateway.rego.main" in child.cmdline()]


@pytest.fixture(scope="module")
def policed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Policed]:
    base = tmp_path_factory.mktemp("policed")
    folder = base / "policies"
    folder.mkdir()
    (folder / "authorization.rego").write_text(POLICY % "ok")
    with House(base, auth_mode="protected", policy_dir=str(folder)) as house:
        found = Policed(house, folder)
        with found.client:
            yield found


def test_a_change_is_taken_up_by_another_engine_and_the_old_one_ends(policed: Policed) -> None:
    policed.wait_for(200)
    [old] = policed.engines()
    policed.write("closed")
    policed.wait_for(403, "refused by the policy: closed")
    [new] = policed.engines()
    assert new.pid != old.pid
    policed.write("ok")
    policed.wait_for(200)


def test_a_policy_says_which_models_there_are_for_somebody(policed: Policed) -> None:
    body = {"model": "Large", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2}
    policed.write("ok")
    policed.wait_for(200)
    path = "/v1/chat/completions"
    assert policed.client.post(path, json=body).status_code == 200
    policed.write("ok", models='["Small*"]')
    policed.wait_for_models(403, path, body)
    answer = policed.client.post(path, json=body)
    assert answer.json()["error"]["message"] == "model not authorized"
    small = body | {"model": "Small-1"}
    assert policed.client.post(path, json=small).status_code == 200


def test_an_engine_that_is_killed_is_started_again(policed: Policed) -> None:
    policed.write("first")
    policed.wait_for(403, "first")
    [old] = policed.engines()
    os.kill(old.pid, signal.SIGKILL)
    # What was decided still holds, and needs no engine.
    assert policed.ask()[0] == 403
    policed.write("second")
    policed.wait_for(403, "second")
    [new] = policed.engines()
    os.kill(new.pid, signal.SIGKILL)
    answers = []
    deadline = time.monotonic() + PATIENCE
    while not answers or answers[-1] != 403:
        # Another route: what it is about was not decided yet.
        answers.append(policed.client.get("/v1/kronk/ps").status_code)
        assert time.monotonic() < deadline, answers
        time.sleep(0.05)
    # Nobody was let in meanwhile.
    assert set(answers) <= {403, 503}
    policed.write("ok")
    policed.wait_for(200)


def test_a_gateway_that_is_killed_leaves_no_engine(policed: Policed) -> None:
    policed.wait_for(200)
    [engine] = policed.engines()
    policed.house.process.kill()
    assert psutil.wait_procs([engine], timeout=PATIENCE)[1] == []
