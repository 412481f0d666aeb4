"""A request for embeddings or scores to a job: tokenised, checked, cut where that was asked for."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from kronk.shared.abilities import Pooling, does_what, wrong_model
from kronk.shared.errors import ContextLengthExceeded, InvalidArgument
from kronk.shared.wire.to_worker import Embed, Rank, Submit
from kronk.shared.wire.values import Ability
from kronk.worker.model import Model

from . import pairs
from .job import Embeddings, Job, Ranking
from .loader import PooledLoaded

# Characters that a token stands for at the very most, on average over a text. More than that is
# refused, or cut, unread: to tokenise 30 MB takes half a minute, in which nobody else is served.
_MOST_PER_TOKEN = 256


def prepare(asked: Submit | Embed | Rank, loaded: PooledLoaded) -> Job:
    """Raises a `CallerError` for everything that is wrong with the request."""
    submitted, began = time.monotonic(), time.time()
    match asked:
        case Embed():
            job = _embed(asked, loaded, submitted)
        case Rank():
            job = _rank(asked, loaded, submitted)
        case Submit():
            raise wrong_model(ability(loaded), "text")
    took = time.monotonic() - submitted
    return replace(job, began=began, tokenise=took, name=asked.name, trace=asked.trace)


def ability(loaded: PooledLoaded) -> Ability:
    """What such a model can be asked for."""
    return "rank" if loaded.pooling is Pooling.RANK else "embedding"


def does(loaded: PooledLoaded) -> str:
    """What such a model is for, in words, with the route that asks for it."""
    return does_what(ability(loaded))


def _embed(asked: Embed, loaded: PooledLoaded, submitted: float) -> Job:
    if loaded.pooling is Pooling.RANK:
        raise wrong_model(ability(loaded), "embedding")
    dimensions = loaded.width if asked.dimensions is None else asked.dimensions
    if not 1 <= dimensions <= loaded.width:
        raise InvalidArgument(
            f"'dimensions' must be from 1 to {loaded.width}, which is what this model makes,"
            f" got {dimensions}",
            param="dimensions",
        )
    if not asked.inputs:
        raise InvalidArgument("'input' has nothing to embed", param="input")
    texts = [
        _input(value, "input" if len(asked.inputs) == 1 else f"input[{number}]", asked, loaded)
        for number, value in enumerate(asked.inputs)
    ]
    answer = Embeddings(asked.request, dimensions)
    return Job(asked.request, texts, answer, submitted, asked.subject)


def _input(value: object, where: str, asked: Embed, loaded: PooledLoaded) -> list[int]:
    vocabulary = loaded.vocabulary
    if isinstance(value, str):
        tokens = vocabulary.text(_readable(value, where, asked.truncate, loaded.longest))
    else:
        tokens = _token_ids(value, where, vocabulary.model)
    if not tokens:
        raise InvalidArgument(f"'{where}' is empty: there is nothing to embed", param=where)
    if asked.truncate:
        return vocabulary.cut(tokens, loaded.longest)
    return _fitting(tokens, where, loaded.longest)


def _readable(text: str, where: str, truncate: bool, longest: int) -> str:
    if len(text) <= longest * _MOST_PER_TOKEN:
        return text
    if truncate:
        return text[: longest * _MOST_PER_TOKEN]
    raise ContextLengthExceeded(
        f"This model's maximum context length is {longest} tokens. However, '{where}' has"
        f" {len(text)} characters. Please shorten it, or set 'truncate' to true.",
        param=where,
    )


def _token_ids(value: object, where: str, model: Model) -> list[int]:
    if not isinstance(value, Sequence):
        raise InvalidArgument(f"'{where}' must be a string or a list of token ids", param=where)
    model.require_known(value, where)
    return list(value)


def _rank(asked: Rank, loaded: PooledLoaded, submitted: float) -> Job:
    if loaded.relevance is None:
        raise wrong_model(ability(loaded), "rank")
    if not asked.documents:
        raise InvalidArgument("'documents' has nothing to score", param="documents")
    texts = [
        # Where documents are cut, only a query can be too long.
        _fitting(tokens, "query" if asked.truncate else f"documents[{number}]", loaded.longest)
        for number, tokens in enumerate(_pairs(asked, loaded))
    ]
    answer = Ranking(asked.request, loaded.relevance)
    return Job(asked.request, texts, answer, submitted, asked.subject)


def _pairs(asked: Rank, loaded: PooledLoaded) -> list[list[int]]:
    vocabulary = loaded.vocabulary
    longest = loaded.longest if asked.truncate else None
    query = _readable(asked.query, "query", False, loaded.longest)
    documents = [
        _readable(document, f"documents[{number}]", asked.truncate, loaded.longest)
        for number, document in enumerate(asked.documents)
    ]
    template = vocabulary.rerank_template
    if template is not None:
        return [
            pairs.templated(template, query, document, vocabulary, longest, asked.document_tokens)
            for document in documents
        ]
    frame, tokens = pairs.frame(vocabulary.specials), vocabulary.plain(query)
    return [
        pairs.framed(frame, tokens, vocabulary.plain(document), longest, asked.document_tokens)
        for document in documents
    ]


def _fitting(tokens: list[int], where: str, longest: int) -> list[int]:
    if len(tokens) > longest:
        raise ContextLengthExceeded(
            f"This model's maximum context length is {longest} tokens. However, '{where}' resulted"
            f" in {len(tokens)} tokens. Please shorten it, or set 'truncate' to true.",
            param=where,
        )
    return tokens
