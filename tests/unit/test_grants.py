"""What a token grants: how it is written, read, and what is said about a mistake."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronk.shared.errors import InvalidArgument
from kronk.shared.security.grants import (
    ENDPOINTS,
    UNLIMITED,
    Grants,
    Limit,
    parse_endpoints,
    parse_models,
    parse_tokens,
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("chat-completions", {"chat-completions": UNLIMITED}),
        (
            "chat-completions:1000/day,embeddings:500/month",
            {"chat-completions": Limit(1000, "day"), "embeddings": Limit(500, "month")},
        ),
        (
            " chat-completions:100/year , rerank:unlimited ",
            {"chat-completions": Limit(100, "year"), "rerank": UNLIMITED},
        ),
        ("messages:0/day", {"messages": Limit(0, "day")}),
    ],
)
def test_endpoints_are_read_as_the_manual_writes_them(text: str, found: dict[str, Limit]) -> None:
    assert parse_endpoints(text) == found


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "there is no ''"),
        ("chat", "there is no 'chat'"),
        ("chat-completion", "did you mean chat-completions?"),
        ("chat_completions", "did you mean chat-completions?"),
        ("embedings:3/day", "did you mean embeddings?"),
        ("rerank,rerank", "rerank is there twice"),
        ("rerank:10", "expected unlimited, or a limit such as 1000/day"),
        ("rerank:10/week", "got '10/week'"),
        ("rerank:10/unlimited", "got '10/unlimited'"),
        ("rerank:-1/day", "got '-1/day'"),
        ("rerank:1e3/day", "got '1e3/day'"),
        ("rerank:٣/day", "got '٣/day'"),
        ("rerank:/day", "got '/day'"),
        ("rerank:", "got ''"),
        (f"rerank:{10**40}/day", "is more than"),
    ],
)
def test_a_mistake_is_named_with_what_may_be_meant(text: str, complaint: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse_endpoints(text)
    assert complaint in caught.value.message
    assert caught.value.param == "endpoints"


@pytest.mark.parametrize("text", ["", ",", "../x", "a b", "-x", "x" * 300])
def test_names_of_models_that_nothing_can_have_are_refused(text: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse_models(text)
    assert caught.value.param == "models"


def test_a_budget_of_tokens_is_a_limit() -> None:
    assert parse_tokens("100000/day") == Limit(100000, "day")
    with pytest.raises(InvalidArgument, match=r"^tokens: ") as caught:
        parse_tokens("many")
    assert caught.value.param == "tokens"


@pytest.mark.parametrize(
    ("models", "name", "allowed"),
    [
        (None, "anything", True),
        (("Tiny",), "Tiny", True),
        (("Tiny",), "tiny", False),
        (("Tiny",), "Tiny2", False),
        (("Qwen3-*",), "Qwen3-8B", True),
        (("Qwen3-*",), "xQwen3-8B", False),
        (("a", "b"), "b", True),
        ((), "a", False),
    ],
)
def test_which_models_are_granted(models: tuple[str, ...] | None, name: str, allowed: bool) -> None:
    assert Grants(models=models).allows_model(name) is allowed


limits = st.just(UNLIMITED) | st.builds(
    Limit, st.integers(0, 10**15), st.sampled_from(["day", "month", "year"])
)
grants = st.builds(
    Grants,
    st.dictionaries(st.sampled_from(ENDPOINTS), limits),
    st.none() | st.lists(st.sampled_from(["a", "b*", "org/c"])).map(tuple),
    st.none() | limits,
    st.none() | st.integers(1, 1000),
)


@given(grants)
def test_claims_say_what_was_granted(granted: Grants) -> None:
    assert Grants.from_claims(granted.to_claims()) == granted


@pytest.mark.parametrize(
    "claims",
    [
        {"endpoints": []},
        {"endpoints": {"rerank": 3}},
        {"endpoints": {"rerank": {"limit": True, "window": "day"}}},
        {"endpoints": {"rerank": {"limit": -1, "window": "day"}}},
        {"endpoints": {"rerank": {"limit": 1.5, "window": "day"}}},
        {"endpoints": {"rerank": {"limit": 1, "window": "week"}}},
        {"endpoints": {"rerank": {"limit": 1, "window": []}}},
        {"endpoints": {"rerank": {"window": "day"}}},
        {"models": "Tiny"},
        {"models": [1]},
        {"tokens": 5},
        {"concurrency": 0},
        {"concurrency": True},
        {"concurrency": "2"},
    ],
)
def test_claims_of_another_form_are_no_grants(claims: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=": expected"):
        Grants.from_claims(claims)
