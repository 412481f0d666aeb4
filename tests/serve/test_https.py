"""A server that speaks TLS, as its operator starts it and asks it."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from harness.server import free_port, kronk
from harness.tls_pairs import Pair, make_pair
from harness.waiting import wait_until


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("k") / "base"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return make_pair(tmp_path_factory.mktemp("tls"), "kronk")


@pytest.fixture(scope="module")
def port(base: Path, pair: Pair) -> Iterator[int]:
    port = free_port()
    flags = (f"--tls-cert={pair.cert}", f"--tls-key={pair.key}", "--spare=false")
    # All interfaces, and nobody is asked for a token.
    where = (f"--base-path={base}", f"--api-host=0.0.0.0:{port}")
    started = kronk("server", "start", "--detach", *where, *flags)
    assert started.returncode == 0, started.stderr
    try:
        assert f"API: https://127.0.0.1:{port}" in started.stdout
        assert "warning: anybody who reaches this address" in started.stderr
        yield port
    finally:
        stopped = kronk("server", "stop", f"--base-path={base}")
    assert stopped.returncode == 0, stopped.stderr


def test_commands_find_it_and_trust_its_certificate(base: Path, port: int) -> None:
    done = kronk("ps", f"--base-path={base}")
    assert done.returncode == 0, done.stderr
    assert "warning: anybody who reaches" in done.stdout
    facts = json.loads((base / "run" / "server.json").read_text())
    assert facts["api"] == f"https://0.0.0.0:{port}"


def test_clients_that_know_its_authority_reach_it(port: int, pair: Pair) -> None:
    trust = ssl.create_default_context(cafile=str(pair.cert))
    answer = httpx.get(f"https://127.0.0.1:{port}/v1/models", verify=trust, timeout=20)
    assert answer.json() == {"object": "list", "data": []}
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"https://127.0.0.1:{port}/v1/models", timeout=20)


def test_the_log_says_once_who_may_come_in(base: Path, port: int) -> None:
    def lines() -> list[str]:
        log = (base / "logs" / "kronk.log").read_text()
        return [line for line in log.splitlines() if "anybody who reaches" in line]

    assert port
    (line,) = wait_until(lines, "the warning")
    assert json.loads(line)["level"] == "warning"
