"""Tokens: what a good one says, and all the ways to make a bad one."""

from __future__ import annotations

import base64
import hmac
import json
import shutil
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kronk.shared.errors import InvalidArgument, ServerError, Unauthenticated
from kronk.shared.security import tokens
from kronk.shared.security.grants import Grants, Limit
from kronk.shared.security.keys import Keyring

NOW = 1_800_000_000.0
ISSUER = "kronk"
GRANTS = Grants(
    {"chat-completions": Limit(1000, "day"), "embeddings": Limit()},
    models=("Qwen3-*",),
    tokens=Limit(100_000, "month"),
    concurrency=2,
)


@pytest.fixture(scope="module")
def keyring(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    ring = Keyring(tmp_path_factory.mktemp("tokens") / "keys")
    ring.ensure(ISSUER, NOW)
    return ring


@pytest.fixture(scope="module")
def issued(keyring: Keyring) -> tokens.Issued:
    return tokens.issue(keyring, ISSUER, duration=3600, grants=GRANTS, name="Anna", now=NOW)


def payload(**changes: Any) -> dict[str, Any]:
    said = {
        "iss": ISSUER,
        "sub": str(uuid.UUID(int=7)),
        "iat": int(NOW),
        "nbf": int(NOW),
        "exp": int(NOW) + 3600,
        "jti": str(uuid.UUID(int=8)),
        "admin": False,
        "endpoints": {},
    }
    return said | changes


def without(claim: str) -> dict[str, Any]:
    said = payload()
    del said[claim]
    return said


def signed(keyring: Keyring, said: Any, **header: Any) -> str:
    """Signed by the right key, whatever it says."""
    key = keyring.newest_signer
    whole = {"alg": "RS256", "kid": key.kid, "typ": "JWT"} | header
    return by(whole, said, lambda data: rs256(key.private, data))


def by(header: Any, said: Any, sign: Callable[[bytes], bytes]) -> str:
    data = b".".join(part(json.dumps(each).encode()) for each in (header, said))
    return (data + b"." + part(sign(data))).decode()


def part(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def rs256(key: rsa.RSAPrivateKey, data: bytes) -> bytes:
    return jwt.get_algorithm_by_name("RS256").sign(data, key)


def hs256(secret: bytes, data: bytes) -> bytes:
    return hmac.digest(secret, data, "sha256")


def public_pem(keyring: Keyring) -> bytes:
    return keyring.newest_signer.public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def modulus(keyring: Keyring) -> bytes:
    return keyring.newest_signer.public.public_numbers().n.to_bytes(256, "big")


def reason(keyring: Keyring, token: str, now: float = NOW) -> str:
    with pytest.raises(Unauthenticated) as refused:
        tokens.verify(token, keyring, ISSUER, now)
    with pytest.raises(Unauthenticated):
        tokens.Verifier(keyring, ISSUER).verify(token, now)
    # All that the caller is told.
    assert refused.value.message == "invalid token" and refused.value.param is None
    assert refused.value.reason is not None
    assert tokens.inspect(token, keyring, ISSUER, now).reason == refused.value.reason
    return refused.value.reason


def test_what_was_issued_is_what_is_verified(keyring: Keyring, issued: tokens.Issued) -> None:
    claims = tokens.verify(issued.token, keyring, ISSUER, NOW)
    assert claims == issued.claims
    assert (claims.grants, claims.name, claims.admin) == (GRANTS, "Anna", False)
    assert (claims.issued, claims.not_before, claims.expires) == (NOW, NOW, NOW + 3600)
    assert claims.key == keyring.newest_signer.kid != "master"
    assert uuid.UUID(claims.subject).version == 4
    identity = claims.identity()
    assert (identity.subject, identity.key, identity.via) == (claims.subject, claims.key, "token")


def test_a_token_reads_as_the_manual_says(keyring: Keyring, issued: tokens.Issued) -> None:
    header = jwt.get_unverified_header(issued.token)
    assert header == {"alg": "RS256", "kid": issued.claims.key, "typ": "JWT"}
    said = jwt.decode(issued.token, options={"verify_signature": False})
    assert said["endpoints"] == {
        "chat-completions": {"limit": 1000, "window": "day"},
        "embeddings": {"limit": 0, "window": "unlimited"},
    }
    assert said["sub"] == issued.claims.subject and said["admin"] is False


def test_each_token_is_somebody_of_its_own_unless_a_subject_is_given(keyring: Keyring) -> None:
    def issue(subject: str | None = None) -> tokens.Claims:
        return tokens.issue(
            keyring, ISSUER, duration=60, grants=Grants(), subject=subject, now=NOW
        ).claims

    first, second = issue(), issue()
    assert first.subject != second.subject and first.jti != second.jti
    again = issue(first.subject)
    assert again.subject == first.subject and again.jti != first.jti


def test_the_text_of_a_token_is_not_in_what_is_logged_of_it(issued: tokens.Issued) -> None:
    assert issued.token not in repr(issued)


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"duration": 0}, "duration"),
        ({"duration": -5}, "duration"),
        ({"duration": 0.5}, "duration"),
        ({"duration": 20 * 366 * 86400}, "duration"),
        ({"duration": float("nan")}, "duration"),
        ({"duration": float("inf")}, "duration"),
        ({"name": ""}, "name"),
        ({"name": "a" * 129}, "name"),
        ({"name": "line\nend"}, "name"),
        ({"subject": "root"}, "subject"),
        ({"subject": "master"}, "subject"),
        ({"subject": str(uuid.UUID(int=2**127)).upper() + "A"}, "subject"),
        ({"grants": Grants(models=("m" * 250,) * 100)}, "models"),
    ],
)
def test_what_no_token_can_say_is_refused(
    keyring: Keyring, wish: dict[str, Any], field: str
) -> None:
    wishes: dict[str, Any] = {"duration": 60, "grants": Grants(), "now": NOW} | wish
    with pytest.raises(InvalidArgument) as refused:
        tokens.issue(keyring, ISSUER, **wishes)
    assert refused.value.param == field


