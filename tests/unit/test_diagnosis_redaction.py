"""What a report for a bug ticket leaves out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronk.shared.diagnosis.redaction import ADDRESS, SECRET, Redactor, is_secret_name, secrets_of

KNOWN = "correct-horse-battery"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"
REDACTOR = Redactor([KNOWN, "abc"], [Path("/srv/people/alice")])


@pytest.mark.parametrize(
    ("text", "canary"),
    [
        (f"the token is {KNOWN}.", KNOWN),
        (f"Authorization: Bearer {JWT}", JWT),
        (f"cut off: {JWT[:60]}", JWT[:20]),
        (f'"{JWT}"', "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV"),
        ("hf_QwErTyUiOpAsDfGhJk in a URL", "QwErTyUiOp"),
        ("key sk-proj-AbCdEf0123456789 used", "AbCdEf0123456789"),
        ("ghp_0123456789abcdefABCDEF", "0123456789abcdef"),
        ("xoxb-123456789012-abcdef", "abcdef"),
        ("AKIAIOSFODNN7EXAMPLE", "IOSFODNN7"),
        ("AIzaSyA-0123456789abcdefghijklmnopqrstu", "0123456789abcdef"),
        ("https://bob:hunter22@example.com/x", "hunter22"),
        ("--hf-token=plain1234", "plain1234"),
        ("KRONK_TOKEN=plain1234 kronk ps", "plain1234"),
        ("password: plain1234", "plain1234"),
        ('{"api_key": "plain1234"}', "plain1234"),
        ("GET /x?api_key=plain1234&y=1", "plain1234"),
        ("Authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        ("scrypt$16384$8$1$c2FsdA==$aGFzaA==", "c2FsdA"),
        ("$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9", "R9h/cIPz0gi"),
        ("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADAN\n-----END PRIVATE KEY-----", "MIIEvQ"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIEvQIBADAN", "MIIEvQ"),
    ],
)
def test_no_kind_of_secret_gets_through(text: str, canary: str) -> None:
    assert canary not in REDACTOR.text(text)
    assert SECRET in REDACTOR.text(text)
    assert canary not in str(REDACTOR.value({"rows": [{"event": text}]}))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/home/alice/.kronk/models", "~/.kronk/models"),
        ("file:///home/alice/x", "file://~/x"),
        ("/Users/Alice/x and /root/.kronk", "~/x and ~/.kronk"),
        ("/srv/people/alice/x", "~/x"),
        ("/srv/people/alice2/x", "/srv/people/alice2/x"),
        ("/var/root/x /rooted/x", "/var/root/x /rooted/x"),
        ("/root", "~"),
    ],
)
def test_homes_have_no_names(text: str, expected: str) -> None:
    assert REDACTOR.text(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.1.2.3:8080", f"{ADDRESS}:8080"),
        ("from 192.168.0.7.", f"from {ADDRESS}."),
        ("127.0.0.1:8080 0.0.0.0:80 [::1]:80", "127.0.0.1:8080 0.0.0.0:80 [::1]:80"),
        ("http://[2001:db8::7]:8080/", f"http://[{ADDRESS}]:8080/"),
        ("fe80::1 and ::ffff:10.0.0.1", f"{ADDRESS} and {ADDRESS}"),
        # Times, versions and digests are none.
        ("at 08:26:41 on 2026-11-22T08:26:41.5Z", "at 08:26:41 on 2026-11-22T08:26:41.5Z"),
        ("pyjwt 2.15.1, driver 550.54.15", "pyjwt 2.15.1, driver 550.54.15"),
        ("build 1.2.3.4567 v1.2.3.4-rc", "build 1.2.3.4567 v1.2.3.4-rc"),
        ("std::vector std::map", "std::vector std::map"),
    ],
)  # fmt: skip
def test_addresses_other_than_loopback_are_masked(text: str, expected: str) -> None:
    assert REDACTOR.text(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "tokens: 128",
        "tokens_per_second: 31.4",
        "KRONK_HF_TOKEN (did you mean KRONK_TOKEN?)",
        "hf_token: set",
        "eos_token_id: 151645",
        "sha256 e4f38121c13587d59028e92e745d9db1902a062d3d7f4bd4a44d693cd44de5f9",
        "Qwen3-8B-Q8_0",
        "abc",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert REDACTOR.text(text) == text


@pytest.mark.parametrize(
    ("name", "is_secret"),
    [
        ("hf_token", True), ("KRONK_TOKEN", True), ("API_KEY", True), ("password", True),
        ("client_secret", True), ("AWS_SECRET_ACCESS_KEY", True), ("private_key", True),
        ("max_tokens", False), ("prompt_tokens", False), ("tokens_per_second", False),
        ("key", True), ("monkey", False), ("cache_type_k", False), ("keyboard", False),
    ],
)  # fmt: skip
def test_a_name_tells_whether_its_value_is_a_secret(name: str, is_secret: bool) -> None:
    assert is_secret_name(name) == is_secret


def test_values_go_by_their_names_and_their_shape_stays() -> None:
    value: dict[str, Any] = {
        "password": "x", "count": 3, "ok": True, "none": None,
        "rows": [{"path": "/home/bob/m", "auth_token": ["a", "b"]}, 1.5], KNOWN: "1",
    }  # fmt: skip
    assert Redactor([KNOWN]).value(value) == {
        "password": SECRET, "count": 3, "ok": True, "none": None,
        "rows": [{"path": "~/m", "auth_token": [SECRET, SECRET]}, 1.5], SECRET: "1",
    }  # fmt: skip


def test_secrets_of_the_environment_are_known_by_their_names() -> None:
    environment = {"HF_TOKEN": "one", "PATH": "/bin", "MY_PASSWORD": "two", "EMPTY_TOKEN": ""}
    assert secrets_of(environment) == {"one", "two"}


@given(st.text(), st.text(), st.text("abcdefXYZ0123456789_-", min_size=8, max_size=40))
def test_a_known_secret_gets_through_nowhere(before: str, after: str, secret: str) -> None:
    redactor = Redactor([secret])
    shown = redactor.text(f"{before}{secret}{after}")
    assert secret not in shown.replace(SECRET, "").replace(ADDRESS, "") or secret in (
        before + after
    )


@given(st.text())
def test_what_is_redacted_stays_so(text: str) -> None:
    once = REDACTOR.text(text)
    assert REDACTOR.text(once) == once
