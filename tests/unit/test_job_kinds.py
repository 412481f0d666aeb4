"""What a kind of job takes, and what is told of its parameters."""

from __future__ import annotations

from typing import Any

import pytest

from kronk.shared.errors import InvalidArgument
from kronk.shared.jobs.kinds import KINDS, LANES, Kind, Param, imported, kind_of, shown

COPY = Kind(
    "copy",
    "os:getpid",
    ("what",),
    "copy {what} to {where}",
    (Param("what", required=True), Param("where"), Param("times", int), Param("hard", bool)),
)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_kind_has_its_functions_and_a_title_of_its_parameters(kind: Kind) -> None:
    assert callable(imported(kind.work))
    assert kind.check is None or callable(imported(kind.check))
    assert kind.lane in LANES
    params = {name: f"<{name}>" for name in kind.all_params()}
    assert kind.titled(params) == kind.title.format(**params)
    assert set(kind.key) <= set(kind.all_params())


@pytest.mark.parametrize(
    "params",
    [{"what": "a"}, {"what": "a", "where": "b", "times": 2, "hard": False}, {"what": "é" * 4096}],
)
def test_good_parameters_are_taken(params: dict[str, Any]) -> None:
    COPY.validate(params)


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({}, "params.what"),
        ({"where": "b"}, "params.what"),
        ({"what": None}, "params.what"),
        ({"what": ""}, "params.what"),
        ({"what": "a" * 4097}, "params.what"),
        ({"what": "a\0"}, "params.what"),
        ({"what": ["a"]}, "params.what"),
        ({"what": "a", "times": True}, "params.times"),
        ({"what": "a", "times": "2"}, "params.times"),
        ({"what": "a", "hard": 1}, "params.hard"),
        ({"what": "a", "token": "x"}, "params.token"),
    ],
)
def test_what_is_wrong_with_parameters_is_named(params: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        COPY.validate(params)
    assert caught.value.param == param
    assert param in caught.value.message


def test_keys_that_are_not_listed_are_texts_that_must_be_given() -> None:
    kind = Kind("x", "os:getpid", ("a",), "x {a}")
    kind.validate({"a": "b"})
    with pytest.raises(InvalidArgument, match=r"params\.a"):
        kind.validate({})
    assert kind.schema()["required"] == ["a"]


def test_an_unknown_kind_is_refused_with_those_there_are() -> None:
    with pytest.raises(InvalidArgument, match="pull") as caught:
        kind_of("nope")
    assert caught.value.param == "kind"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("Qwen3-8B-Q4_K_M", "Qwen3-8B-Q4_K_M"),
        ("hf:a/b/c.gguf@main", "hf:a/b/c.gguf@main"),
        ("https://host/c.gguf?sig=secret#part", "https://host/c.gguf"),
        ("https://me:secret@host:81/c.gguf", "https://host:81/c.gguf"),
        ("https://[bad/c.gguf?sig=secret", "https://[bad/c.gguf"),
        (7, 7),
    ],
)
def test_parameters_are_told_without_keys_in_addresses(value: object, said: object) -> None:
    assert shown({"wanted": value}) == {"wanted": said}


def test_what_a_title_lacks_is_a_dash() -> None:
    assert COPY.titled({"what": "https://h/a?key=b"}) == "copy https://h/a to -"


def test_secret_parameters_are_parted_from_what_is_told() -> None:
    kind = Kind("x", "os:getpid", ("a",), "x {a} {key}", (Param("key", secret=True),))
    params = {"a": "b", "key": "s3cret"}
    assert kind.parted(params) == ({"a": "b"}, {"key": "s3cret"})
    assert kind.titled(params) == "x b -"


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_what_is_called_a_token_is_secret(kind: Kind) -> None:
    for name, param in kind.all_params().items():
        assert param.secret == (name in ("token", "password", "secret"))


def test_jobs_about_the_same_have_one_target() -> None:
    assert COPY.target({"what": "a", "times": 1}) == COPY.target({"what": "a"})
    assert COPY.target({"what": "a"}) != COPY.target({"what": "b"})