@pytest.mark.parametrize(
    ("later", "is_good"),
    [(-31, False), (-30, True), (0, True), (3600, True), (3629.9, True), (3630, False)],
)
def test_a_token_is_good_from_its_first_to_its_last_second_with_some_leeway(
    keyring: Keyring, issued: tokens.Issued, later: float, is_good: bool
) -> None:
    verifier = tokens.Verifier(keyring, ISSUER)
    # Known already: its times are looked at nevertheless.
    verifier.verify(issued.token, NOW)
    if is_good:
        assert verifier.verify(issued.token, NOW + later) == issued.claims
    else:
        with pytest.raises(Unauthenticated):
            verifier.verify(issued.token, NOW + later)
        expected = "not yet valid" if later < 0 else "expired"
        assert reason(keyring, issued.token, NOW + later) == expected


CLAIMS: list[tuple[Any, str]] = [
    (payload(iss="elsewhere"), "another issuer"),
    (payload(iss=["kronk"]), "another issuer"),
    (payload(sub="root"), "sub"),
    (payload(sub="master"), "sub"),
    (payload(sub=7), "sub"),
    (payload(sub=None), "sub"),
    (payload(sub=str(uuid.UUID(int=2**128 - 1)).upper()), "sub"),
    (payload(sub=str(uuid.UUID(int=7)) + "\n"), "sub"),
    (payload(jti=7), "jti"),
    (payload(jti=""), "jti"),
    (payload(admin="true"), "admin"),
    (payload(admin=1), "admin"),
    (payload(admin=None), "admin"),
    (payload(name=7), "name"),
    (payload(name="\x00"), "name"),
    (payload(name="n" * 200), "name"),
    (payload(exp=int(NOW) - 60), "expired"),
    (payload(exp=0), "expired"),
    (payload(nbf=int(NOW) + 60), "not yet valid"),
    (payload(iat=int(NOW) + 60), "not yet valid"),
    *(
        (payload(**{claim: value}), claim)
        for claim in ("iat", "nbf", "exp")
        for value in (None, "1800000000", True, [], {}, -1, 2**53, 10**400, float("inf"))
    ),
    *(
        (without(claim), expected)
        for claim, expected in {
            "iss": "another issuer", "sub": "sub", "iat": "iat", "nbf": "nbf", "exp": "exp",
            "jti": "jti", "admin": "admin", "endpoints": "endpoints",
        }.items()
    ),
    (payload(endpoints=None), "endpoints"),
    (payload(endpoints=["chat-completions"]), "endpoints"),
    (payload(endpoints={"chat-completions": 5}), "limit"),
    (payload(endpoints={"chat-completions": {"limit": -1, "window": "day"}}), "limit"),
    (payload(endpoints={"chat-completions": {"limit": 1.5, "window": "day"}}), "limit"),
    (payload(endpoints={"chat-completions": {"limit": 1, "window": ["day"]}}), "limit"),
    (payload(endpoints={"chat-completions": {"limit": True, "window": "day"}}), "limit"),
    (payload(models="Qwen3"), "models"),
    (payload(models=[1]), "models"),
    (payload(tokens=5), "limit"),
    (payload(concurrency=0), "concurrency"),
    (payload(concurrency="2"), "concurrency"),
    ([], "claims"),
    ("text", "claims"),
    (7, "claims"),
    (None, "claims"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "expected"), CLAIMS)
