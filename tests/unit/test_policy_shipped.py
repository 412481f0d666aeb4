"""The policies that Kronk comes with, and the table of who may do what."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.access_table import KNOWN, MAY, combinations, identity, status
from kronk.gateway.access.policy.decision import read_result
from kronk.gateway.access.policy.folder import shipped
from kronk.gateway.access.policy.question import Question
from kronk.gateway.access.policy.samples import samples
from kronk.gateway.access.rules import (
    ADMINISTRATION,
    CLASSES,
    DELEGATION,
    DISCOVERY,
    PUBLIC,
    READING,
    Access,
    Gate,
    inference,
)
from kronk.gateway.rego.evaluator import Rego
from kronk.shared.security.grants import ENDPOINTS, WINDOWS
from kronk.shared.security.identity import ANONYMOUS

REGO = Rego(shipped().modules, {})
ACCESS: dict[str, Access] = {
    access.kind: access
    for access in (PUBLIC, DISCOVERY, inference("rerank"), READING, ADMINISTRATION, DELEGATION)
}
STATUS = {"unauthorized": 401, "invalid_token": 401, "endpoint_not_authorized": 403, "ok": 200}


PROBLEMS = {"garbage": "invalid", "expired": "expired", "revoked": "revoked"}


def decide(document: dict[str, Any]) -> tuple[bool, str]:
    decision = read_result(REGO.result(document), "")
    return decision.allow, decision.reason


@pytest.mark.parametrize(("mode", "access_class", "kind"), list(combinations()))
def test_the_shipped_policies_say_what_the_table_says(
    mode: Any, access_class: str, kind: str
) -> None:
    access = ACCESS[access_class]
    question = Question(
        mode,
        Gate(access, "GET", "/somewhere"),
        identity(kind, access) if kind in KNOWN else ANONYMOUS,
        "kronk",
        PROBLEMS.get(kind),
    )
    expected = status(mode, access_class, kind)
    allow, reason = decide(question.to_input())
    assert (allow, STATUS[reason]) == (expected == 200, expected)


SOMETHING: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.text(max_size=12),
    st.lists(st.text(max_size=5), max_size=3),
    st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3),
)
LIMITS = st.one_of(
    st.fixed_dictionaries({"limit": st.integers(-1, 5), "window": st.sampled_from(WINDOWS)}),
    SOMETHING,
)
TOKENS = st.fixed_dictionaries(
    {},
    optional={
        "verified": st.one_of(
            st.just(False), st.just("true"), SOMETHING.filter(lambda v: v is not True)
        ),
        "admin": st.one_of(st.booleans(), SOMETHING),
        "endpoints": st.one_of(
            st.dictionaries(st.sampled_from(ENDPOINTS), LIMITS, max_size=4), SOMETHING
        ),
        "subject": SOMETHING,
        "revoked": SOMETHING,
    },
)
INPUTS = st.fixed_dictionaries(
    {},
    optional={
        "mode": st.one_of(st.sampled_from(sorted(MAY)), SOMETHING),
        "class": st.one_of(st.sampled_from(CLASSES), SOMETHING),
        "endpoint": st.one_of(st.sampled_from(ENDPOINTS), SOMETHING),
        "problem": SOMETHING,
        "token": st.one_of(TOKENS, SOMETHING),
    },
)


@settings(max_examples=150, deadline=None)
@given(INPUTS)
def test_whatever_is_asked_nobody_unverified_is_let_in_where_a_token_is_needed(
    document: dict[str, Any],
) -> None:
    allow, _ = decide(document)
    mode, access_class = document.get("mode"), document.get("class")
    for_everybody = (
        mode == "open"
        or access_class == "public"
        or (mode == "management" and access_class in ("discovery", "inference"))
    )
    if not for_everybody:
        assert not allow


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(["authenticated", "protected"]),
    st.sampled_from(CLASSES),
    st.dictionaries(st.sampled_from(ENDPOINTS), LIMITS, max_size=5),
    st.sampled_from(ENDPOINTS),
)
def test_whatever_a_token_grants_it_changes_nothing_without_being_the_admins(
    mode: str, access_class: str, endpoints: dict[str, Any], endpoint: str
) -> None:
    token = {"verified": True, "admin": False, "endpoints": endpoints, "models": None}
    document = {
        "mode": mode,
        "class": access_class,
        "endpoint": endpoint,
        "token": token,
        "problem": None,
    }
    allow, _ = decide(document)
    if access_class == "administration":
        assert not allow
    admin, _ = decide(document | {"token": token | {"admin": True}})
    assert admin


def test_a_policy_is_tried_with_every_mode_and_class_before_it_decides() -> None:
    asked = {(question.mode, question.gate.access.kind) for _, question in samples()}
    assert asked == {
        (mode, access_class)
        for mode in MAY
        for access_class in CLASSES
        # It is not asked about those.
        if mode != "open" and access_class != "public"
    }
