"""Attacks on tokens, from outside, on a server that asks for them.

Whoever is not let in learns one thing: that he is not. The answer is the same to the byte for every
attack and does not depend on what there is.
"""

from __future__ import annotations

import json
import re
import socket
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.forgery import FORGERIES, Forger
from harness.raw_http import Answered, exchange, head
from harness.server import PATIENCE, SMALL, Server, chat_body, running_server
from kronk.shared.security import tokens
from kronk.shared.security.grants import UNLIMITED, Grants, Limit
from kronk.shared.security.keys import Keyring

CHAT = "/v1/chat/completions"
ISSUER = "kronk"
# One route of each class that asks who it is: method, path, and a body that would be good.
ROUTES: dict[str, tuple[str, str, Any]] = {
    "discovery": ("GET", "/v1/models", None),
    "inference": ("POST", CHAT, chat_body("Tiny", "hi", max_tokens=1)),
    "reading": ("GET", "/v1/kronk/ps", None),
    "administration": ("POST", "/v1/kronk/models/Tiny/unload", None),
    "delegation": ("POST", "/v1/kronk/auth/identify", {"token": "a.b.c"}),
}


@dataclass
class House:
    """A server that asks for tokens, and its keys."""

    server: Server
    keyring: Keyring

    def token(self, grants: Grants, **more: Any) -> str:
        wanted: dict[str, Any] = {"duration": 3600.0, "now": time.time(), **more}
        return tokens.issue(self.keyring, ISSUER, grants=grants, **wanted).token

    @property
    def admin(self) -> str:
        return self.keyring.admin_file.read_text("utf-8").strip()

    def forger(self) -> Forger:
        good = tokens.issue(
            self.keyring,
            ISSUER,
            duration=3600.0,
            grants=Grants({"chat-completions": UNLIMITED}),
            admin=True,
            now=time.time(),
        )
        return Forger(good.token, self.keyring.newest_signer, int(time.time()))

    def ask(self, name: str, *headers: tuple[bytes, bytes]) -> Answered:
        """The route of that class with these headers and no others."""
        method, path, body = ROUTES[name]
        content = b"" if body is None else httpx.Request("POST", "/", json=body).content
        more = ((b"Content-Length", str(len(content)).encode()),) if content else ()
        request = head(method.encode(), path.encode(), [*headers, *more])
        return exchange(self.server.port, request, content)

    def with_token(self, name: str, token: str) -> Answered:
        return self.ask(name, (b"Authorization", f"Bearer {token}".encode("latin-1")))

    def http(self, token: str | None = None) -> httpx.Client:
        client = self.server.http()
        if token is not None:
            client.headers["Authorization"] = f"Bearer {token}"
        return client


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, tiny: Path, slow: Path) -> Iterator[House]:
    base = tmp_path_factory.mktemp("guarded")
    files = {"test/tiny/Tiny.gguf": tiny, "test/tiny/Slow.gguf": slow}
    config = {"Slow": SMALL | {"context_window": 8192}}
    with running_server(base, files, config, "--auth-enabled") as server:
        yield House(server, Keyring(base / "keys"))


@pytest.fixture(scope="module")
def forger(house: House) -> Forger:
    return house.forger()


def nameless(content: bytes) -> bytes:
    """An answer without the request's own id."""
    return re.sub(rb"req-[0-9a-f]+", b"", content)


@pytest.mark.parametrize("name", ROUTES)
def test_the_token_that_is_forged_from_is_good(house: House, forger: Forger, name: str) -> None:
    assert house.with_token(name, forger.good).status == 200
    # And so is one that is signed anew without a change: each forgery fails for what it changes.
    assert house.with_token(name, forger.signed()).status == 200


@pytest.fixture(scope="module")
def refusal(house: House) -> dict[str, bytes]:
    """What who is not known is told, by class."""
    return {name: nameless(house.with_token(name, "x.y.z").content) for name in ROUTES}