def test_claims_of_a_wrong_form_make_a_bad_token_however_well_signed(
    keyring: Keyring, said: Any, expected: str
) -> None:
    assert expected in reason(keyring, signed(keyring, said))


def test_a_signed_payload_that_is_no_json_is_a_bad_token(keyring: Keyring) -> None:
    key = keyring.newest_signer
    header = part(json.dumps({"alg": "RS256", "kid": key.kid, "typ": "JWT"}).encode())
    for raw in (b"{", b"\xff\xfe", b"[" * 3000, b'{"iss": NaN}'):
        data = header + b"." + part(raw)
        token = (data + b"." + part(rs256(key.private, data))).decode()
        assert "form" in reason(keyring, token) or "issuer" in reason(keyring, token)


HEADERS: list[dict[str, Any]] = [
    {"kid": "../x"},
    {"kid": "../../etc/passwd"},
    {"kid": "/dev/null"},
    {"kid": "MASTER"},
    {"kid": "master.pem"},
    {"kid": "master\n"},
    {"kid": ""},
    {"kid": "a" * 4000},
    {"kid": None},
    {"kid": 7},
    {"kid": ["master"]},
    {"kid": {"master": 1}},
    {"kid": "' OR 1=1 --"},
    {"kid": "00000000-0000-4000-8000-000000000000"},
    {"typ": "JWS"},
    {"typ": None},
    {"typ": ["JWT"]},
    {"alg": "none"},
    {"alg": "None"},
    {"alg": "HS256"},
    {"alg": "RS512"},
    {"alg": "PS256"},
    {"alg": "ES256"},
    {"alg": "rs256"},
    {"alg": None},
    {"alg": ["RS256"]},
    {"jwk": {"kty": "RSA"}},
    {"jku": "http://169.254.169.254/jwks.json"},
    {"x5u": "http://localhost/cert"},
    {"x5c": ["AAAA"]},
    {"crit": ["exp"]},
    {"crit": ["b64"], "b64": False},
    {"b64": False},
    {"zip": "DEF"},
    {"cty": "JWT"},
]


@pytest.mark.parametrize("header", HEADERS)
def test_a_header_that_asks_for_anything_else_makes_a_bad_token(
    keyring: Keyring, header: dict[str, Any]
) -> None:
    assert reason(keyring, signed(keyring, payload(admin=True), **header))


@pytest.mark.parametrize("missing", ["alg", "kid", "typ"])
def test_a_header_without_one_of_its_fields_makes_a_bad_token(
    keyring: Keyring, missing: str
) -> None:
    key = keyring.newest_signer
    header = {"alg": "RS256", "kid": key.kid, "typ": "JWT"}
    del header[missing]
    token = by(header, payload(), lambda data: rs256(key.private, data))
    assert "header" in reason(keyring, token)


def test_a_key_of_ones_own_in_the_header_is_not_looked_at(keyring: Keyring) -> None:
    mine = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    jwk = json.loads(jwt.get_algorithm_by_name("RS256").to_jwk(mine.public_key()))
    for extra in ({}, {"jwk": jwk}):
        header = {"alg": "RS256", "kid": keyring.newest_signer.kid, "typ": "JWT"} | extra
        token = by(header, payload(admin=True), lambda data: rs256(mine, data))
        assert reason(keyring, token)


@pytest.mark.parametrize("alg", ["HS256", "RS256", "none"])
@pytest.mark.parametrize(
    "secret",
    [public_pem, lambda ring: public_pem(ring).strip(), modulus, lambda ring: part(modulus(ring)),
     lambda ring: b"", lambda ring: ring.newest_signer.kid.encode()],
    ids=["pem", "pem stripped", "modulus", "modulus in base64", "empty", "kid"],
)  # fmt: skip
def test_a_signature_by_what_everybody_knows_is_none(
    keyring: Keyring, alg: str, secret: Callable[[Keyring], bytes]
) -> None:
    header = {"alg": alg, "kid": keyring.newest_signer.kid, "typ": "JWT"}
    token = by(header, payload(admin=True), lambda data: hs256(secret(keyring), data))
    assert reason(keyring, token)


def test_a_token_without_signature_is_none(keyring: Keyring, issued: tokens.Issued) -> None:
    header = {"alg": "none", "kid": keyring.newest_signer.kid, "typ": "JWT"}
    unsigned = by(header, payload(admin=True), lambda data: b"")
    head, body, _ = issued.token.split(".")
    for token in (unsigned, unsigned.rstrip("."), f"{head}.{body}.", f"{head}.{body}", f"..{body}"):
        assert reason(keyring, token)


def test_a_token_of_one_key_is_not_one_of_another(keyring: Keyring) -> None:
    key = keyring.newest_signer
    token = by(
        {"alg": "RS256", "kid": "master", "typ": "JWT"},
        payload(admin=True),
        lambda data: rs256(key.private, data),
    )
    assert "signature" in reason(keyring, token)


