"""Variables of prompts: what is one, and what becomes of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronk.gateway.library.templates import filled, variables_of
from kronk.shared.errors import InvalidArgument


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ()),
        ("Hello!", ()),
        ("Hello, {{name}}!", ("name",)),
        ("{{ b }} {{a}} {{b}}", ("b", "a")),
        (
            "{{Gr\u00f6\u00dfe}} {{two words}} {{a.b-c_1}}",
            ("Gr\u00f6\u00dfe", "two words", "a.b-c_1"),
        ),
        ('{"a": {"b": {}}} {{}} {{ }} {{1a}} {{#if x}} {{/if}} {{a\nb}}', ()),
        ("{{{name}}}", ("name",)),
        ("{{" + "x" * 64 + "}} {{" + "x" * 63 + "}}", ("x" * 63,)),
    ],
)
def test_variables_are_names_in_two_braces(text: str, names: tuple[str, ...]) -> None:
    assert variables_of(text) == names


def test_each_variable_is_replaced_and_nothing_in_its_value() -> None:
    assert filled("{{a}} {{ a }} {{b}}", {"a": "{{b}} \\1", "b": "2"}) == "{{b}} \\1 {{b}} \\1 2"
    assert filled("{{a}}", {"a": ""}) == ""


@pytest.mark.parametrize(
    ("values", "param"), [({}, "variables.a"), ({"a": "1", "c": "2"}, "variables.c")]
)
def test_values_are_those_of_the_variables(values: dict[str, str], param: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        filled("Hello, {{a}}!", values)
    assert caught.value.param == param
    assert param in caught.value.message


@given(st.text(st.characters(blacklist_characters="{}")), st.text(), st.text())
def test_what_stands_around_a_variable_stays(before: str, value: str, after: str) -> None:
    assert filled(f"{before}{{{{x}}}}", {"x": value}) == before + value
    assert variables_of(before) == ()
    assert filled("{{x}}{{y}}", {"x": value, "y": after}) == value + after