@pytest.mark.parametrize("attack", FORGERIES)
def test_a_forged_token_is_an_invalid_token_everywhere(
    house: House, forger: Forger, refusal: dict[str, bytes], attack: str
) -> None:
    forged = FORGERIES[attack](forger)
    for name in ROUTES:
        answer = house.with_token(name, forged)
        if answer.status == 400:
            # No such thing comes through as a header.
            assert not forged.isascii() or not forged.isprintable()
            continue
        assert answer.status == 401, (name, answer.content)
        assert answer.headers["www-authenticate"] == "Bearer"
        assert nameless(answer.content) == refusal[name]
        assert b"invalid token" in answer.content


# Headers.


def bearer(
    token: str, name: bytes = b"Authorization", scheme: bytes = b"Bearer "
) -> tuple[bytes, bytes]:
    return name, scheme + token.encode()


# How a request may look, with a good token @G or an administrator's @A: what it is answered. 400 is
# "this is no HTTP"; 403 is for cookies that come without the page they belong to.
SENT: dict[str, tuple[list[tuple[bytes, bytes]], set[int]]] = {
    "as it should be": ([(b"Authorization", b"Bearer @G")], {200}),
    "in small letters": ([(b"authorization", b"bearer @G")], {200}),
    "in capitals": ([(b"AUTHORIZATION", b"BEARER @G")], {200}),
    "more blanks": ([(b"Authorization", b"  Bearer   @G  ")], {200}),
    "where Anthropic's clients have it": ([(b"x-api-key", b"@G")], {200}),
    "twice the same in both places": (
        [(b"Authorization", b"Bearer @G"), (b"X-Api-Key", b"@G")],
        {200},
    ),
    "a cookie of somebody's beside it": (
        [(b"Authorization", b"Bearer @G"), (b"Cookie", b"kronk_session=x")],
        {200},
    ),
    "nothing": ([], {401}),
    "two people": ([(b"Authorization", b"Bearer @G"), (b"Authorization", b"Bearer @A")], {401}),
    "two people, the other way round": (
        [(b"Authorization", b"Bearer @A"), (b"authorization", b"Bearer @G")],
        {401},
    ),
    "two people in two places": ([(b"Authorization", b"Bearer @G"), (b"X-Api-Key", b"@A")], {401}),
    "two keys": ([(b"X-Api-Key", b"@G"), (b"x-api-key", b"@A")], {401}),
    "a good one and a bad one": ([(b"Authorization", b"Bearer @G"), (b"X-Api-Key", b"x")], {401}),
    "a good one and an empty one": (
        [(b"Authorization", b"Bearer @G"), (b"Authorization", b"")],
        {401},
    ),
    "a good one and an empty key": ([(b"Authorization", b"Bearer @G"), (b"X-Api-Key", b"")], {401}),
    "two in one, with a comma": ([(b"Authorization", b"Bearer @G, Bearer @A")], {401}),
    "two in one, with a blank": ([(b"Authorization", b"Bearer @G @A")], {401}),
    "a tab": ([(b"Authorization", b"Bearer\t@G")], {401}),
    "no blank": ([(b"Authorization", b"Bearer@G")], {401}),
    "no scheme": ([(b"Authorization", b"@G")], {401}),
    "no token": ([(b"Authorization", b"Bearer")], {401}),
    "another scheme": ([(b"Authorization", b"Basic @G")], {401}),
    "the scheme twice": ([(b"Authorization", b"Bearer Bearer @G")], {401}),
    "quotes": ([(b"Authorization", b'Bearer "@G"')], {401}),
    "a scheme for the key": ([(b"X-Api-Key", b"Bearer @G")], {401}),
    "a header of another name": ([(b"X-Authorization", b"Bearer @G")], {401}),
    "a proxy's header": ([(b"Proxy-Authorization", b"Bearer @G")], {401}),
    "a name with a line below": ([(b"X_Api_Key", b"@G")], {401}),
    "who it is by a proxy's word": (
        [(b"X-Forwarded-User", b"admin"), (b"Remote-User", b"admin"), (b"X-Real-IP", b"127.0.0.1")],
        {401},
    ),
    "a cookie of ours with a token": ([(b"Cookie", b"kronk_session=@G")], {401, 403}),
    "a cookie over TLS with a token": ([(b"Cookie", b"__Host-kronk_session=@G")], {401, 403}),
    "a cookie named like the header": ([(b"Cookie", b"Authorization=Bearer @G")], {401}),
    "cookies of two sessions": (
        [(b"Cookie", b"kronk_session=a; kronk_session=b")],
        {401, 403},
    ),
    "a line that goes on": ([(b"Authorization", b"Bearer\r\n @G")], {400, 401}),
    "a header within": ([(b"X-A", b"b\r\nX-B: c"), (b"X-Api-Key", b"x")], {401}),
    "a lone line feed": ([(b"X-Api-Key", b"x\nAuthorization: Bearer @G")], {400, 401}),
    "a NUL": ([(b"Authorization", b"Bearer @G\0")], {400, 401}),
    "a blank before the colon": ([(b"Authorization ", b"Bearer @G")], {400, 401}),
}


