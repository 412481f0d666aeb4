"""Two Kronks with one set of tokens: the host, which keeps them and counts, and one that asks it.

Both are real, and the host is known by a certificate of the test's own authority.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
from structlog.testing import capture_logs

from harness import certificates
from harness.certificates import Certificates
from harness.server import (
    PATIENCE,
    SMALL,
    Server,
    chat_body,
    free_port,
    install,
    kronk,
    launch,
    running_server,
)
from harness.waiting import wait_until
from kronk.gateway.access.delegation import questions
from kronk.gateway.access.delegation.host import AuthHost
from kronk.gateway.access.delegation.identities import Identities
from kronk.shared.errors import Overloaded
from kronk.shared.security import tokens
from kronk.shared.security.auth_host import authorities
from kronk.shared.security.grants import UNLIMITED, Grants, Limit
from kronk.shared.security.keys import Keyring

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
BODY = chat_body("Tiny", "hi", max_tokens=1)
UNLIMITED_CHAT = Grants({"chat-completions": UNLIMITED, "messages": UNLIMITED})


@dataclass
class Host:
    """The one that keeps keys, tokens and counts. It may be stopped and started again."""

    base: Path
    port: int
    files: Certificates
    server: Server | None = None

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def keyring(self) -> Keyring:
        return Keyring(self.base / "keys")

    def start(self) -> None:
        tls = (f"--tls-cert={self.files.cert}", f"--tls-key={self.files.key}")
        self.server = launch(self.base, self.port, "--auth-enabled", "--spare=false", *tls)
        wait_until(self._is_ready, lambda: f"the host: {self.server and self.server.last_lines()}")

    def stop(self) -> None:
        if self.server is not None:
            assert self.server.stop() == 0
            self.server.prove_gone()
            self.server = None

    def token(self, grants: Grants) -> tokens.Issued:
        return tokens.issue(self.keyring, "kronk", duration=3600.0, grants=grants, now=time.time())

    @property
    def admin(self) -> str:
        return self.keyring.admin_file.read_text("utf-8").strip()

    def service_token(self) -> str:
        return self.token(Grants({"delegation": UNLIMITED})).token

    def client(self, token: str) -> httpx.Client:
        return httpx.Client(
            base_url=self.url,
            verify=ssl.create_default_context(cafile=str(self.files.ca)),
            headers={"Authorization": f"Bearer {token}"},
            timeout=PATIENCE,
        )

    def _is_ready(self) -> bool:
        assert self.server is not None
        assert self.server.process.poll() is None, self.server.output.read_text()
        try:
            with self.client("none") as client:
                return client.get("/v1/readiness").status_code == 200
        except httpx.TransportError:
            return False


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> Iterator[Host]:
    base = tmp_path_factory.mktemp("host")
    install(base, {"test/tiny/Tiny.gguf": tiny})
    host = Host(base, free_port(), certificates.make(base / "tls"))
    host.start()
    try:
        yield host
        host.stop()
    finally:
        if host.server is not None:
            host.server.clean_up()


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, tiny: Path, slow: Path, host: Host
) -> Iterator[Server]:
    """A Kronk that asks the host."""
    own = (
        f"--auth-host={host.url}",
        f"--auth-ca={host.files.ca}",
        f"--auth-token={host.service_token()}",
        # Answers about tokens are used for no time at all, so that no test has to wait.
        "--auth-cache=0",
        "--spare=false",
    )
    base = tmp_path_factory.mktemp("asking")
    cut = base / "cut.gguf"
    cut.write_bytes(tiny.read_bytes()[:100_000])
    files = {
        "test/tiny/Tiny.gguf": tiny,
        "test/tiny/Cut.gguf": cut,
        "test/tiny/Slow.gguf": slow,
    }
    config = {"Slow": SMALL | {"context_window": 8192}}
    with running_server(base, files, config, *own) as server:
        yield server


def ask(server: Server, token: str | None, path: str = CHAT, **more: Any) -> httpx.Response:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return httpx.post(f"{server.url}{path}", json=BODY | more, headers=headers, timeout=PATIENCE)


def test_a_token_of_the_host_is_good_at_the_other_and_only_for_what_it_grants(
    host: Host, server: Server
) -> None:
    token = host.token(Grants({"chat-completions": UNLIMITED})).token
    assert ask(server, token).status_code == 200
    assert ask(server, token, MESSAGES).status_code == 403
    assert ask(server, None).status_code == 401
    assert ask(server, "a.b.c").status_code == 401
    assert ask(server, token[:-8] + "AAAAAAAA").status_code == 401
    # The operator of the host is one here, too.
    admin = {"Authorization": f"Bearer {host.admin}"}
    assert httpx.get(f"{server.url}/v1/kronk/jobs", headers=admin).status_code == 200


def test_the_other_makes_no_keys_of_its_own(server: Server) -> None:
    assert not list((server.base / "keys").glob("master.*"))


def test_a_limit_holds_for_both_together(host: Host, server: Server) -> None:
    token = host.token(Grants({"chat-completions": Limit(3, "day")})).token
    with host.client(token) as there:
        found = [
            ask(server, token),
            there.post(CHAT, json=BODY),
            ask(server, token),
            there.post(CHAT, json=BODY),
            ask(server, token),
        ]
    assert [answer.status_code for answer in found] == [200, 200, 200, 429, 429]
    left = [answer.headers["x-ratelimit-remaining"] for answer in found]
    assert left == ["2", "1", "0", "0", "0"]
    assert int(found[-1].headers["retry-after"]) > 0
    assert "rate limit exceeded" in found[-1].json()["error"]["message"]


def test_a_limit_holds_whoever_is_asked_at_the_same_time(host: Host, server: Server) -> None:
    token = host.token(Grants({"tokenize": Limit(7, "day")})).token
    body = {"model": "Tiny", "prompt": "hi"}
    with host.client(token) as there, httpx.Client(timeout=PATIENCE) as here:
        here.headers["Authorization"] = f"Bearer {token}"
        urls = [(here, f"{server.url}/v1/tokenize"), (there, "/v1/tokenize")] * 10
        with ThreadPoolExecutor(8) as many:
            found = list(many.map(lambda one: one[0].post(one[1], json=body).status_code, urls))
    assert sorted(found) == [200] * 7 + [429] * 13


def test_tokens_are_counted_at_the_host_after_the_answer(host: Host, server: Server) -> None:
    granted = Grants({"chat-completions": UNLIMITED}, tokens=Limit(5, "year"))
    issued = host.token(granted)
    used = ask(server, issued.token).json()["usage"]["total_tokens"]
    call = {
        "subject": issued.claims.subject,
        "key": issued.claims.key,
        "endpoint": "chat-completions",
        "grants": granted.to_claims(),
    }
    with host.client(host.service_token()) as service:

        def counted() -> int:
            # A call that is counted has no tokens yet.
            asked = call | {"request_id": uuid.uuid4().hex}
            answer = service.post("/v1/kronk/auth/charge", json=asked).json()
            return int(answer["tokens"]["used"])

        assert wait_until(counted, "the host to know what was used at the other") == used
    assert ask(server, issued.token).status_code == 429


def test_what_a_server_fails_at_is_given_back_and_what_a_client_does_is_not(
    host: Host, server: Server
) -> None:
    once = Grants({"chat-completions": Limit(1, "day")})
    wrong = host.token(once).token
    assert ask(server, wrong, messages=[]).status_code == 400
    assert ask(server, wrong).status_code == 429
    unlucky = host.token(once).token
    assert ask(server, unlucky, model="Cut").status_code == 503

    def may_call_again() -> bool:
        return ask(server, unlucky).status_code == 200

    wait_until(may_call_again, "the host to give the call back")
    assert ask(server, unlucky).status_code == 429


def test_a_token_that_is_revoked_there_is_none_here(host: Host, server: Server) -> None:
    issued = host.token(UNLIMITED_CHAT)
    assert ask(server, issued.token).status_code == 200
    with host.client(host.admin) as there:
        gone = there.post("/v1/kronk/security/tokens/revoke", json={"token": issued.token})
    assert gone.status_code == 200, gone.text
    assert ask(server, issued.token).status_code == 401


def test_tokens_of_a_key_that_is_deleted_there_are_none_here(host: Host, server: Server) -> None:
    key = host.keyring.create()
    token = host.token(UNLIMITED_CHAT).token
    assert ask(server, token).status_code == 200
    host.keyring.delete(key.kid)
    assert ask(server, token).status_code == 401


def test_keys_and_tokens_are_the_hosts_business(host: Host, server: Server) -> None:
    admin = {"Authorization": f"Bearer {host.admin}"}
    base = f"{server.url}/v1/kronk/security"
    whoami = httpx.get(f"{base}/whoami", headers=admin).json()
    assert (whoami["admin"], whoami["via"]) == (True, "delegated")
    for method, path in (("GET", "keys"), ("POST", "keys"), ("GET", "tokens")):
        answer = httpx.request(method, f"{base}/{path}", headers=admin)
        assert answer.status_code == 409
        assert host.url in answer.json()["error"]["message"]
    done = kronk("security", "token", "list", "--local", f"--base-path={server.base}")
    assert f"asks {host.url} about tokens" in done.stderr


def test_a_stream_ends_with_its_token(host: Host, server: Server) -> None:
    issued = host.token(UNLIMITED_CHAT)
    body = chat_body("Slow", "from 1", max_tokens=8000, stream=True)
    headers = {"Authorization": f"Bearer {issued.token}"}
    with httpx.stream(
        "POST", f"{server.url}{CHAT}", json=body, headers=headers, timeout=PATIENCE
    ) as answer:
        lines = answer.iter_lines()
        assert next(lines).startswith("data: ")
        with host.client(host.admin) as there:
            revoke = {"subject": issued.claims.subject}
            there.post("/v1/kronk/security/tokens/revoke", json=revoke).raise_for_status()
        said = [line for line in lines if line]
    assert json.loads(said[-1].removeprefix("data: "))["error"]["code"] == "unauthenticated"
    assert "data: [DONE]" not in said


def test_what_the_host_answers_is_what_it_says_that_it_answers(host: Host) -> None:
    issued = host.token(Grants({"rerank": Limit(1, "day")}))
    whose = {"subject": issued.claims.subject, "key": issued.claims.key}
    call = whose | {"endpoint": "rerank", "grants": issued.claims.grants.to_claims()}
    with host.client(host.service_token()) as service:

        def say(name: str, body: dict[str, Any], schema: Any) -> dict[str, Any]:
            answer = service.post(f"/v1/kronk/auth/{name}", json=body)
            assert answer.status_code == 200, answer.text
            found: dict[str, Any] = answer.json()
            jsonschema.validate(found, schema)
            return found

        known = say("identify", {"token": issued.token}, questions.IDENTIFIED)
        assert (known["subject"], known["admin"]) == (issued.claims.subject, False)
        assert not say("identify", {"token": "a.b.c"}, questions.IDENTIFIED)["valid"]
        assert say("recheck", whose, questions.RECHECKED)["valid"]
        assert not say("recheck", whose | {"key": None}, questions.RECHECKED)["valid"]
        # Asked three times, counted once.
        charges = [say("charge", call | {"request_id": "r1"}, questions.CHARGED) for _ in range(3)]
        assert [(one["allowed"], one["calls"]["remaining"]) for one in charges] == [(True, 0)] * 3
        assert not say("charge", call | {"request_id": "r2"}, questions.CHARGED)["allowed"]
        settled = [say("settle", {"charge": "r1", "refund": True}, questions.SETTLED) for _ in "ab"]
        assert [one["known"] for one in settled] == [True, False]
        assert say("charge", call | {"request_id": "r2"}, questions.CHARGED)["allowed"]
        # Nor can anybody else say what a call came to.
        with host.client(host.service_token()) as another:
            foreign = another.post("/v1/kronk/auth/settle", json={"charge": "r2", "refund": True})
            assert not foreign.json()["known"]
    for token, status in ((issued.token, 403), ("a.b.c", 401)):
        with host.client(token) as user:
            answer = user.post("/v1/kronk/auth/identify", json={"token": issued.token})
            assert answer.status_code == status


def refused(host: Host, service: str, ca: Path) -> list[Any]:
    """What the log says when a Kronk with this token, which trusts this authority, asks."""

    async def run() -> None:
        client = AuthHost(host.url, service, trust=authorities(ca))
        identities = Identities(client)
        with pytest.raises(Overloaded, match="the authentication host does not answer"):
            await identities.identify(host.token(UNLIMITED_CHAT).token)
        await client.close()

    with capture_logs() as logs:
        asyncio.run(run())
    return [line["reason"] for line in logs]


def test_a_service_that_may_not_ask_is_its_operators_mistake_and_not_the_users(host: Host) -> None:
    (reason,) = refused(host, host.token(UNLIMITED_CHAT).token, host.files.ca)
    assert "does not grant `delegation`" in reason
    (reason,) = refused(host, "a.b.c", host.files.ca)
    assert "no good token" in reason


def test_a_host_that_no_authority_vouches_for_is_not_asked(host: Host, tmp_path: Path) -> None:
    (reason,) = refused(host, host.service_token(), certificates.make(tmp_path).ca)
    assert "CERTIFICATE_VERIFY_FAILED" in reason


def test_without_the_host_nobody_is_let_in_and_with_it_all_is_well_again(
    host: Host, server: Server
) -> None:
    token = host.token(UNLIMITED_CHAT).token
    assert ask(server, token).status_code == 200
    host.stop()
    for path, kind in ((CHAT, "overloaded_error"), (MESSAGES, "overloaded_error")):
        answer = ask(server, token, path)
        assert answer.status_code == 503
        assert answer.json()["error"]["type"] == kind
        assert int(answer.headers["retry-after"]) > 0
    assert httpx.get(f"{server.url}/v1/liveness").status_code == 200
    host.start()
    assert ask(server, token).status_code == 200
    assert ask(server, token, MESSAGES).status_code == 200


def test_no_token_is_in_any_log(host: Host, server: Server) -> None:
    for base in (host.base, server.base):
        log = (base / "logs" / "kronk.log").read_text(errors="replace")
        assert "eyJ" not in log
        assert "Traceback" not in log
        # Nor a line for each question.
        assert "HTTP Request" not in log