@pytest.mark.parametrize("text", [
    "", ".", "..", "...", "a.b", "a.b.c", "a.b.c.d", "Bearer a.b.c", "a b.c.d", "\0.\0.\0",
    "é.é.é", "\ud800.a.b", "a.b.c\n", "{}", "null", "=.=.=", "e30.e30.e30", "a" * 8192, "a" * 8193,
    "W1tbW1tbW1s.e30.e30", f"{'W' * 4000}.e30.e30",
])  # fmt: skip
def test_any_other_text_is_a_bad_token(keyring: Keyring, text: str) -> None:
    assert reason(keyring, text)


def test_a_header_nested_deeply_is_a_bad_token(keyring: Keyring) -> None:
    deep = part(b'{"kid":' + b"[" * 4000).decode()
    assert reason(keyring, f"{deep}.e30.e30")


def test_a_good_token_that_is_too_long_is_bad(keyring: Keyring) -> None:
    assert reason(keyring, signed(keyring, payload(extra="x" * 8192))) == "too long"


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_no_character_of_a_token_can_be_changed(
    keyring: Keyring, issued: tokens.Issued, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(issued.token) - 1))
    other = data.draw(st.sampled_from("ABCXYZabcxyz019-_.=+/ ") | st.characters())
    edit = data.draw(st.sampled_from(["change", "insert", "delete"]))
    rest = issued.token[at + (edit != "insert") :]
    changed = issued.token[:at] + ("" if edit == "delete" else other) + rest
    if changed != issued.token:
        assert reason(keyring, changed)


def test_parts_of_two_tokens_make_none(keyring: Keyring, issued: tokens.Issued) -> None:
    admin = tokens.issue(
        keyring, ISSUER, duration=60, grants=Grants(), admin=True, now=NOW
    ).token.split(".")
    mine = issued.token.split(".")
    assert reason(keyring, ".".join([mine[0], admin[1], mine[2]]))
    assert reason(keyring, ".".join([admin[0], mine[1], admin[2]]))


def test_inspection_says_what_a_token_says_and_what_is_wrong(
    keyring: Keyring, issued: tokens.Issued
) -> None:
    good = tokens.inspect(issued.token, keyring, ISSUER, NOW)
    assert (good.kid, good.reason) == (issued.claims.key, None)
    assert good.claims is not None and good.claims["sub"] == issued.claims.subject
    over = tokens.inspect(issued.token, keyring, ISSUER, NOW + 10**6)
    assert over.reason == "expired" and over.claims == good.claims
    assert tokens.inspect("nonsense", keyring, ISSUER, NOW) == tokens.Inspection(
        None, None, "not a token"
    )


def test_a_header_with_a_key_id_of_another_type_is_inspected_without_it(keyring: Keyring) -> None:
    assert tokens.inspect(signed(keyring, payload(), kid=[1]), keyring, ISSUER, NOW).kid is None


def test_known_tokens_are_bounded_and_good_ones_only(keyring: Keyring) -> None:
    verifier = tokens.Verifier(keyring, ISSUER, most=2)
    some = [tokens.issue(keyring, ISSUER, duration=60, grants=Grants(), now=NOW) for _ in range(4)]
    for _ in range(2):
        for each in some:
            assert verifier.verify(each.token, NOW) == each.claims
    with pytest.raises(Unauthenticated):
        verifier.verify("a.b.c", NOW)
    assert len(verifier._known) == 2


def test_a_known_token_is_not_proven_again(
    keyring: Keyring, issued: tokens.Issued, monkeypatch: pytest.MonkeyPatch
) -> None:
    verifier = tokens.Verifier(keyring, ISSUER)
    verifier.verify(issued.token, NOW)
    monkeypatch.setattr(tokens, "_proven", lambda *_: pytest.fail("proven again"))
    assert verifier.verify(issued.token, NOW) == issued.claims


def test_a_damaged_key_gives_out_no_token(keyring: Keyring, tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    shutil.copytree(keyring.folder, folder)
    ring = Keyring(folder)
    good = ring.newest_signer
    numbers = good.private.private_numbers()
    # As a flipped bit in its file would have it.
    wrong = rsa.RSAPrivateNumbers(
        numbers.p, numbers.q, numbers.d ^ 2, numbers.dmp1 ^ 2, numbers.dmq1, numbers.iqmp,
        numbers.public_numbers,
    ).private_key(unsafe_skip_rsa_key_validation=True)  # fmt: skip
    with pytest.raises(ServerError, match="damaged"):
        tokens.issue_with(
            replace(good, private=wrong), ISSUER, duration=60, grants=Grants(), now=NOW
        )
