"""Embeddings and rerank through the official client and plain HTTP, on a running server."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import openai
import pytest

from harness import random_pooled
from harness.random_pooled import LAST, MEAN, RANK, RERANKER
from harness.server import SMALL, Server, running_server
from harness.waiting import wait_until

WORDS = [
    f"{color} {animal}" for color in ("red", "blue", "old") for animal in ("fox", "dog", "cat")
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("models")
    files = {
        "test/pooled/Mean.gguf": random_pooled.encoder(folder / "mean.gguf", MEAN),
        "test/pooled/Last.gguf": random_pooled.decoder(folder / "last.gguf", LAST),
        "test/pooled/Yes.gguf": random_pooled.decoder(folder / "yes.gguf", RANK),
        "test/pooled/Rank.gguf": RERANKER,
        "test/tiny/Tiny.gguf": random_pooled.CHAT,
    }
    pooled = {"n_threads": 1}
    config: dict[str, Any] = dict.fromkeys(["Mean", "Last", "Yes", "Rank"], pooled)
    base = tmp_path_factory.mktemp("pooled")
    flags = ("--cache-ttl=0", "--models-in-cache=9")
    with running_server(base, files, config | {"Tiny": SMALL}, *flags) as server:
        yield server
        assert server.alarms() == []


@pytest.fixture(scope="module")
def client(server: Server) -> openai.OpenAI:
    return server.openai()


@pytest.fixture(scope="module")
def http(server: Server) -> httpx.Client:
    return server.http()


def rows(answer: Any) -> np.ndarray:
    return np.array([item.embedding for item in answer.data])


@pytest.mark.parametrize("model", ["Mean", "Last"])
def test_the_official_client_gets_vectors_of_length_one_in_order(
    client: openai.OpenAI, model: str
) -> None:
    # Without a format it asks for base64, and decodes that with numpy.
    answer = client.embeddings.create(model=model, input=WORDS)
    found = rows(answer)
    assert found.shape == (len(WORDS), 128)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-5)
    assert [item.index for item in answer.data] == list(range(len(WORDS)))
    assert answer.model == model
    alone = [client.embeddings.create(model=model, input=word) for word in WORDS]
    assert ((np.concatenate([rows(one) for one in alone]) * found).sum(axis=1) > 0.9999).all()
    assert answer.usage.prompt_tokens == sum(one.usage.prompt_tokens for one in alone)
    assert answer.usage.total_tokens == answer.usage.prompt_tokens


def test_both_formats_say_the_same_numbers(client: openai.OpenAI) -> None:
    plain = client.embeddings.create(model="Mean", input=WORDS, encoding_format="float")
    coded = client.embeddings.create(model="Mean", input=WORDS, encoding_format="base64")
    decoded = [base64.b64decode(str(item.embedding)) for item in coded.data]
    packed = np.array([np.frombuffer(data, "<f4") for data in decoded])
    np.testing.assert_allclose(rows(plain), packed, atol=1e-5)


def test_token_ids_are_what_the_text_comes_to(client: openai.OpenAI) -> None:
    # [CLS] and [SEP] of this vocabulary, around nothing but an unknown word's token.
    ids = [2, 1, 3]
    one = client.embeddings.create(model="Mean", input=ids)
    many = client.embeddings.create(model="Mean", input=[ids, ids])
    assert one.usage.prompt_tokens == 3
    assert many.usage.prompt_tokens == 6
    assert (rows(many) @ rows(one)[0] > 0.9999).all()


def test_dimensions_shorten_the_vectors(client: openai.OpenAI) -> None:
    whole = rows(client.embeddings.create(model="Mean", input="red fox"))[0]
    short = rows(client.embeddings.create(model="Mean", input="red fox", dimensions=16))[0]
    np.testing.assert_allclose(short, whole[:16] / np.linalg.norm(whole[:16]), atol=1e-5)


def test_many_requests_at_once_each_get_their_own(client: openai.OpenAI) -> None:
    expected = rows(client.embeddings.create(model="Mean", input=WORDS))

    def ask(number: int) -> bool:
        answer = client.embeddings.create(model="Mean", input=WORDS[number] if number else WORDS)
        found = rows(answer)
        right = expected[[number]] if number else expected
        return bool(((found * right).sum(axis=1) > 0.9999).all())

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(ask, [*range(len(WORDS))] * 6))


def test_a_request_of_two_thousand_texts_is_answered_whole(client: openai.OpenAI) -> None:
    answer = client.embeddings.create(model="Mean", input=["red fox"] * 2048)
    assert [item.index for item in answer.data] == list(range(2048))
    assert (rows(answer) @ rows(answer)[0] > 0.9999).all()


@pytest.mark.parametrize("route", ["/v1/rerank", "/v1/reranking"])
def test_documents_come_back_by_relevance(http: httpx.Client, route: str) -> None:
    documents = ["the sea is deep", {"text": "a red fox lives in the forest"}, "bread and cheese"]
    body = {"model": "Rank", "query": "where is the red fox", "documents": documents}
    answer = http.post(route, json=body)
    assert answer.status_code == 200, answer.text
    results = answer.json()["results"]
    assert results[0]["index"] == 1
    assert results[0]["document"] == documents[1]
    scores = [result["relevance_score"] for result in results]
    assert scores == sorted(scores, reverse=True)
    assert 1.0 >= scores[0] > 0.5 > scores[1] >= 0.0
    short = http.post(route, json=body | {"top_n": 1, "return_documents": False}).json()
    assert short["results"] == [{"index": 1, "relevance_score": scores[0]}]
    assert short["usage"] == answer.json()["usage"]


def test_cohere_and_jina_are_answered_in_their_form_and_cut_what_is_too_long(
    http: httpx.Client,
) -> None:
    body = {"model": "Rank", "query": "red fox", "documents": ["red fox", "word " * 600]}
    assert http.post("/v1/rerank", json=body).status_code == 400
    # What Cohere's client sends.
    mine = {"top_n": 1, "max_tokens_per_doc": 4096}
    cohere = http.post("/v2/rerank", json=body | mine).json()
    (best,) = cohere["results"]
    assert best.keys() == {"index", "relevance_score"}
    assert cohere["meta"]["billed_units"] == {"search_units": 1}
    assert cohere["id"]
    jina = http.post("/rerank", json=body).json()
    assert jina["results"][0]["document"] == {"text": "red fox"}
    # Special tokens, the query and the whole first document; the query and all that fits.
    assert jina["usage"]["total_tokens"] > 512
    cut = http.post("/v2/rerank", json=body | {"max_tokens_per_doc": 1}).json()
    assert cut["meta"]["tokens"]["input_tokens"] < 20


def test_a_reranker_with_a_template_and_two_classes_scores(http: httpx.Client) -> None:
    body = {"model": "Yes", "query": "where is the red fox", "documents": WORDS}
    results = http.post("/v1/rerank", json=body).json()["results"]
    assert {result["index"] for result in results} == set(range(len(WORDS)))
    assert all(0.0 <= result["relevance_score"] <= 1.0 for result in results)


REFUSED: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "not an embedder": (
        "embeddings", {"model": "Rank", "input": "x"}, "model", "it does not make embeddings",
    ),
    "a chat model": (
        "embeddings", {"model": "Tiny", "input": "x"}, "model", "this model generates text",
    ),
    "not a reranker": (
        "rerank", {"model": "Mean", "query": "x", "documents": ["y"]}, "model",
        "it does not score documents",
    ),
    "no reranker but a chat model": (
        "rerank", {"model": "Tiny", "query": "x", "documents": ["y"]}, "model",
        "this model generates text",
    ),
    "a token nobody has": (
        "embeddings", {"model": "Mean", "input": [5, 99999]}, "input[1]", "0 to 8191, got 99999",
    ),
    "dimensions": (
        "embeddings", {"model": "Mean", "input": "x", "dimensions": 129}, "dimensions", "1 to 128",
    ),
    "too long": (
        "embeddings", {"model": "Mean", "input": ["x", "word " * 600]}, "input[1]",
        "maximum context length is 512 tokens",
    ),
    "a document too long": (
        "rerank", {"model": "Rank", "query": "x", "documents": ["word " * 600]}, "documents[0]",
        "maximum context length is 512 tokens",
    ),
    "chat": (
        "chat/completions", {"model": "Mean", "messages": [{"role": "user", "content": "x"}]},
        "model", "it does not generate text",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_done_is_a_400_that_names_the_field(http: httpx.Client, case: str) -> None:
    route, body, param, words = REFUSED[case]
    answer = http.post(f"/v1/{route}", json=body)
    error = answer.json()["error"]
    assert answer.status_code == 400, error
    assert error["param"] == param
    assert words in error["message"]
    is_length = "too long" in case
    assert error["code"] == ("context_length_exceeded" if is_length else "invalid_argument")


def test_a_text_that_is_too_long_is_cut_on_request(http: httpx.Client) -> None:
    body = {"model": "Mean", "input": "word " * 600, "truncate": True}
    assert http.post("/v1/embeddings", json=body).json()["usage"]["prompt_tokens"] == 512


def test_a_model_that_is_not_there_is_a_404(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model="Nobody", input="x")


def test_ps_shows_the_texts_it_decodes_together(server: Server, client: openai.OpenAI) -> None:
    client.embeddings.create(model="Mean", input="x")
    row = next(row for row in server.status()["data"] if row["model"] == "Mean")
    assert (row["slots_total"], row["n_ctx"]) == (32, 512)
    assert row["active_streams"] == 0


@pytest.mark.parametrize(
    ("url", "body"),
    [
        ("/v1/embeddings", {"model": "Mean", "input": WORDS}),
        ("/v1/rerank", {"model": "Rank", "query": "a red fox", "documents": WORDS}),
    ],
)
def test_a_batch_answers_as_the_route_does(
    client: openai.OpenAI, http: httpx.Client, url: Any, body: dict[str, Any]
) -> None:
    line = {"custom_id": "a", "method": "POST", "url": url, "body": body}
    file = client.files.create(file=json.dumps(line).encode(), purpose="batch")
    batch = client.batches.create(input_file_id=file.id, endpoint=url, completion_window="24h")
    wait_until(lambda: client.batches.retrieve(batch.id).status == "completed", "its end")
    batch = client.batches.retrieve(batch.id)
    assert batch.output_file_id is not None
    answered = json.loads(client.files.content(batch.output_file_id).text)["response"]["body"]
    alone = http.post(url, json=body).json()
    changing = {"id", "created", "timings"}
    assert answered.keys() == alone.keys()
    for key in alone.keys() - changing:
        if key in ("data", "results"):
            assert [one["index"] for one in answered[key]] == [one["index"] for one in alone[key]]
        else:
            assert answered[key] == alone[key]
    assert batch.usage is not None
    assert batch.usage.input_tokens == alone["usage"]["prompt_tokens"]