@pytest.mark.parametrize("case", SENT)
def test_one_request_is_of_one_person_who_says_so_in_one_way(house: House, case: str) -> None:
    sent, statuses = SENT[case]
    good, admin = (
        house.token(Grants({"chat-completions": UNLIMITED})).encode(),
        house.admin.encode(),
    )
    headers = [(name, value.replace(b"@G", good).replace(b"@A", admin)) for name, value in sent]
    answer = house.ask("inference", *headers)
    assert answer.status in statuses, answer.content
    answer = house.ask("discovery", *headers)
    assert answer.status in statuses - {403}, answer.content


@pytest.mark.parametrize(
    "query",
    [
        "token=T",
        "access_token=T",
        "api_key=T",
        "authorization=Bearer%20T",
        "Authorization=Bearer+T",
    ],
)
def test_a_token_in_an_address_is_none(house: House, query: str) -> None:
    """Addresses are in logs and histories."""
    answer = house.http().get(f"/v1/models?{query.replace('T', house.admin)}")
    assert answer.status_code == 401
    assert "no authorization header" in answer.json()["error"]["message"]
    assert house.admin.split(".")[2] not in house.server.log_file.read_text()


# Paths that may be taken for others by whoever decides, or by whoever answers.
WAYS_ROUND = [
    "//v1/kronk/ps",
    "/./v1/kronk/ps",
    "/v1//kronk/ps",
    "/v1/kronk/ps/",
    "/v1/liveness/../kronk/ps",
    "/v1/liveness/%2e%2e/kronk/ps",
    "/v1/liveness%2f..%2fkronk%2fps",
    "/v1/kronk/ps;/v1/liveness",
    "/v1/kronk/ps%00/v1/liveness",
    "/v1/kronk/ps?/v1/liveness",
    "/v1/kronk/ps#/v1/liveness",
    "/V1/Kronk/Ps",
    "/v1/kronk/p%73",
    "/%76%31/kronk/ps",
    "http://127.0.0.1/v1/kronk/ps",
    "http://127.0.0.1/v1/liveness/../kronk/ps",
    "/openapi.json/../v1/kronk/ps",
    "\\v1\\kronk\\ps",
]


@pytest.mark.parametrize("path", WAYS_ROUND)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
def test_no_way_leads_round_the_question(house: House, method: str, path: str) -> None:
    sent = [
        (b"Content-Length", b"0"),
        (b"X-Original-URL", b"/v1/kronk/ps"),
        (b"X-Rewrite-URL", b"/v1/kronk/ps"),
        (b"X-HTTP-Method-Override", b"GET"),
    ]
    answer = exchange(house.server.port, head(method.encode(), path.encode(), sent))
    assert answer.status in (400, 401, 404, 405), answer
    assert b"processes" not in answer.content


