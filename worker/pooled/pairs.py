"""A query and a document as one text for a classifier. Pure; given a vocabulary."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

_PLACE = re.compile(r"\{(query|document)\}")


class Tokenizer(Protocol):
    """What pairs need of a vocabulary."""

    def plain(self, text: str) -> list[int]:
        """The text's tokens and nothing around them; no token of it is special."""

    def marked_up(self, text: str) -> list[int]:
        """The same, with the names of special tokens read as those tokens."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Special tokens around a query and a document."""

    before: tuple[int, ...]
    between: tuple[int, ...]
    after: tuple[int, ...]

    @property
    def size(self) -> int:
        return len(self.before) + len(self.between) + len(self.after)


@dataclass(frozen=True, slots=True)
class Specials:
    """What a vocabulary says of the tokens around texts; None is "has none" or "is not said"."""

    bos: int | None
    eos: int | None
    sep: int | None
    add_bos: bool
    add_eos: bool
    add_sep: bool | None
    # BERT's own kind of vocabulary.
    is_wordpiece: bool
    # T5's and XLM-RoBERTa's.
    is_unigram: bool


def frame(specials: Specials) -> Frame:
    """As llama-server: `[BOS] query [EOS] [SEP] document [EOS]`, each where the vocabulary adds it.

    Two kinds of older files do not say whether SEP is added, and get what their models were
    trained with: BERT's has one separator, which is its EOS too, and XLM-RoBERTa's has two.
    """
    bos, eos, sep = specials.bos, specials.eos, specials.sep
    end = eos if eos is not None else sep
    if specials.add_sep is None and specials.is_wordpiece:
        return Frame(_some(bos), _some(sep), _some(sep))
    add_sep = specials.is_unigram if specials.add_sep is None else specials.add_sep
    ending = _some(end) if specials.add_eos else ()
    separator = _some(sep) if add_sep else ()
    return Frame(_some(bos) if specials.add_bos else (), (*ending, *separator), ending)


def _some(token: int | None) -> tuple[int, ...]:
    return () if token is None else (token,)


def framed(
    frame: Frame,
    query: list[int],
    document: list[int],
    longest: int | None,
    document_tokens: int | None = None,
) -> list[int]:
    """The pair; a document that does not fit `longest`, or is longer than `document_tokens`, is
    cut at its end, where they are given."""
    document = document[:document_tokens]
    if longest is not None:
        document = document[: max(0, longest - frame.size - len(query))]
    return [*frame.before, *query, *frame.between, *document, *frame.after]


def templated(
    template: str,
    query: str,
    document: str,
    tokenizer: Tokenizer,
    longest: int | None,
    document_tokens: int | None = None,
) -> list[int]:
    """The model's own rerank template with both texts in their places, cut like `framed`.

    A text that spells a special token stays text: where one does, each text is tokenised by itself.
    """
    is_cut = document_tokens is not None and len(tokenizer.plain(document)) > document_tokens
    if not is_cut and _is_plain(query, tokenizer) and _is_plain(document, tokenizer):
        tokens = tokenizer.marked_up(_fill(template, query, document))
        if longest is None or len(tokens) <= longest:
            return tokens
    split = [
        _part(number, part, query, document, tokenizer)
        for number, part in enumerate(_PLACE.split(template))
    ]
    parts = [
        (is_document, tokens[:document_tokens] if is_document else tokens)
        for is_document, tokens in split
    ]
    excess = 0 if longest is None else max(0, sum(len(tokens) for _, tokens in parts) - longest)
    return [
        token
        for is_document, tokens in parts
        for token in (tokens[: max(0, len(tokens) - excess)] if is_document else tokens)
    ]


def _part(
    number: int, part: str, query: str, document: str, tokenizer: Tokenizer
) -> tuple[bool, list[int]]:
    """Whether this part of the split template is the document's place, and its tokens."""
    if number % 2 == 0:
        return False, tokenizer.marked_up(part) if part else []
    is_document = part == "document"
    return is_document, tokenizer.plain(document if is_document else query)


def _is_plain(text: str, tokenizer: Tokenizer) -> bool:
    return tokenizer.plain(text) == tokenizer.marked_up(text)


def _fill(template: str, query: str, document: str) -> str:
    texts = {"query": query, "document": document}
    # In one pass: a query may contain the word {document}.
    return _PLACE.sub(lambda place: texts[place[1]], template)
