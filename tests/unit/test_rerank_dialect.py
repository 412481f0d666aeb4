"""Rerank: what is taken, what is refused and which field that names, and the answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kronk.gateway.dialects.rerank import MOST_DOCUMENTS, RerankBody, RerankWhole, Style, parse
from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.to_gateway import Done, Scores
from kronk.shared.wire.to_worker import Rank
from kronk.shared.wire.values import Timings, Usage

DOCUMENTS: list[Any] = ["sea", {"text": "fox"}, "tree", "river"]
DONE = Done(1, Usage(45, 0), Timings(0.0, 0.1, 0.0))


def body(**fields: Any) -> bytes:
    return json.dumps({"model": "m", "query": "red", "documents": DOCUMENTS, **fields}).encode()


def asked(**fields: Any) -> Rank:
    ask = parse(body(**fields)).job.message(1, "rank-1")
    assert isinstance(ask, Rank)
    return ask


def test_documents_are_strings_or_objects_with_a_text() -> None:
    assert asked().documents == ("sea", "fox", "tree", "river")
    assert asked().query == "red"
    assert not asked().truncate
    assert asked(truncate=True).truncate


def test_null_is_unset() -> None:
    optional = set(RerankBody.model_fields) - {"model", "query", "documents"}
    assert parse(body(**dict.fromkeys(optional))) == parse(body())


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"query": ""}, "query"),
        ({"query": 5}, "query"),
        ({"documents": []}, "documents"),
        ({"documents": "sea"}, "documents"),
        ({"documents": ["sea", 5]}, "documents[1]"),
        ({"documents": [None]}, "documents[0]"),
        ({"documents": [{}]}, "documents[0]"),
        ({"documents": [{"text": 5}]}, "documents[0]"),
        ({"documents": [{"text": "sea", "id": 2**64}]}, "documents[0].id"),
        ({"documents": ["x"] * (MOST_DOCUMENTS + 1)}, "documents"),
        ({"top_n": 0}, "top_n"),
        ({"top_n": "2"}, "top_n"),
        ({"return_documents": "yes"}, "return_documents"),
        ({"truncate": 1}, "truncate"),
        ({"truncate": "START"}, "truncate"),
        ({"truncate": "end"}, "truncate"),
        ({"max_chunks_per_doc": 0}, "max_chunks_per_doc"),
        ({"max_tokens_per_doc": 0}, "max_tokens_per_doc"),
        ({"rank_fields": ["title"]}, "rank_fields[0]"),
        ({"rank_fields": []}, "rank_fields"),
        ({"priority": 5}, "priority"),
        ({"relevant_spans": {}}, "relevant_spans"),
    ],
)
def test_a_field_that_is_not_acceptable_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidArgument) as error:
        parse(body(**fields))
    assert error.value.param == param


@pytest.mark.parametrize(
    ("style", "given", "truncate"),
    [
        ("manual", {}, False),
        ("manual", {"truncate": "END"}, True),
        ("manual", {"truncate": "NONE"}, False),
        ("cohere", {}, True),
        ("jina", {}, True),
        ("cohere", {"truncate": False}, False),
        ("jina", {"truncate": "NONE"}, False),
    ],
)
def test_what_is_too_long_is_cut_where_the_route_or_the_caller_says_so(
    style: Style, given: dict[str, Any], truncate: bool
) -> None:
    ask = parse(body(**given), style).job.message(1, "rank-1")
    assert isinstance(ask, Rank)
    assert ask.truncate is truncate


def test_what_cohere_says_of_long_documents_is_understood() -> None:
    assert asked(max_tokens_per_doc=9).document_tokens == 9
    assert asked(max_chunks_per_doc=9, rank_fields=["text"], priority=0) == asked()


def answer(
    scores: tuple[float, ...] = (0.1, 0.9, 0.5, 0.9), style: Style = "manual", **fields: Any
) -> dict[str, Any]:
    whole = RerankWhole("rank-1", parse(body(**fields), style))
    whole.add(Scores(1, scores))
    return whole.body(DONE)


def test_the_most_relevant_come_first_and_equal_ones_as_they_were_sent() -> None:
    assert answer() == {
        "id": "rank-1",
        "object": "list",
        "results": [
            {"index": 1, "relevance_score": 0.9, "document": {"text": "fox"}},
            {"index": 3, "relevance_score": 0.9, "document": "river"},
            {"index": 2, "relevance_score": 0.5, "document": "tree"},
            {"index": 0, "relevance_score": 0.1, "document": "sea"},
        ],
        "model": "m",
        "usage": {"prompt_tokens": 45, "total_tokens": 45},
        "meta": {
            "billed_units": {"search_units": 1},
            "tokens": {"input_tokens": 45, "output_tokens": 0},
        },
    }


@pytest.mark.parametrize(("top_n", "indices"), [(1, [1]), (2, [1, 3]), (9, [1, 3, 2, 0])])
def test_top_n_is_how_many_come_back(top_n: int, indices: list[int]) -> None:
    assert [result["index"] for result in answer(top_n=top_n)["results"]] == indices


DOCUMENTS_BACK: list[tuple[Style, bool | None, Any]] = [
    ("manual", None, "river"),
    ("manual", True, {"text": "river"}),
    ("manual", False, None),
    ("jina", None, {"text": "river"}),
    ("jina", True, {"text": "river"}),
    ("jina", False, None),
    ("cohere", None, None),
    ("cohere", True, {"text": "river"}),
    ("cohere", False, None),
]


@pytest.mark.parametrize(("style", "said", "document"), DOCUMENTS_BACK)
def test_documents_come_back_as_the_routes_clients_know_them(
    style: Style, said: bool | None, document: Any
) -> None:
    result = answer((0, 0, 0, 1), style, return_documents=said, top_n=1)["results"][0]
    assert result.get("document") == document
    assert ("document" in result) is (document is not None)


def test_an_object_comes_back_whole() -> None:
    document = {"text": "fox", "id": 7, "tags": ["red"]}
    (result,) = answer((1.0,), documents=[document])["results"]
    assert result["document"] == document


@pytest.mark.parametrize(("count", "units"), [(1, 1), (100, 1), (101, 2)])
def test_units_are_hundreds_of_documents(count: int, units: int) -> None:
    whole = answer((0.5,) * count, documents=["x"] * count)
    assert whole["meta"]["billed_units"] == {"search_units": units}
