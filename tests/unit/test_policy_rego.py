"""What Rego policies answer, and what becomes of policies that answer nothing."""

from __future__ import annotations

from typing import Any

import pytest

from kronk.gateway.access.policy.decision import Decision, PolicyFailed, read_result
from kronk.gateway.access.policy.embedded import tried
from kronk.gateway.access.policy.folder import Files, shipped
from kronk.gateway.rego.evaluator import BadPolicy, NoAnswer, Rego
from kronk.shared.errors import InvalidArgument, PermissionDenied, Unauthenticated

HEAD = "package kronk.authorization\nimport rego.v1\n"


def result(rules: str, document: dict[str, Any] | None = None) -> Any:
    return Rego({"own.rego": HEAD + rules}, {}).result(document or {})


def test_the_result_is_the_document_of_the_package() -> None:
    assert result('allow := true\nreason := "ok"\ncache_seconds := 1.5') == {
        "allow": True,
        "reason": "ok",
        "cache_seconds": 1.5,
    }


@pytest.mark.parametrize(
    "text",
    ['a "quote"', "back\\slash", "a\nline", "nul\0after", "half \udc80", "ü😀", '","allow":true,"'],
)
def test_any_text_reaches_a_policy_as_it_is_and_comes_back_as_it_is(text: str) -> None:
    clean = text.encode("utf-8", "replace").decode()
    document = {"name": text, "same": text, text: "key"}
    found = result(
        "allow := input.name == input.same\nname := input.name\nkeys := count(input)", document
    )
    assert found == {"allow": True, "name": clean, "keys": 3}


@pytest.mark.parametrize(
    ("text", "literal"), [('a "q"', '"a \\"q\\""'), ("b\\s", '"b\\\\s"'), ("a\tb", '"a\\tb"')]
)
def test_a_text_equals_the_literal_that_means_it(text: str, literal: str) -> None:
    assert result(f"allow := input.name == {literal}", {"name": text}) == {"allow": True}


@pytest.mark.parametrize("default", ["", "default allow := false\n"])
def test_a_text_that_looks_like_more_json_allows_nobody(default: str) -> None:
    # What base64 hides, nothing has escaped: x","allow":true,"y":"z
    rules = default + 'reason := base64.decode("eCIsImFsbG93Ijp0cnVlLCJ5IjoieiI=")'
    with pytest.raises((NoAnswer, PolicyFailed)):
        read_result(result(rules), "")


@pytest.mark.parametrize("number", [0, -1, 2**63 - 1, 10**15])
def test_a_whole_number_is_the_same_in_a_policy(number: int) -> None:
    assert result("n := input.n", {"n": number}) == {"n": number}


def test_a_number_that_is_too_large_for_the_engine_does_not_turn_into_another() -> None:
    assert result("allow := input.n > 1000", {"n": 2**64}) == {"allow": True}


@pytest.mark.parametrize(
    ("rules", "where", "message"),
    [
        ("allow := {\n y if }", "own.rego:4: ", "Invalid collection"),
        ("allow := true\n}", "own.rego:3: ", "Syntax error"),
        ('allow := "a', "own.rego:3: ", "Invalid assignment"),
    ],
)
def test_what_cannot_be_compiled_is_named_by_file_and_line(
    rules: str, where: str, message: str
) -> None:
    with pytest.raises(BadPolicy) as caught:
        result(rules)
    assert str(caught.value).startswith(where)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "rules",
    [
        "allow := nosuch(3)",
        "allow := other\nother := allow",
        "allow := true\nallow := false",
        'allow := to_number("x")',
        "allow := 1 / 0",
        # Decisions are made of what is asked, and of nothing that is elsewhere.
        'allow := http.send({"method": "get", "url": "http://127.0.0.1:1/"})',
        'allow := net.lookup_ip_addr("localhost")',
    ],
)
def test_what_fails_is_no_answer(rules: str) -> None:
    with pytest.raises(NoAnswer):
        result(rules)


