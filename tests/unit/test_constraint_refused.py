"""What cannot be honoured is refused, quickly and with the path of what is at fault."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.constrained import compiler, schema_grammar
from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.values import Constraint

ROOT = "response_format.json_schema.schema"


def inside(value: Any) -> dict[str, Any]:
    """An object whose property `a` is `value`."""
    return {
        "type": "object",
        "properties": {"z": {"type": "integer"}, "a": value},
        "required": ["a"],
    }


def chain(length: int) -> dict[str, Any]:
    links = {f"d{index}": {"$ref": f"#/$defs/d{index + 1}"} for index in range(length)}
    return {"$defs": links | {f"d{length}": {}}, "$ref": "#/$defs/d0"}


COMBINED = {
    "allOf": [
        {"anyOf": [inside({"const": f"{index}{other}"}) | {"title": ""} for other in range(7)]}
        for index in range(9)
    ]
}

AT_A: list[tuple[Any, str, str]] = [
    ({"type": "string", "pattern": "(?=x)y"}, ".pattern", "look-around"),
    ({"type": "string", "pattern": "(a)\\1"}, ".pattern", "backreferences"),
    ({"type": "string", "pattern": "a^b"}, ".pattern", ""),
    ({"type": "string", "pattern": "\\bword"}, ".pattern", ""),
    ({"type": "string", "pattern": "("}, ".pattern", "unclosed group"),
    ({"type": "string", "pattern": 1}, ".pattern", "must be a string"),
    ({"type": "string", "pattern": "a{1000000}"}, ".pattern", "repetitions"),
    ({"type": "string", "pattern": "(((a{90}){90}){90}){90}"}, ".pattern", "repetitions"),
    ({"type": "string", "pattern": "x" * 20_000}, ".pattern", "characters"),
    ({"type": "string", "format": "regex"}, ".format", "not supported"),
    ({"type": "strin"}, ".type", "must be one or several of"),
    ({"type": []}, ".type", ""),
    ({"type": "string", "minLength": -1}, ".minLength", "negative"),
    ({"type": "string", "minLength": 1.5}, ".minLength", "integer"),
    ({"type": "string", "minLength": True}, ".minLength", "integer"),
    ({"type": "string", "minLength": 10**9}, ".minLength", "at most"),
    ({"type": "string", "minLength": 3, "maxLength": 2}, ".minLength", ""),
    ({"type": "string", "minlength": 3}, ".minlength", "unknown keyword"),
    ({"type": "integer", "minimum": 5, "maximum": 4}, ".minimum", "greater than maximum"),
    ({"type": "integer", "minimum": "5"}, ".minimum", "finite number"),
    ({"type": "integer", "minimum": 2**64}, ".minimum", "within"),
    ({"type": "number", "multipleOf": 0}, ".multipleOf", "1e-9"),
    ({"type": "number", "multipleOf": 1000003}, ".multipleOf", "at most 100000"),
    ({"type": "number", "multipleOf": 1234.567}, ".multipleOf", "at most 100000"),
    (
        {"allOf": [{"type": "integer", "multipleOf": 997}, {"multipleOf": 991}]},
        ".allOf[1].multipleOf",
        "common",
    ),
    ({"type": "array", "minItems": 3, "maxItems": 2}, ".minItems", ""),
    ({"type": "array", "items": 7}, ".items", "an object or a boolean"),
    ({"type": "array", "uniqueItems": True}, ".uniqueItems", "not supported"),
    ({"type": "array", "contains": {}}, ".contains", "not supported"),
    ({"type": "array", "unevaluatedItems": False}, ".unevaluatedItems", "use items"),
    ({"not": {"type": "string"}}, ".not", "not supported"),
    ({"if": {}, "then": {}}, ".if", "not supported"),
    ({"dependentSchemas": {"x": {}}}, ".dependentSchemas", "not supported"),
    ({"dependentRequired": {"x": ["y"]}}, ".dependentRequired", "not supported"),
    ({"propertyNames": {"maxLength": 3}}, ".propertyNames", "not supported"),
    ({"unevaluatedProperties": False}, ".unevaluatedProperties", "additionalProperties"),
    ({"$dynamicRef": "#x"}, ".$dynamicRef", "not supported"),
    ({"type": "string", "nullable": True}, ".nullable", "null"),
    ({"type": "object", "minProperties": 2}, ".minProperties", "more than 1"),
    ({"type": "object", "properties": []}, ".properties", "an object of schemas"),
    ({"type": "object", "properties": {"b": 1}}, ".properties.b", "an object or a boolean"),
    ({"type": "object", "required": "b"}, ".required", "a list of strings"),
    ({"properties": {"b": {}}, "patternProperties": {"^b": {}}}, ".patternProperties", "named"),
    ({"patternProperties": {"^b": {}, "b$": {}}}, ".patternProperties", ""),
    ({"enum": []}, ".enum", "at least one"),
    ({"enum": "x"}, ".enum", "a list"),
    ({"const": 2**60}, ".const", "exact"),
    ({"anyOf": []}, ".anyOf", "at least one"),
    ({"anyOf": [{"type": "string"}, {"type": "x"}]}, ".anyOf[1].type", ""),
    ({"oneOf": [{"type": "string"}, {"minLength": 3}]}, ".oneOf", "exclude each other"),
    ({"allOf": [{"type": "string"}, {"type": "integer"}]}, ".allOf", ""),
    ({"$ref": "#/$defs/x"}, ".$ref", "leads nowhere"),
    ({"$ref": "http://example.com/x"}, ".$ref", "cannot be resolved"),
    ({"$ref": 5}, ".$ref", "a string"),
    (False, "", "no value"),
]


@pytest.mark.parametrize(("schema", "path", "reason"), AT_A)
def test_a_schema_is_refused_with_the_path_and_the_reason(
    schema: Any, path: str, reason: str
) -> None:
    with pytest.raises(InvalidArgument) as refused:
        schema_grammar(inside(schema), ROOT)
    assert refused.value.param == f"{ROOT}.properties.a{path}"
    assert refused.value.message.startswith(f"{refused.value.param}: ")
    assert reason in refused.value.message


@pytest.mark.parametrize(
    "source",
    [
        '{"properties": {"a": {"$ref": "#"}}, "required": ["a"], "type": "object"}',
        '{"$ref": "#"}',
        '{"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}',
        '{"type": "string", "minLength": 900000}',
        '{"minItems": 90000, "type": "array", "items": {"minItems": 90000, "type": "array"}}',
        json.dumps(COMBINED),
        json.dumps(chain(300)),
        '{"items":' * 60 + "{}" + "}" * 60 + "]",
        '{"items":' * 300 + "{}" + "}" * 300,
        '{"items":' * 90_000 + "{}" + "}" * 90_000,
        "[" * 90_000,
        "[]",
        "7",
        "false",
        "",
        "{",
        '{"a": NaN}',
        '{"minimum": 1e999}',
        '{"const": ' + "9" * 5000 + "}",
        '{"const": "\\ud800"}',
        '{"properties": {"\\udfff": {}}}',
        " " * 300_000,
    ],
    ids=lambda source: source[:40],
)
def test_a_schema_without_an_answer_or_without_bounds_is_refused(source: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        compiler().compile(Constraint("json_schema", source, ROOT))
    assert str(refused.value.param).startswith(ROOT)
    assert len(refused.value.message) < 1000


def test_a_part_that_no_reference_leads_to_asks_for_nothing() -> None:
    schema_grammar({"$defs": {"unused": {"not": {}}}, "type": "integer"})


def test_the_path_leads_through_references() -> None:
    schema = {
        "$defs": {"list": {"type": "array", "items": {"type": "string", "pattern": "a^"}}},
        **inside({"$ref": "#/$defs/list"}),
    }
    with pytest.raises(InvalidArgument) as refused:
        schema_grammar(schema, ROOT)
    assert refused.value.param == f"{ROOT}.$defs.list.items.pattern"


def test_a_schema_each_token_of_which_would_take_long_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="each token would take very long") as refused:
        schema_grammar({"const": "x" * 100_000}, ROOT)
    assert refused.value.param == ROOT


def test_a_part_nobody_can_meet_but_nobody_must_is_left_out() -> None:
    never = {"type": "integer", "minimum": 5, "maximum": 4}
    grammar = schema_grammar({"type": "object", "properties": {"a": never}, "maxProperties": 0})
    assert grammar.shortest <= 2


@pytest.mark.parametrize(
    "pattern",
    ["(", "a)", "[", "a{3,2}", "a{1000000}", "((a{99}){99}){99}", "(?=a)b", "(a)\\1", "a\\b", "a^b",
     "*", "\\", "(?P<n", "\\p{Nope}", "x" * 20_000, "(" * 5_000, "[^\\s\\S]"],
)  # fmt: skip
def test_a_pattern_that_cannot_be_followed_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        compiler().compile(Constraint("regex", pattern, "regex"))
    assert refused.value.param == "regex"


def test_a_lark_grammar_in_error_is_refused() -> None:
    with pytest.raises(InvalidArgument) as refused:
        compiler().compile_lark("start: nothing", "tools")
    assert refused.value.param == "tools"


def test_a_grammar_is_compiled_once() -> None:
    assert schema_grammar({"const": "once"}) is schema_grammar({"const": "once"})
