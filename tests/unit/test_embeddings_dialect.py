"""Embeddings: what is taken, what is refused and which field that names, and the answer's bytes."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import pytest

from kronk.gateway.dialects.openai.embeddings import (
    MOST_INPUTS,
    EmbeddingsBody,
    EmbeddingsWhole,
    parse,
)
from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.to_gateway import Done, Vectors
from kronk.shared.wire.to_worker import Embed
from kronk.shared.wire.values import Timings, Usage


def body(**fields: Any) -> bytes:
    return json.dumps({"model": "m", "input": "red", **fields}).encode()


def asked(**fields: Any) -> Embed:
    ask = parse(body(**fields)).job.message(1, "embd-1")
    assert isinstance(ask, Embed)
    return ask


@pytest.mark.parametrize(
    ("given", "inputs"),
    [
        ("red", ("red",)),
        (["red", "fox"], ("red", "fox")),
        ([5], ([5],)),
        ([5, 0, 7], ([5, 0, 7],)),
        ([[5, 6], [7]], ([5, 6], [7])),
        (["x"] * MOST_INPUTS, ("x",) * MOST_INPUTS),
        ([7] * 5000, ([7] * 5000,)),
    ],
)
def test_the_four_forms_of_input(given: Any, inputs: tuple[Any, ...]) -> None:
    assert asked(input=given).inputs == inputs


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ("", "input"),
        ([], "input"),
        (7, "input"),
        (None, "input"),
        ({"text": "red"}, "input"),
        ([""], "input[0]"),
        (["red", ""], "input[1]"),
        (["red", 5], "input[1]"),
        (["red", [5]], "input[1]"),
        ([5, "red"], "input[1]"),
        ([5, -1], "input[1]"),
        ([5, True], "input[1]"),
        ([5, 1.5], "input[1]"),
        ([5, 2**31], "input[1]"),
        ([[]], "input[0]"),
        ([[5], "red"], "input[1]"),
        ([[5], [6, "red"]], "input[1][1]"),
        ([True], "input[0]"),
        ([None], "input[0]"),
        (["x"] * (MOST_INPUTS + 1), "input"),
    ],
)
def test_an_input_that_cannot_be_embedded_is_named(given: Any, param: str) -> None:
    with pytest.raises(InvalidArgument) as error:
        parse(body(input=given))
    assert error.value.param == param


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"dimensions": 0}, "dimensions"),
        ({"dimensions": "8"}, "dimensions"),
        ({"dimensions": 1.0}, "dimensions"),
        ({"encoding_format": "int8"}, "encoding_format"),
        ({"truncate": 1}, "truncate"),
        ({"truncate": "START"}, "truncate"),
        ({"input_type": "query"}, "input_type"),
        ({"task": "retrieval.query"}, "task"),
        ({"normalized": False}, "normalized"),
        ({"late_chunking": True}, "late_chunking"),
        ({"encoding_format": "float", "embedding_type": "base64"}, "embedding_type"),
        ({"user": 5}, "user"),
        ({"model": ""}, "model"),
        ({"normalize": False}, "normalize"),
    ],
)
def test_a_field_that_is_not_acceptable_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidArgument) as error:
        parse(body(**fields))
    assert error.value.param == param


@pytest.mark.parametrize("name", ["model", "input"])
def test_a_missing_field_is_named(name: str) -> None:
    fields = {"model": "m", "input": "red"}
    del fields[name]
    with pytest.raises(InvalidArgument, match=f"missing {name}"):
        parse(json.dumps(fields).encode())


def test_null_is_unset_and_what_is_said_reaches_the_worker() -> None:
    optional = set(EmbeddingsBody.model_fields) - {"model", "input"}
    assert parse(body(**dict.fromkeys(optional))) == parse(body())
    plain, full = asked(), asked(dimensions=8, truncate=True, user="me")
    assert (plain.dimensions, plain.truncate) == (None, False)
    assert (full.dimensions, full.truncate) == (8, True)
    assert parse(body()).encoding == "float"
    assert parse(body(encoding_format="base64")).encoding == "base64"
    assert parse(body(embedding_type="base64")).encoding == "base64"
    assert parse(body(normalized=True, late_chunking=False)) == parse(body())
    assert (asked(truncate="END").truncate, asked(truncate="NONE").truncate) == (True, False)


ROWS = [[0.5, -0.25, 0.125], [1.0, 2.0, 0.1], [3e-8, 0.0, -1.0]]
MESSAGES = [
    Vectors(1, 0, 3, struct.pack("<6f", *ROWS[0], *ROWS[1])),
    Vectors(1, 2, 3, struct.pack("<3f", *ROWS[2])),
]
DONE = Done(1, Usage(11, 0), Timings(0.0, 0.1, 0.0))


def answer(encoding: Any) -> dict[str, Any]:
    whole = EmbeddingsWhole('a/"b"', encoding)
    for message in MESSAGES:
        whole.add(message)
    return json.loads(whole.body(DONE))


def test_numbers_come_back_as_the_floats_they_are() -> None:
    written = answer("float")
    assert written["object"] == "list"
    assert written["model"] == 'a/"b"'
    assert written["usage"] == {"prompt_tokens": 11, "total_tokens": 11}
    for index, (item, row) in enumerate(zip(written["data"], ROWS, strict=True)):
        assert (item["object"], item["index"]) == ("embedding", index)
        assert struct.pack("<3f", *item["embedding"]) == struct.pack("<3f", *row)


def test_base64_holds_little_endian_floats() -> None:
    for item, row in zip(answer("base64")["data"], ROWS, strict=True):
        assert base64.b64decode(item["embedding"]) == struct.pack("<3f", *row)