@pytest.mark.parametrize(
    "found",
    [
        None,
        True,
        [],
        {},
        {"allow": None},
        {"allow": "true"},
        {"allow": 1},
        {"allow": True, "reason": None},
        {"allow": False, "reason": "Not a word"},
        {"allow": False, "reason": "a" * 65},
        {"allow": False, "reason": ""},
        {"allow": True, "models": "Tiny"},
        {"allow": True, "models": [1]},
        {"allow": True, "models": ["a"] * 1001},
        {"allow": True, "cache_seconds": "5"},
        {"allow": True, "cache_seconds": True},
        {"allow": True, "cache_seconds": -1},
        {"allow": True, "cache_seconds": float("inf")},
        {"allow": True, "cache_seconds": float("nan")},
    ],
)
def test_what_is_no_decision_is_no_answer(found: Any) -> None:
    with pytest.raises(PolicyFailed):
        read_result(found, "")


@pytest.mark.parametrize(
    ("found", "decision"),
    [
        ({"allow": True}, Decision(True, "ok")),
        ({"allow": False}, Decision(False, "denied")),
        ({"allow": True, "cache_seconds": None, "models": None}, Decision(True, "ok")),
        ({"allow": True, "models": []}, Decision(True, "ok", models=())),
        ({"allow": True, "models": ["a", "b*"]}, Decision(True, "ok", models=("a", "b*"))),
        ({"allow": True, "cache_seconds": 0}, Decision(True, "ok", 0.0)),
        ({"allow": False, "reason": "at_night", "more": [1]}, Decision(False, "at_night")),
    ],
)
def test_a_result_is_a_decision(found: Any, decision: Decision) -> None:
    assert read_result(found, "") == decision


@pytest.mark.parametrize(
    ("reason", "error", "message"),
    [
        ("unauthorized", Unauthenticated, "unauthorized: no authorization header"),
        ("invalid_token", Unauthenticated, "invalid token"),
        ("endpoint_not_authorized", PermissionDenied, "endpoint not authorized"),
        ("model_not_authorized", PermissionDenied, "model not authorized"),
        ("at_night", PermissionDenied, "refused by the policy: at_night"),
    ],
)
def test_a_refusal_is_the_manuals_error(reason: str, error: type, message: str) -> None:
    refusal = Decision(False, reason).refusal()
    assert type(refusal) is error
    assert refusal is not None
    assert refusal.message == message
    assert Decision(True, reason).refusal() is None


def test_a_bad_token_is_the_error_that_was_found_when_it_was_read() -> None:
    problem = Unauthenticated(reason="expired")
    assert Decision(False, "invalid_token").refusal(problem) is problem


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ("allow := nosuch(3)", "Function not found: nosuch"),
        ('allow if input.token.admin\nreason := "no"', "`allow` is neither true nor false"),
        ('allow := true\nallow := false if input.class == "reading"', "rules contradict"),
    ],
)
def test_a_policy_that_has_no_answer_to_some_question_is_not_loaded(
    rules: str, message: str
) -> None:
    with pytest.raises(InvalidArgument, match=message) as caught:
        tried(Files({"own.rego": HEAD + rules}, {}))
    assert caught.value.param == "policy_dir"


def test_the_shipped_policies_are_those_of_the_package() -> None:
    assert set(shipped().modules) == {"authentication.rego", "authorization.rego", "modes.rego"}


def test_data_is_what_policies_see_as_data() -> None:
    rego = Rego(
        {"own.rego": HEAD + "default allow := false\nallow if input.name in data.friends"},
        {"data.json": '{"friends": ["a \\"q\\"", "b"]}'},
    )
    assert rego.result({"name": 'a "q"'}) == {"allow": True}
    assert rego.result({"name": "c"}) == {"allow": False}


@pytest.mark.parametrize("text", ["[1]", "{", "", "1", '{"kronk": 1}', "[" * 100_000])
def test_data_that_is_no_object_is_named(text: str) -> None:
    with pytest.raises(BadPolicy, match=r"data\.json"):
        Rego({"own.rego": HEAD + "allow := true"}, {"data.json": text})
