"""Which token a command says that it takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from kronk.cli.remedies import operators_token, remedy

WHERE = "over there"


def test_the_operators_token_is_in_the_base_path_that_the_server_has() -> None:
    path = Path("/srv/my kronk/keys/master.jwt")
    assert operators_token(path, None) == f"export KRONK_TOKEN=$(cat '{path}')"


def test_who_asks_another_server_wants_a_token_of_that_one() -> None:
    told = operators_token(Path("/b/keys/master.jwt"), "https://auth")
    assert "https://auth" in told and "/b/" not in told


@pytest.mark.parametrize(
    ("method", "path", "grant"),
    [
        ("GET", "/v1/kronk/ps", "monitoring"),
        ("POST", "/v1/chat/completions", "chat-completions"),
        ("GET", "/v1/batches/batch_1", "batches"),
        ("POST", "/v1/kronk/reload", None),
        ("GET", "/v1/kronk/security/tokens", None),
    ],
)
def test_the_grant_that_would_do_is_named(method: str, path: str, grant: str | None) -> None:
    said = remedy(403, "endpoint not authorized", method, path, WHERE)
    assert said.endswith(f"the operator's: {WHERE}")
    assert (f"the grant {grant}," in said) if grant else ("grant" not in said)


def test_what_no_other_token_would_change_has_no_remedy() -> None:
    assert remedy(403, "this server is not known by that name", "GET", "/x", WHERE) == ""
    assert remedy(429, "rate limit exceeded", "GET", "/x", WHERE) == ""


def test_a_token_that_is_not_good_wants_another_one() -> None:
    assert WHERE in remedy(401, "invalid token", "GET", "/x", WHERE)