def test_a_connection_is_nobodys(house: House) -> None:
    """Who was let in once is asked again with the next request on it."""
    token = house.token(Grants({"chat-completions": UNLIMITED})).encode()
    first = head(b"GET", b"/v1/models", [(b"Authorization", b"Bearer " + token)])
    with socket.create_connection(("127.0.0.1", house.server.port), timeout=PATIENCE) as connection:
        # Both are there before the first is answered.
        connection.sendall(first + head(b"GET", b"/v1/models", [(b"Connection", b"close")]))
        answers = b"".join(iter(lambda: connection.recv(65536), b""))
    assert re.findall(rb"HTTP/1.1 (\d+)", answers) == [b"200", b"401"]


# What is decided before anything else happens.

UNREAD: dict[str, tuple[bytes, bytes, list[tuple[bytes, bytes]]]] = {
    "a body that never comes": (b"POST", CHAT.encode(), [(b"Content-Length", b"1000")]),
    "a body of 100 MB": (b"POST", CHAT.encode(), [(b"Content-Length", b"104857600")]),
    "a body without end": (b"POST", CHAT.encode(), [(b"Transfer-Encoding", b"chunked")]),
    "a body that is no form": (
        b"POST",
        b"/v1/files",
        [(b"Content-Length", b"1000"), (b"Content-Type", b"multipart/form-data")],
    ),
    "a model that is not there": (b"GET", b"/v1/models/nope", []),
    "a file that is not there": (b"GET", b"/v1/files/nope", []),
    "a job that is not there": (b"GET", b"/v1/kronk/jobs/nope", []),
    "a response that is not there": (b"GET", b"/v1/responses/nope", []),
    "a query that is not acceptable": (b"GET", b"/v1/files?limit=x", []),
    "a path that leads out": (b"GET", b"/v1/kronk/blobs/..%2f..%2fkeys%2fmaster.pem", []),
    "a model to unload": (b"POST", b"/v1/kronk/models/Tiny/unload", []),
    "a question of another Kronk": (b"POST", b"/v1/kronk/auth/charge", [(b"Content-Length", b"9")]),
}


@pytest.mark.parametrize("token", [None, "x.y.z"], ids=["no token", "a bad token"])
@pytest.mark.parametrize("case", UNREAD)
def test_who_is_not_known_is_told_so_before_anything_is_looked_at(
    house: House, case: str, token: str | None
) -> None:
    method, path, headers = UNREAD[case]
    sent = headers if token is None else [*headers, bearer(token)]
    assert exchange(house.server.port, head(method, path, sent)).status == 401


@pytest.mark.parametrize("case", UNREAD)
def test_who_may_not_is_told_so_before_anything_is_looked_at(house: House, case: str) -> None:
    method, path, headers = UNREAD[case]
    if path.startswith(b"/v1/models/"):
        # Whoever is known may know which models there are.
        return
    token = house.token(Grants({"rerank": UNLIMITED}))
    answer = exchange(house.server.port, head(method, path, [*headers, bearer(token)]))
    assert answer.status == 403, answer.content


# What there is, and what not.


def test_who_may_not_learns_nothing_about_models(house: House) -> None:
    """Neither by the endpoint that is not granted, nor by the model."""
    told = set()
    for grants in (Grants({"rerank": UNLIMITED}),):
        http = house.http(house.token(grants))
        for model in ("Tiny", "nope", "test/tiny/Tiny", ""):
            answer = http.post(CHAT, json=chat_body(model, "hi", max_tokens=1))
            assert answer.status_code == 403
            told.add(nameless(answer.content))
    assert len(told) == 1, told


