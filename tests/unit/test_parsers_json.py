"""The JSON scanner agrees with the standard library, and knows where a value ends."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kronk.worker.parsers.json_scan import MAX_DEPTH, JsonScanner, StringDecoder, is_json
from kronk.worker.parsers.marker import Found, Markers
from kronk.worker.parsers.typed import json_inside, json_value, property_types, types_of

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def scan(pieces: list[str]) -> tuple[int, JsonScanner]:
    scanner, end = JsonScanner(), 0
    for piece in pieces:
        taken = scanner.scan(piece)
        end += taken
        if taken < len(piece):
            break
    return end, scanner


@given(value=VALUES, indent=st.sampled_from([None, 1]), ascii_only=st.booleans())
def test_a_value_ends_where_it_ends(value: Any, indent: int | None, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    for pieces in ([text + " ,x"], [*text, " ", ",", "x"]):
        end, scanner = scan(pieces)
        assert (end, scanner.done, scanner.failure) == (len(text), True, None)
        assert scanner.depth == 0


@given(text=st.text(st.sampled_from('{}[]",:\\ \n0123.-eEtrufalsn\x00bé'), max_size=14))
@example("01")
@example("-")
@example("[1,]")
@example('{"a":1,}')
@example('"\\u12g4"')
def test_what_is_no_json_to_python_is_none_here(text: str) -> None:
    try:
        json.loads(text)
        valid = True
    except ValueError:
        valid = False
    assert is_json(text) is valid


@given(text=st.text(st.sampled_from('{}[]",:\\ 01.-etrufalsn\n'), max_size=20))
def test_it_stops_at_the_same_character_however_the_text_is_cut(text: str) -> None:
    end, scanner = scan([text])
    end_by_one, scanner_by_one = scan(list(text))
    assert (end, scanner.failure) == (end_by_one, scanner_by_one.failure)
    assert (scanner.depth, scanner.in_string) == (scanner_by_one.depth, scanner_by_one.in_string)


def test_nesting_has_a_limit() -> None:
    assert is_json("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    end, scanner = scan(["[" * (MAX_DEPTH + 1)])
    assert end == MAX_DEPTH
    assert scanner.failure == f"more than {MAX_DEPTH} levels"


@given(text=st.text(), ascii_only=st.booleans())
def test_a_string_is_decoded_piece_by_piece(text: str, ascii_only: bool) -> None:
    raw = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
    decoder = StringDecoder()
    assert "".join(decoder.feed(char) for char in raw) + decoder.finish() == text
    assert not decoder.failed


@pytest.mark.parametrize(
    "raw", ["a\\ud83d", "a\\ud83db", "a\\ud83d\\n", "a\\udc00", "a\\ud83d\\ud83d"]
)
def test_half_a_character_ends_what_is_decoded(raw: str) -> None:
    for pieces in ([raw], list(raw)):
        decoder = StringDecoder()
        assert "".join(decoder.feed(piece) for piece in pieces) + decoder.finish() == "a"
        assert decoder.failed


@pytest.mark.parametrize(
    ("markers", "text", "ended", "found"),
    [
        (["<a>"], "x<a>y", False, Found(1, "<a>")),
        (["<a>"], "x<", False, Found(1, None)),
        (["<a>"], "x<", True, Found(2, None)),
        (["<a>"], "x<b", False, Found(3, None)),
        # The one that begins first, complete or not.
        (["abc", "b"], "xab", False, Found(1, None)),
        (["abc", "b"], "xab", True, Found(2, "b")),
        (["abc", "b"], "xabd", False, Found(2, "b")),
        # Of two that begin together the longest, once that is clear.
        (["<a", "<a>"], "<a", False, Found(0, None)),
        (["<a", "<a>"], "<a", True, Found(0, "<a")),
        (["<a", "<a>"], "<a>", False, Found(0, "<a>")),
        (["<a", "<a>"], "<ab", False, Found(0, "<a")),
        ([], "<a>", False, Found(3, None)),
    ],
)
def test_the_first_marker(markers: list[str], text: str, ended: bool, found: Found) -> None:
    assert Markers(*markers).find(text, ended=ended) == found


ROOT = {
    "$defs": {"n": {"type": "integer"}, "loop": {"$ref": "#/$defs/loop"}, "a/b": {"const": True}},
    "properties": {"x": {"$ref": "#/$defs/n"}},
}


@pytest.mark.parametrize(
    ("schema", "types"),
    [
        ({"type": "string"}, {"string"}),
        ({"type": ["string", "null"]}, {"string", "null"}),
        ({"enum": ["a", 1]}, {"string", "integer"}),
        ({"const": None}, {"null"}),
        ({"anyOf": [{"type": "string"}, {"$ref": "#/$defs/n"}]}, {"string", "integer"}),
        ({"anyOf": [{"type": "string"}, {}]}, None),
        ({"allOf": [{"type": ["string", "null"]}, {"type": "string"}, {}]}, {"string"}),
        ({"$ref": "#/$defs/a~1b"}, {"boolean"}),
        ({"$ref": "#/$defs/loop"}, None),
        ({"$ref": "#/$defs/none"}, None),
        ({"$ref": "https://example.org/x"}, None),
        ({}, None),
        (True, None),
    ],
)
def test_the_types_a_schema_allows(schema: Any, types: set[str] | None) -> None:
    assert types_of(schema, ROOT) == types


def test_the_types_of_an_argument() -> None:
    assert property_types(ROOT, "x") == {"integer"}
    assert property_types(ROOT, "y") is None
    assert property_types({"$ref": "#/$defs/o", "$defs": {"o": ROOT}}, "y") is None
    assert property_types({"properties": 1}, "x") is None


@pytest.mark.parametrize(
    ("text", "types", "value"),
    [
        ("1", {"string"}, '"1"'),
        (" a\n", {"string"}, '" a\\n"'),
        (" 1 ", {"integer"}, "1"),
        ("1.0", {"integer"}, "1.0"),
        ("01", {"integer"}, '"01"'),
        ("True", {"boolean"}, "true"),
        ("True", {"integer"}, '"True"'),
        ("None", {"string", "null"}, "null"),
        ("null", {"string", "null"}, "null"),
        ("1", {"string", "null"}, '"1"'),
        ("1", {"string", "number"}, "1"),
        ('"a"', {"string", "null"}, '"\\"a\\""'),
        ('"a"', {"integer"}, '"a"'),
        ('{"a": [1]}', {"object"}, '{"a": [1]}'),
        ("{'a': 1}", {"object"}, "\"{'a': 1}\""),
        ("[1]", None, "[1]"),
        ("True", None, '"True"'),
        ("", None, '""'),
        ("é", None, '"é"'),
    ],
)
def test_text_becomes_json_by_its_types(text: str, types: set[str] | None, value: str) -> None:
    assert json_value(text, None if types is None else frozenset(types)) == value


@given(pieces=st.lists(st.text()))
def test_a_string_is_escaped_piece_by_piece(pieces: list[str]) -> None:
    inside = "".join(json_inside(piece) for piece in pieces)
    assert json.loads(f'"{inside}"') == "".join(pieces)
