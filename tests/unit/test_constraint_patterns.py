"""Regular expressions: answers match them as a whole."""

from __future__ import annotations

import re
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.constrained import answer, compiler
from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.values import Constraint
from kronk.worker.constraint.compile import Grammar

PATTERNS = [
    "[0-9]{3}-[A-Z]{2}",
    "yes|no|perhaps",
    "(red|green)(, (red|green))*",
    r"\d+(\.\d{1,2})?",
    r"\w+@\w+\.(com|org)",
    r"\s*a\S",
    "^whole$",
    r"^a\$",
    "a/b",
    "a\nb",
    "/\nx: /y",
    '"quoted" #c',
    r"\x41\u0042\n\t",
    "[a-z&&b]+",
    "[[a]+x",
    "[+--]{2}",
    "[^a-z]{3}",
    "é+|日本?",
    "(?i)case",
    "(?:a|ab)(?:c|bcd)",
    "a*?b+?",
    "(a+)+b",
    ".{5}",
    "x{0}y",
]


def regex(pattern: str) -> Grammar:
    return compiler().compile(Constraint("regex", pattern, "regex"))


def matches(pattern: str, text: str) -> bool:
    with warnings.catch_warnings():
        # Python may once read set operations; ECMAScript, which clients write, does not.
        warnings.simplefilter("ignore", FutureWarning)
        return re.fullmatch(pattern, text) is not None


@pytest.mark.parametrize("pattern", PATTERNS)
def test_an_answer_matches_the_pattern_whatever_its_budget(pattern: str) -> None:
    grammar = regex(pattern)
    for seed in range(6):
        said = answer(grammar, grammar.shortest + 3 * seed, seed).decode()
        assert matches(pattern, said), said


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from("ab01(|)[]{}^$*+?.\\-,:/dws&~\"'\n é"), max_size=14).map("".join))
def test_any_text_is_a_pattern_that_is_kept_or_refused(pattern: str) -> None:
    try:
        grammar = regex(pattern)
    except InvalidArgument as refused:
        assert refused.param == "regex"
        return
    said = answer(grammar, grammar.shortest + 5, seed=1).decode()
    try:
        assert matches(pattern, said), said
    except re.error:
        # Python is stricter in places: a brace that counts nothing, a class that looks nested.
        return
