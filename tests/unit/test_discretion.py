"""What errors say to who may not know of all models."""

from __future__ import annotations

import pytest

from kronk.gateway.access.discretion import discreet
from kronk.shared.errors import InsufficientMemory, KronkError, NotFound, Overloaded
from kronk.shared.security.identity import ANONYMOUS, OPEN, Identity
from kronk.supervisor.ledger import Room
from kronk.supervisor.refusals import blocked

USER, ADMIN = Identity("ann"), Identity("root", admin=True)
UNKNOWN = NotFound("there is no model 'team-x'; did you mean secret?", param="model")
TWICE = NotFound("the name 'team-x' is not unique; write one of secret/team-x, b/t", param="model")
FULL = blocked("team-x", {}, Room({}, 1), ["secret"])
OTHERS: list[KronkError] = [
    NotFound("there is no route GET /secret"),
    Overloaded("the queue of team-x is full", retry_after=1.0),
    InsufficientMemory("team-x does not fit: it needs 9 GiB", param="model"),
]


@pytest.mark.parametrize("error", [UNKNOWN, TWICE, FULL])
@pytest.mark.parametrize("by", [USER, ANONYMOUS])
def test_no_other_model_is_named_to_who_may_not_know_of_all(
    by: Identity, error: KronkError
) -> None:
    told = discreet(error, by, "team-x")
    assert "secret" not in told.message
    assert "team-x" in told.message
    assert (told.code, told.param) == (error.code, error.param)
    assert told.retry_after == error.retry_after


@pytest.mark.parametrize("error", [UNKNOWN, TWICE, FULL, *OTHERS])
@pytest.mark.parametrize("by", [OPEN, ADMIN])
def test_who_sees_all_is_told_all(by: Identity, error: KronkError) -> None:
    assert discreet(error, by, "team-x") is error


@pytest.mark.parametrize("error", OTHERS)
def test_what_names_no_other_model_is_told_as_it_is(error: KronkError) -> None:
    assert discreet(error, USER, "team-x") is error


def test_a_long_name_is_not_said_back_whole() -> None:
    assert len(discreet(UNKNOWN, USER, "a" * 1000).message) < 150