def test_a_model_that_is_not_granted_is_as_one_that_is_not_there(house: House) -> None:
    token = house.token(Grants({"chat-completions": UNLIMITED}, models=("Other*",)))
    http = house.http(token)
    asked = [
        http.post(CHAT, json=chat_body(model, "hi", max_tokens=1)) for model in ("Tiny", "nope")
    ]
    assert [answer.status_code for answer in asked] == [403, 403]
    assert len({nameless(answer.content) for answer in asked}) == 1
    shown = [http.get(f"/v1/models/{model}") for model in ("Tiny", "Nope")]
    assert len({answer.status_code for answer in shown}) == 1
    assert len({nameless(a.content).lower().replace(b"tiny", b"nope") for a in shown}) == 1
    assert "Tiny" not in http.get("/v1/models").text


def test_what_is_somebody_elses_is_as_what_is_not_there(house: House) -> None:
    owner, other = (house.http(house.token(Grants({"batches": UNLIMITED}))) for _ in range(2))
    files = {"file": ("a.jsonl", b"{}\n")}
    made = owner.post("/v1/files", files=files, data={"purpose": "batch"})
    assert made.status_code == 200, made.text
    file = made.json()["id"]
    absent = re.sub("[0-9a-f]", "0", file.removeprefix("file-"))
    for form in ("/v1/files/{}", "/v1/files/{}/content"):
        there, missing = (other.get(form.format(name)) for name in (file, f"file-{absent}"))
        assert there.status_code == missing.status_code == 404
        blank = [
            nameless(answer.content).replace(name.encode(), b"")
            for answer, name in ((there, file), (missing, f"file-{absent}"))
        ]
        assert blank[0] == blank[1]
    assert file not in other.get("/v1/files").text
    assert owner.get(f"/v1/files/{file}").status_code == 200


# What was good.


def test_a_revoked_token_is_none_from_then_on(house: House) -> None:
    issued = house.token(Grants({"chat-completions": UNLIMITED}))
    assert house.with_token("inference", issued).status == 200
    admin = house.http(house.admin)
    revoked = admin.post("/v1/kronk/security/tokens/revoke", json={"token": issued})
    assert revoked.status_code == 200, revoked.text
    for name in ROUTES:
        assert house.with_token(name, issued).status == 401


def test_tokens_of_a_deleted_key_are_none_from_then_on(house: House) -> None:
    key = house.keyring.create()
    issued = house.token(Grants({"chat-completions": UNLIMITED}))
    assert house.with_token("inference", issued).status == 200
    house.keyring.delete(key.kid)
    for name in ROUTES:
        assert house.with_token(name, issued).status == 401
    # Others' are as good as before.
    assert (
        house.with_token("inference", house.token(Grants({"chat-completions": UNLIMITED}))).status
        == 200
    )


def test_a_stream_ends_with_the_key_of_its_token(house: House) -> None:
    key = house.keyring.create()
    headers = {"Authorization": f"Bearer {house.token(Grants({'chat-completions': UNLIMITED}))}"}
    body = chat_body("Slow", "from 1", max_tokens=8000, stream=True)
    with house.http().stream("POST", CHAT, json=body, headers=headers) as answer:
        lines = answer.iter_lines()
        assert next(lines).startswith("data: ")
        house.keyring.delete(key.kid)
        said = [line for line in lines if line]
    assert json.loads(said[-1].removeprefix("data: "))["error"]["code"] == "unauthenticated"
    assert "data: [DONE]" not in said


def test_a_request_id_of_the_clients_own_buys_no_call(house: House) -> None:
    limited = house.token(Grants({"chat-completions": Limit(2, "day")}))
    http = house.http(limited)
    http.headers["X-Request-Id"] = str(uuid.uuid4())
    body = chat_body("Tiny", "hi", max_tokens=1)
    assert [http.post(CHAT, json=body).status_code for _ in range(4)] == [200, 200, 429, 429]


def test_nothing_of_that_has_left_a_trace_of_a_token_or_a_traceback(house: House) -> None:
    log = house.server.log_file.read_text(errors="replace")
    assert "Traceback" not in log
    assert "eyJ" not in log
