"""Rerank: what is taken, what is refused and which field that names, and the answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kronk.gateway.dialects.rerank import MOST_DOCUMENTS, RerankBody, RerankWhole, parse
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
        ({"documents": [{"text": "sea", "id": 1}]}, "documents[0]"),
        ({"documents": ["x"] * (MOST_DOCUMENTS + 1)}, "documents"),
        ({"top_n": 0}, "top_n"),
        ({"top_n": "2"}, "top_n"),
        ({"return_documents": "yes"}, "return_documents"),
        ({"truncate": 1}, "truncate"),
        ({"max_chunks_per_doc": 3}, "max_chunks_per_doc"),
    ],
)
def test_a_field_that_is_not_acceptable_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidArgument) as error:
        parse(body(**fields))
    assert error.value.param == param


def answer(scores: tuple[float, ...] = (0.1, 0.9, 0.5, 0.9), **fields: Any) -> dict[str, Any]:
    whole = RerankWhole(parse(body(**fields)))
    whole.add(Scores(1, scores))
    return whole.body(DONE)


def test_the_most_relevant_come_first_and_equal_ones_as_they_were_sent() -> None:
    assert answer() == {
        "object": "list",
        "results": [
            {"index": 1, "relevance_score": 0.9, "document": {"text": "fox"}},
            {"index": 3, "relevance_score": 0.9, "document": "river"},
            {"index": 2, "relevance_score": 0.5, "document": "tree"},
            {"index": 0, "relevance_score": 0.1, "document": "sea"},
        ],
        "model": "m",
        "usage": {"prompt_tokens": 45, "total_tokens": 45},
    }


@pytest.mark.parametrize(("top_n", "indices"), [(1, [1]), (2, [1, 3]), (9, [1, 3, 2, 0])])
def test_top_n_is_how_many_come_back(top_n: int, indices: list[int]) -> None:
    assert [result["index"] for result in answer(top_n=top_n)["results"]] == indices


def test_documents_stay_away_when_nobody_wants_them() -> None:
    assert answer(return_documents=False, top_n=1)["results"] == [
        {"index": 1, "relevance_score": 0.9}
    ]
    assert "document" in answer(return_documents=True)["results"][0]
