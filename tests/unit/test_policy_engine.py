"""The engine of policies has a process of its own: what ends it, or never ends, is no answer."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from kronk.gateway.access.policy import engine as engine_module
from kronk.gateway.access.policy.decision import PolicyFailed
from kronk.gateway.access.policy.embedded import Embedded
from kronk.gateway.access.policy.engine import Engine
from kronk.gateway.access.policy.folder import Files

HEAD = "package kronk.authorization\nimport rego.v1\n"
# Never done, as far as anybody waits.
ENDLESS = HEAD + (
    "allow if input.quick\n"
    "allow if {\n"
    "  not input.quick\n"
    "  xs := numbers.range(1, 3000)\n"
    "  count([1 | some a in xs; some b in xs; some c in xs; a * b * c == 7]) > 0\n"
    "}\n"
)


def engine(text: str) -> Engine:
    return Engine(Files({"own.rego": text}, {}))


def test_time_zones_do_not_end_it() -> None:
    """In a process with numpy or ZeroMQ they do."""
    found = engine(HEAD + 'allow := time.weekday([time.now_ns(), "Europe/Berlin"]) != ""')
    assert found.result({}) == {"allow": True}
    found.close()


def test_a_policy_that_never_ends_is_no_answer_and_ends_the_engine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine_module, "_SECONDS", 0.3)
    found = engine(ENDLESS)
    assert found.result({"quick": True}) == {"allow": True}
    with pytest.raises(PolicyFailed) as caught:
        found.result({})
    assert caught.value.why == "the policy does not come to an end"
    assert not found.is_alive
    with pytest.raises(PolicyFailed):
        found.result({"quick": True})


def test_policies_that_cannot_be_compiled_are_told_where() -> None:
    found = engine(HEAD + "allow := {")
    with pytest.raises(PolicyFailed) as caught:
        found.get_ready()
    assert caught.value.why.startswith("own.rego:")
    found.close()


def test_it_cannot_see_the_secrets_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KRONK_AUTH_TOKEN", "secret")
    found = engine(HEAD + 'allow := "secret" in {v | some v in opa.runtime().env}')
    assert found.result({}) == {"allow": False}
    found.close()


def test_it_is_started_again_when_it_has_ended_but_not_at_once() -> None:
    now = 1000.0

    async def run() -> None:
        nonlocal now
        source = Embedded(clock=lambda: now)
        assert await source.answer({"mode": "open"}) is not None
        os.kill(source._engine._process.pid, signal.SIGKILL)
        source._engine._process.wait()
        with pytest.raises(PolicyFailed, match="cannot be evaluated"):
            await source.answer({"mode": "open"})
        now += 1.0
        with capture_logs() as lines:
            assert (await source.answer({"mode": "open"}))["allow"] is True
        assert [line["log_level"] for line in lines] == ["error"]
        await source.close()

    asyncio.run(run())


def test_closing_a_source_leaves_no_process() -> None:
    async def run() -> Embedded:
        source = Embedded()
        await source.answer({"mode": "open"})
        await source.close()
        with pytest.raises(PolicyFailed):
            source._answer({})
        return source

    assert asyncio.run(run())._engine._process.poll() is not None


def test_it_ends_with_its_input_and_not_by_signals_that_all_get(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "kronk.gateway.rego.main"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin and process.stdout
        process.stdin.write(b'{"modules": {}, "data": {}}\n')
        process.stdin.flush()
        assert process.stdout.readline() == b'{"result": null}\n'
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        process.stdin.write(b"{}\n")
        process.stdin.flush()
        assert process.stdout.readline().startswith(b'{"error": ')
        process.stdin.close()
        assert process.wait(20) == 0


def test_where_no_process_can_be_started_there_is_no_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1000.0

    async def run() -> None:
        nonlocal now
        source = Embedded(clock=lambda: now)
        source._engine.close()
        now += 1.0
        monkeypatch.setattr(sys, "executable", "/nowhere/python")
        with pytest.raises(PolicyFailed) as caught:
            await source.answer({"mode": "open"})
        assert "cannot be started" in caught.value.why
        await source.close()

    asyncio.run(run())
